# The commands of the project; `make` alone lists them.

PYTHON ?= python3.11
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready

.PHONY: help run test check smoke report lock

help: ## list the commands
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/'

$(READY): requirements.lock pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --no-deps --require-hashes -r requirements.lock
	$(BIN)/pip install --quiet --no-deps --no-build-isolation -e .
	touch $@

run: $(READY) ## the whole benchmark, on CelebA under data/celeba or on synthetic faces
	$(BIN)/gfr run full

test: $(READY) ## every test
	$(BIN)/pytest

check: $(READY) ## linters, types and the fast tests, under a minute
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy gfr
	$(BIN)/pytest -m "not slow"

smoke: $(READY) ## the real flow in small on synthetic faces, under two minutes
	$(BIN)/gfr run smoke --data synthetic --weights random

report: $(READY) ## render the newest run's report again
	$(BIN)/gfr report

lock: ## resolve pyproject.toml anew into requirements.lock (needs uv)
	uv pip compile pyproject.toml --extra dev --python-version 3.11 \
	  --generate-hashes --no-emit-index-url --no-emit-find-links --no-header -o requirements.lock
