# Everything a clone needs: Python 3.11 or later and make. uv is used where it is installed.
.DEFAULT_GOAL := help
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PYTEST := $(BIN)/python -m pytest -q
COMPILE := uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
  --no-config --no-emit-index-url --no-emit-find-links --no-header --no-annotate --no-strip-extras

# The tests start many interpreters: each would compile every module anew.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help
help: ## List the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /  make \1\t/' | expand -t 18

.PHONY: install
install: $(VENV)/.installed ## Set up .venv (idempotent; quiet when nothing changed)
	@:

$(VENV)/.installed: requirements-dev.txt pyproject.toml .ci/install
	@PYTHON="$(PYTHON)" .ci/install $(VENV) requirements-dev.txt editable

.PHONY: up
up: install ## Run everything, with a simulated platform pushing orders
	@$(BIN)/yizhan up --simulate

.PHONY: test
test: install ## Format, lint, types and import contracts, beside the tests
	@$(MAKE) --no-print-directory check & checks=$$!; failed=0; \
	$(MAKE) --no-print-directory unit || failed=1; \
	wait $$checks || failed=1; exit $$failed # mypy leaves all cores but one idle

.PHONY: unit
# Most tests wait for processes and disks, so that two workers a core keep the cores busy. What
# failed in such a crowd is run once more alone, up to the first that fails again.
unit: install ## The tests alone, on every core; then those that others would disturb, one a core
	@failed=0; again="$(PYTEST) --last-failed --last-failed-no-failures=none --exitfirst"; \
	$(PYTEST) -n $$(( 2 * $$(getconf _NPROCESSORS_ONLN) )) --dist worksteal -m "not serial" \
	  || $$again -m "not serial" || failed=1; \
	$(PYTEST) -n $$(getconf _NPROCESSORS_ONLN) --dist worksteal -m serial $$(grep -rl --include="test_*.py" mark.serial tests) \
	  || failed=1; \
	exit $$failed

.PHONY: check
check: install ## Format, lint, types, import contracts, lint of Dockerfile and YAML
	@$(BIN)/ruff format --check --quiet . || { echo "run: make fmt"; exit 1; }
	@$(BIN)/ruff check --quiet .
	@$(BIN)/mypy
	@said=$$($(BIN)/lint-imports --no-cache 2>&1) || { echo "$$said"; exit 1; }
	@$(BIN)/hadolint Dockerfile
	@$(BIN)/yamllint --strict .
	@echo "check: all well"

.PHONY: fmt
fmt: install ## Format, and fix what lint can fix
	@$(BIN)/ruff format --quiet .
	@$(BIN)/ruff check --quiet --fix .

.PHONY: docs
docs: install ## Write the generated pages anew
	@for page in events api metrics; do $(BIN)/python -m receiver.contract $$page > docs/$$page.md || exit 1; done
	@$(BIN)/python -m receiver.contract alerts > deploy/prometheus/yizhan.rules.yml
	@$(BIN)/python -m receiver.contract dashboard > deploy/grafana/dashboards/yizhan.json

.PHONY: errors
errors: install ## Run every wrong setting and command, write docs/errors.md (2 minutes)
	@$(BIN)/python -m tests.cli.wrong > docs/errors.new && mv docs/errors.new docs/errors.md

.PHONY: screenshots
screenshots: install ## Take the pictures of the console in docs/console/ (1 minute, needs chromium)
	@$(BIN)/python -m tests.console.screenshots

.PHONY: coverage
coverage: install ## The tests, with branch coverage of code and tests
	@$(PYTEST) --cov --cov-report=term

.PHONY: fuzz
fuzz: install ## A million hostile inputs (guided by coverage where atheris installs)
	@{ command -v uv >/dev/null && uv pip install --quiet --python $(BIN)/python atheris==3.0.0 \
	  || $(BIN)/python -m pip install --quiet atheris==3.0.0; } 2>/dev/null \
	  || echo "atheris does not install here: the inputs are made by chance alone"
	@$(BIN)/python -m bench.fuzz

BENCH := .venv-bench

$(BENCH)/.installed: bench/requirements.txt .ci/install
	@PYTHON="$(PYTHON)" .ci/install $(BENCH) bench/requirements.txt

.PHONY: bench
bench: $(BENCH)/.installed ## Measure the speed beside others, write docs/performance.md (12 minutes, needs wrk)
	@command -v wrk >/dev/null || { echo "make bench needs wrk: on Debian, apt-get install wrk"; exit 1; }
	@timeout --foreground --signal=INT $(if $(LONG),7200,1200) $(BENCH)/bin/python -m bench $(if $(LONG),--long)

.PHONY: faults
faults: install ## Hurt a running receiver, write docs/guarantees.md (40 minutes; ONLY="flood disk_full", LIST=1)
	@timeout --foreground --signal=INT 3600 $(BIN)/python -m bench.faults $(if $(LIST),--list) $(if $(ONLY),--only $(ONLY))

.PHONY: chaos
chaos: install ## Call a platform that fails: 10,000 reads, 2,000 changes (5 minutes); kill workers and servers, also within effects (25 minutes)
	@timeout --foreground --signal=INT 900 $(BIN)/python -m bench.chaos
	@timeout --foreground --signal=INT 1800 $(BIN)/python -m bench.histories
	@timeout --foreground --signal=INT 3600 $(BIN)/python -m bench.chaos_handlers $(if $(ONLY),--only $(ONLY))
	@$(BIN)/python -m bench.faults --page

.PHONY: lock
lock: ## Pin the requirements anew (needs uv; UPGRADE=--upgrade takes the newest)
	@command -v uv >/dev/null || { echo "make lock needs uv: https://docs.astral.sh/uv"; exit 1; }
	@$(COMPILE) $(UPGRADE) pyproject.toml -o requirements.txt
	@$(COMPILE) $(UPGRADE) pyproject.toml --group dev -c requirements.txt -o requirements-dev.txt
	@$(COMPILE) $(UPGRADE) --group build -c requirements-dev.txt -o requirements-build.txt
	@$(COMPILE) $(UPGRADE) pyproject.toml bench/requirements.in -c requirements-dev.txt -o bench/requirements.txt

.PHONY: vendor
vendor: install ## Fetch the console's scripts anew (needs npm)
	@command -v npm >/dev/null || { echo "make vendor needs npm"; exit 1; }
	@$(BIN)/python -m receiver.console.vendor

.PHONY: clean
clean: ## Remove what was set up and built
	@rm -rf $(VENV) $(BENCH) .mypy_cache .ruff_cache .import_linter_cache .hypothesis .coverage dist build
