# patchdeck: `make demo` and `make test` need only make and Python 3.11 or newer; everything else is made in .venv.

.DEFAULT_GOAL := help
.PHONY: help demo test bench lint screenshots clean
SHELL := /bin/sh

VENV   := .venv
BIN    := $(VENV)/bin
PIP    := $(BIN)/python -m pip --quiet --disable-pip-version-check --no-input
DEMO   := $(VENV)/.installed-demo
TEST   := $(VENV)/.installed-test

# Tests wait for servers and terminals a fifth of their time: one process more than there are processors, at most four.
WORKERS := $(shell n=$$(getconf _NPROCESSORS_ONLN 2>/dev/null || echo 1); echo $$((n < 4 ? n + 1 : 4)))

help:
	@echo "make demo         a database to play with, and the dashboard open on it"
	@echo "make test         everything that can be tested on this machine"
	@echo "make bench        the measurements that are quoted; an hour on a machine that does nothing else"
	@echo "make lint         style, types, import rules, SQL"
	@echo "make screenshots  screenshots/*.svg from the running product"
	@echo "make clean        remove .venv and what the tools left behind"

demo: $(DEMO)
	@$(BIN)/python -m tui demo

# Compiled first: where the environment forbids to write bytecode, every start of the product would compile all of it, and
# every stand-in the tests.
test: $(TEST)
	@$(BIN)/python -m compileall -q tui tests
	@$(BIN)/python -m pytest --numprocesses $(WORKERS) --dist worksteal $(ARGS)

# One after another, each to its end, whatever goals the one before missed.
bench: $(TEST)
	@failed=0; for name in startup dashboard status many ticks policies apply; do \
	  echo "== tests/bench/$$name.py"; $(BIN)/python -m tests.bench.$$name || failed=1; \
	done; exit $$failed

lint: $(TEST)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/squawk sql/*.sql

screenshots: $(TEST)
	@$(BIN)/python -m tests.screenshots

clean:
	rm -rf $(VENV) build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# Installed again only when pyproject.toml changed. The test set contains the demo's, so one install serves both.
$(TEST): pyproject.toml | $(BIN)/pip
	@echo "installing patchdeck with its test tools into $(VENV) ..." >&2
	@$(PIP) install --editable '.[test]'
	@touch $(DEMO) $(TEST)

$(DEMO): pyproject.toml | $(BIN)/pip
	@echo "installing patchdeck into $(VENV) ..." >&2
	@$(PIP) install --editable '.[demo]'
	@touch $(DEMO)

# A python3 on PATH may be older than 3.11 while a newer one stands beside it under its full name, and a distribution's
# Python may come without ensurepip: both are told in one line instead of a traceback. pip is the last thing venv makes,
# so an interrupted attempt is made again.
$(BIN)/pip:
	@for python in "$$PYTHON" python3 python3.14 python3.13 python3.12 python3.11 python; do \
	  [ -n "$$python" ] || continue; \
	  "$$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1 || continue; \
	  "$$python" -c 'import ensurepip, venv' >/dev/null 2>&1 || { without=$$python; continue; }; \
	  rm -rf $(VENV); \
	  exec "$$python" -m venv $(VENV); \
	done; \
	if [ -n "$$without" ]; then \
	  echo "make: $$without can not make a virtual environment: install its venv package (Debian, Ubuntu: python3-venv)" >&2; \
	else \
	  echo "make: patchdeck needs Python 3.11 or newer on PATH (or PYTHON=/path/to/python3)" >&2; \
	fi; exit 1
