# Two commands: `make demo` and `make test`. Each makes its own virtual environment and installs what it needs.
PYTHON ?= python3
VENV   ?= .venv
BIN    := $(VENV)/bin
# The extras the tests install. `make test EXTRAS=dev` runs what needs no torch.
EXTRAS ?= dev,rtx,curves,decord
# Processes the tests run in; what must share one is said in tests/conftest.py.
WORKERS ?= 2
# The lower end of pyproject.toml's range.
OLDEST_RAY := 2.54.0

.PHONY: demo test test-failed test-slow test-oldest-ray mutants check clean

demo: $(VENV)/.base
	$(BIN)/python jobs/animate.py --curve smile.yaml --overwrite

test: $(VENV)/.dev
	$(BIN)/python -m pytest -n $(WORKERS) -m "not slow"

test-slow: $(VENV)/.dev
	$(BIN)/python -m pytest -m slow -o faulthandler_timeout=0

# What failed last, one after another: a fault that shows only beside other tests passes here.
test-failed: $(VENV)/.dev
	$(BIN)/python -m pytest -m "not slow" --last-failed --last-failed-no-failures none

# A Ray with other private names starts the ordinary way, and jobs run on it.
test-oldest-ray: $(VENV)/.dev
	$(BIN)/python -m pip install --quiet --no-deps --upgrade --target $(VENV)/oldest-ray ray==$(OLDEST_RAY)
	PYTHONPATH=$(abspath $(VENV)/oldest-ray) $(BIN)/python -m pytest -m "not slow" tests/jobs/test_lone_machine.py tests/jobs/test_graph.py

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
