# Everything from nothing: the virtual environment is made, and made anew, as its stamps demand.
#
# The package is installed normally, never editably, because mypy and import-linter cannot follow an editable install.
# So every target first brings the installed copy up to date.

VENV ?= .venv
BIN := $(VENV)/bin
PYTHON ?= $(shell for python in python3 python3.14 python3.13 python3.12 python3.11; do \
	"$$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && { command -v "$$python"; break; }; done)
FOLDERS := ring scheduling node client puppetmaster examples
SOURCES := __init__.py py.typed $(shell find $(FOLDERS) -type f -not -name '*.pyc' 2>/dev/null)
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet

.DEFAULT_GOAL := test
.DELETE_ON_ERROR:
.PHONY: demo test check tidy format bench mutants install clean

demo: install
	$(BIN)/murmur demo

# Live tests mostly wait: so three at once keep two cores busy. Plain pytest takes one after the other.
WORKERS ?= 3

test: install $(VENV)/.test-tools
	$(BIN)/pytest --numprocesses $(WORKERS) --dist loadgroup --durations 25 --durations-min 5

check: install $(VENV)/.check-tools
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/codespell
	$(BIN)/pytest -q tests/test_tidy.py

format: $(VENV)/.check-tools
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

bench: install
	$(BIN)/python benchmarks/run.py

mutants: install
	$(BIN)/python tests/simulation/mutants.py

install: $(VENV)/.installed

clean:
	rm -rf $(VENV) build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis .coverage
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(BIN)/python:
	@test -n "$(PYTHON)" || { echo "Python 3.11 or newer is needed; set PYTHON to its path." >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(PIP) install 'setuptools>=68' wheel

# A build/ left over would bring deleted modules back into the installed copy.
$(VENV)/.requirements: setup.cfg pyproject.toml | $(BIN)/python
	rm -rf build
	$(PIP) install .
	touch $@

$(VENV)/.installed: $(SOURCES) $(VENV)/.requirements
	rm -rf build
	$(PIP) install --no-deps --no-build-isolation .
	touch $@

$(VENV)/.test-tools $(VENV)/.check-tools: $(VENV)/.%-tools: $(VENV)/.requirements
	rm -rf build
	$(PIP) install --no-build-isolation '.[$*]'
	touch $@
