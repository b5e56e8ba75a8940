# Everything runs out of .venv, which `make setup` builds from a hashed lock file.
SHELL := /bin/bash
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

# The first Python that is new enough; PYTHON=/path/to/python names another.
PYTHON ?= $(shell for p in python3 python3.14 python3.13 python3.12 python3.11 python; do \
	$$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && command -v $$p && break; done)
VENV := .venv
BIN := $(VENV)/bin
CARRIER ?= postgres
ARGS ?=
KILLS ?= 500
SEEDS ?= 1000

.PHONY: help setup demo test check format lint types imports migrations-check chaos simulate bench lock clean

help: ## List the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## (.*)/  \1|\2/' | column -t -s '|'

setup: $(VENV)/.ready ## Build .venv from the lock file

$(VENV)/.ready: requirements-dev.lock pyproject.toml
	@test -n "$(PYTHON)" || { echo "Leadpact needs Python 3.11 or newer; none was found. Name one: make PYTHON=/path/to/python3.11" >&2; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV) || { echo "That Python cannot make virtual environments (on Debian: the python3-venv package)." >&2; exit 1; }
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-dev.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

demo: setup ## Show the main job on real input, then stay up (CARRIER=kafka; ARGS=--once ends by itself)
	$(BIN)/leadpact demo --carrier $(CARRIER) $(ARGS)

test: setup ## Run all tests on real PostgreSQL and, where Java and Maven are found, on real Kafka
	$(BIN)/pytest $(ARGS)

check: setup lint types imports migrations-check ## Lint, types, import contracts, schema drift

lint:
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types:
	$(BIN)/mypy

imports:
	$(BIN)/lint-imports

migrations-check:
	$(BIN)/python scripts/check_migrations.py

format: setup ## Format the code and fix what can be fixed
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

chaos: setup ## Kill services, PostgreSQL and the broker under load: make chaos KILLS=500 CARRIER=kafka
	$(BIN)/python -m tests.chaos --kills $(KILLS) --carrier $(CARRIER) $(ARGS)

simulate: setup ## Weeks of business on one virtual clock, with faults: make simulate SEEDS=1000, SEED=4711, BREAK=inbox
	$(BIN)/python -m tests.simulation --seeds $(SEEDS) $(if $(SEED),--seed $(SEED)) $(if $(BREAK),--break $(BREAK)) $(ARGS)

bench: setup ## Throughput and latency beside the named baselines, as ratios
	$(BIN)/python -m bench $(ARGS)

COMPILE = uv pip compile --universal --generate-hashes --python-version 3.11 --no-header --quiet

lock: ## Renew the lock files from pyproject.toml (needs uv)
	$(COMPILE) --extra dev pyproject.toml -o requirements-dev.lock
	$(COMPILE) -c requirements-dev.lock pyproject.toml -o requirements.lock
	echo "hatchling>=1.27" | $(COMPILE) -c requirements-dev.lock - -o deploy/build.lock

clean: ## Remove what the targets made
	rm -rf $(VENV) leadpact-data .mypy_cache .ruff_cache .pytest_cache .hypothesis
