# Two commands: `make demo` and `make test`. Each makes its own virtual environment and installs what it needs.
PYTHON ?= python3
VENV   ?= .venv
BIN    := $(VENV)/bin
# The extras the tests install. `make test EXTRAS=dev` runs what needs no torch.
EXTRAS ?= dev,rtx,curves,decord
# Processes the tests run in; what must share one is said in tests/conftest.py.
WORKERS ?= 2

.PHONY: demo test test-slow mutants check clean

demo: $(VENV)/.base
	$(BIN)/python jobs/animate.py --curve smile.yaml --overwrite

test: $(VENV)/.dev
	$(BIN)/python -m pytest -n $(WORKERS) -m "not slow"

test-slow: $(VENV)/.dev
	$(BIN)/python -m pytest -m slow

# Small wrong changes to the code, each of which the tests must catch: minutes.
mutants: $(VENV)/.dev
	$(BIN)/python tests/mutants.py

check: $(VENV)/.dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/lint-imports
	$(BIN)/basedpyright

$(VENV)/.venv:
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip
	touch $@

$(VENV)/.base: $(VENV)/.venv pyproject.toml
	$(BIN)/python -m pip install --quiet -e .
	touch $@

$(VENV)/.dev: $(VENV)/.venv pyproject.toml
	$(BIN)/python -m pip install --quiet -e '.[$(EXTRAS)]'
	touch $@

clean:
	rm -rf $(VENV) build dist .pytest_cache .ruff_cache .hypothesis .import_linter_cache
