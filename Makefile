# Everything a clone needs: Python 3.11 or later and make. uv is used where it is installed.
.DEFAULT_GOAL := help
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed

.PHONY: help
help: ## List the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /  make \1\t/' | expand -t 18

.PHONY: install
install: $(STAMP) ## Set up .venv (idempotent; quiet when nothing changed)

$(STAMP): requirements-dev.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	  || { echo "Yizhan needs Python 3.11 or later: run make PYTHON=/path/to/python3.11"; exit 1; }
	@if command -v uv >/dev/null 2>&1; then \
	  test -x $(BIN)/python || uv venv --quiet --python $(PYTHON) $(VENV); \
	  uv pip install --quiet --python $(BIN)/python --require-hashes -r requirements-dev.txt; \
	  uv pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation -e .; \
	else \
	  test -x $(BIN)/pip || $(PYTHON) -m venv $(VENV) \
	    || { echo "venv is missing: on Debian, apt-get install python3-venv"; exit 1; }; \
	  $(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements-dev.txt; \
	  $(BIN)/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .; \
	fi
	@touch $(STAMP)

.PHONY: up
up: install ## Run everything, with a simulated platform pushing orders
	@$(BIN)/yizhan up --simulate

.PHONY: test
test: check unit ## Format, lint, types, import contracts and tests

.PHONY: unit
unit: install ## The tests alone
	@$(BIN)/python -m pytest -q

.PHONY: check
check: install ## Format, lint, types, import contracts, Dockerfile lint
	@$(BIN)/ruff format --check --quiet . || { echo "run: make fmt"; exit 1; }
	@$(BIN)/ruff check --quiet .
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-cache >.import-contracts.log 2>&1 || { cat .import-contracts.log; exit 1; }
	@rm -f .import-contracts.log
	@$(BIN)/hadolint Dockerfile
	@echo "check: all well"

.PHONY: fmt
fmt: install ## Format, and fix what lint can fix
	@$(BIN)/ruff format --quiet .
	@$(BIN)/ruff check --quiet --fix .

.PHONY: docs
docs: install ## Write the generated pages anew
	@$(BIN)/python -m receiver.contract > docs/events.md

.PHONY: coverage
coverage: install ## The tests, with branch coverage of code and tests
	@$(BIN)/python -m pytest -q --cov --cov-report=term

.PHONY: lock
lock: ## Pin the requirements anew (needs uv)
	@uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
	  --no-emit-find-links --no-header --no-annotate pyproject.toml -o requirements.txt
	@uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
	  --no-emit-find-links --no-header --no-annotate pyproject.toml --group dev -o requirements-dev.txt

.PHONY: clean
clean: ## Remove what was set up and built
	@rm -rf $(VENV) .mypy_cache .ruff_cache .hypothesis .coverage dist build
