# Every target sets up what it needs by itself. `make help` lists them.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
MAKEFLAGS += --no-print-directory

VENV := .venv
BIN := $(VENV)/bin
RUNTIME := $(VENV)/.runtime
DEV := $(VENV)/.dev
TOOLS := $(VENV)/.tools
EVERY_TOOL := $(VENV)/.every-tool
TABLES_VENV := $(VENV)/tables
LINT_VENV := $(VENV)/lint
CHARTS := chart/service chart/healerd
HELM = $$($(BIN)/python -m selfheal_sandbox.tools helm)
DEMO ?=
DEMO_ARGS ?=
TEST_ARGS ?=
E2E_ARGS ?=

.PHONY: help
help: ## this list
	@grep -hE '^[a-z0-9-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "make %-10s %s\n", $$1, $$2}'

# ---- set-up -----------------------------------------------------------------------------------------------------

$(BIN)/python:
	@set -- $(PYTHON) python3 python3.14 python3.13 python3.12 python3.11; \
	for candidate; do \
	  if "$$candidate" -c 'import sys, ensurepip; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1; then \
	    echo "setup: virtual environment $(VENV) with $$("$$candidate" --version)"; \
	    exec "$$candidate" -m venv $(VENV); \
	  fi; \
	done; \
	echo "setup: no Python 3.11 or newer with venv found; install one (Debian: apt install python3-venv) or name it: make PYTHON=/path/to/python3" >&2; \
	exit 1

$(RUNTIME): requirements/runtime.txt pyproject.toml | $(BIN)/python
	@echo "setup: packages of the programs (locked, about half a minute the first time)"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/runtime.txt
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-build-isolation --no-deps --editable .
	@touch $@

$(DEV): requirements/dev.txt $(RUNTIME)
	@echo "setup: packages for tests and linters (locked)"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/dev.txt
	@touch $@

$(TOOLS): $(RUNTIME)
	@$(BIN)/python -m selfheal_sandbox.tools
	@touch $@

# Where they cannot be had, the tests that need them are skipped with a reason, and fail in CI.
$(EVERY_TOOL): $(RUNTIME)
	@echo "setup: the oldest and the newest helm and kubectl that are supported (some seconds)"
	@if $(BIN)/python -m selfheal_sandbox.tools --every-version; then touch $@; fi

$(TABLES_VENV)/.done: requirements/tables.txt | $(BIN)/python
	@echo "setup: packages that the sandbox's tables are generated from"
	@$(BIN)/python -m venv $(TABLES_VENV)
	@$(TABLES_VENV)/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/tables.txt
	@touch $@

# Where pip cannot have them, the linters that are missing say so at the end of `make lint`.
$(LINT_VENV)/.done: requirements/lint.txt | $(BIN)/python
	@echo "setup: linters of charts, images, workflows and shell (about half a minute the first time)"
	@$(BIN)/python -m venv $(LINT_VENV)
	@if $(LINT_VENV)/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/lint.txt; \
	then touch $@; fi

.PHONY: setup
setup: $(DEV) $(TOOLS) $(EVERY_TOOL) ## only the set-up that the others do by themselves

# ---- use --------------------------------------------------------------------------------------------------------

.PHONY: demo
demo: $(RUNTIME) $(TOOLS) ## a cluster on this machine, the demo in it, the console on it; without a terminal the story as a script
	@if [ -t 0 ] && [ -t 1 ] && [ "$(DEMO)" != plain ]; then exec $(BIN)/selfheal-tui --sandbox $(DEMO_ARGS); \
	else exec $(BIN)/selfheal demo run $(DEMO_ARGS); fi

# ---- checks -----------------------------------------------------------------------------------------------------

.PHONY: test
test: $(DEV) $(TOOLS) $(EVERY_TOOL) $(TABLES_VENV)/.done ## every test that needs no root and no cluster of yours
	@if $(if $(TEST_ARGS),true,false); then exec $(BIN)/python -m pytest $(TEST_ARGS); fi; \
	trap 'wait; exit 130' INT; \
	if [ "$$(getconf _NPROCESSORS_ONLN)" -ge 4 ]; then \
	  echo "test: the end-to-end tests wait more than they work, so the others run beside them; their report follows"; \
	  $(BIN)/python -m pytest --ignore=tests/e2e > $(VENV)/test.log 2>&1 & others=$$!; \
	  $(BIN)/python -m pytest tests/e2e && end_to_end=0 || end_to_end=$$?; \
	  wait $$others && rest=0 || rest=$$?; \
	  cat $(VENV)/test.log; \
	else \
	  $(BIN)/python -m pytest --ignore=tests/e2e && rest=0 || rest=$$?; \
	  $(BIN)/python -m pytest tests/e2e && end_to_end=0 || end_to_end=$$?; \
	fi; \
	exit $$((end_to_end || rest))

.PHONY: e2e
e2e: $(DEV) $(TOOLS) ## every layer on a cluster of yours, in namespaces of its own (KUBECONFIG=FILE; E2E_ARGS goes to pytest)
	@if [ -z "$(KUBECONFIG)" ]; then echo "e2e: say which cluster: make e2e KUBECONFIG=FILE" >&2; exit 2; fi
	@KUBECONFIG="$(KUBECONFIG)" $(BIN)/python -m pytest --cluster kubeconfig tests/e2e/layers $(E2E_ARGS)

.PHONY: lint
lint: $(DEV) $(TOOLS) $(LINT_VENV)/.done ## ruff, mypy strict, import-linter, chart, image, workflow and shell linters
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	for chart in $(CHARTS); do $(HELM) lint --strict --quiet "$$chart"; done
	$(BIN)/yamllint --strict .github .yamllint.yaml .pre-commit-config.yaml checks
	$(BIN)/python -m checks

.PHONY: check
check: lint test ## lint, then test

.PHONY: coverage
coverage: $(DEV) $(TOOLS) $(TABLES_VENV)/.done ## which lines the quick tests reach (TEST_ARGS: which tests); pages in .cache/coverage/html
	@rm -rf .cache/coverage; \
	$(BIN)/python -m coverage run -m pytest $(or $(TEST_ARGS),--ignore=tests/e2e -m "not slow") && outcome=0 || outcome=$$?; \
	$(BIN)/python -m coverage combine --quiet; \
	$(BIN)/python -m coverage html --quiet; \
	$(BIN)/python -m coverage report; \
	exit $$outcome

.PHONY: mutate
mutate: $(DEV) ## change the decisions of domain/ one by one; what no test notices is printed (MODULES="heal filters", or --all)
	@$(BIN)/python -m checks.mutation $(MODULES)

.PHONY: bench
bench: $(DEV) $(TOOLS) ## benchmarks; prints a table, writes benchmarks/results/*.json
	@$(BIN)/python -m benchmarks

.PHONY: bench-lab
bench-lab: $(DEV) ## the console with 10,000 pods of a real Kubernetes (Linux, root); writes docs/reference/performance.md
	@$(BIN)/python -m benchmarks.lab

# ---- lab: a real Kubernetes on this machine (Linux, root) ---------------------------------------------------------

LAB := $(BIN)/python -m tests.lab
LAB_ARGS ?=
# tests/lab comes first: its tests of bringing a lab up and down need that none is up.
LAB_TESTS := tests/e2e/layers tests/e2e/error_rate tests/e2e/bastion tests/contract

.PHONY: lab-up
lab-up: $(DEV) ## a Kubernetes of two nodes on this machine, or mend the one that is up (the first time it builds for 12 minutes)
	@$(LAB) up $(LAB_ARGS)

.PHONY: lab-down
lab-down: $(DEV) ## take it down; nothing of it is left, but the programs in the cache
	@$(LAB) down $(LAB_ARGS)

.PHONY: lab-test
lab-test: $(DEV) $(TOOLS) $(EVERY_TOOL) ## every test that needs a real Kubernetes, on a lab of its own or the one that is up
	@trap 'exit 130' INT; \
	$(LAB) programs; \
	$(BIN)/python -m pytest --lab tests/lab && own=0 || own=$$?; \
	if $(if $(TEST_ARGS),true,false); then $(LAB) with -- $(BIN)/python -m pytest --lab --cluster lab $(TEST_ARGS) && exit $$own; exit 1; fi; \
	echo "lab-test: the layers wait more than they work, so random calls are compared beside them; that report follows"; \
	nice -n 10 $(BIN)/python -m pytest --lab tests/fuzz > $(VENV)/lab-test.log 2>&1 & beside=$$!; \
	trap 'kill $$beside 2>/dev/null || :; exit 130' INT TERM; \
	$(LAB) with -- $(BIN)/python -m pytest --lab --cluster lab $(LAB_TESTS) && layers=0 || layers=$$?; \
	wait $$beside && calls=0 || calls=$$?; \
	cat $(VENV)/lab-test.log; \
	exit $$((own || layers || calls))

.PHONY: fuzz
fuzz: $(DEV) ## random calls at the sandbox's API and at the real one, answers compared (FUZZ_ARGS="--sequences 3000 --seed 1")
	@$(BIN)/python -m tests.fuzz $(FUZZ_ARGS)

# ---- generated files --------------------------------------------------------------------------------------------

.PHONY: picture
picture: $(RUNTIME) ## draw docs/console.svg, the picture in the README
	@$(BIN)/python -m selfheal_tui.picture docs/console.svg

.PHONY: docs
docs: $(RUNTIME) ## write the reference pages that come from the code
	@$(BIN)/python docs/generate.py

.PHONY: tables
tables: $(TABLES_VENV)/.done ## generate the sandbox's schema and protobuf tables
	@PYTHONPATH=sandbox $(TABLES_VENV)/bin/python -m selfheal_sandbox.kinds.tables.generate

.PHONY: lock
lock: ## resolve requirements/*.txt anew (needs uv)
	@for extra in runtime service healerd tui; do \
	  uv pip compile --quiet --universal --generate-hashes --python-version 3.11 --no-header --no-emit-index-url \
	    pyproject.toml --extra "$${extra/runtime/all}" $$([ $$extra = runtime ] && echo requirements/build.in || echo -c requirements/runtime.txt) \
	    -o requirements/$$extra.txt; \
	done
	@uv pip compile --quiet --universal --generate-hashes --python-version 3.11 --no-header --no-emit-index-url requirements/dev.in -c requirements/runtime.txt -o requirements/dev.txt
	@for alone in tables lint; do \
	  uv pip compile --quiet --universal --generate-hashes --python-version 3.11 --no-header --no-emit-index-url \
	    requirements/$$alone.in -o requirements/$$alone.txt; \
	done

.PHONY: clean
clean: ## remove what these targets made
	rm -rf $(VENV) .cache build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache benchmarks/results
