# Everything works from a fresh clone: the first target that needs it makes .venv, later ones re-use it.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
WORKERS ?= 4

.DEFAULT_GOAL := help
.PHONY: help demo test lint types contracts unit bench clean

help:  ## Show what there is to make
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-10s %s\n", $$1, $$2}'

$(STAMP): pyproject.toml constraints.txt
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed, this is " + sys.version)'
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	@touch $@

demo: $(STAMP)  ## Run the whole memory cycle on an embedded database, without an API key
	@$(BIN)/python examples/quickstart.py

test: lint types contracts  ## Lint, types, layer contracts and all tests
	@$(BIN)/python tests/neo4j_server.py
	$(BIN)/python -m pytest -n $(WORKERS)

lint: $(STAMP)  ## Style
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(STAMP)
	$(BIN)/pyright

contracts: $(STAMP)
	$(BIN)/lint-imports

unit: $(STAMP)  ## Only the tests that need no database
	$(BIN)/python -m pytest tests/unit -n $(WORKERS)

bench: $(STAMP)  ## Measure, side by side with the peers
	$(BIN)/python benchmarks/updates.py
	$(BIN)/python benchmarks/consolidation.py
	$(BIN)/python benchmarks/conflicts.py
	$(BIN)/python benchmarks/store.py
	$(BIN)/python benchmarks/checkpointer.py
	$(BIN)/python benchmarks/floors.py
	$(BIN)/python benchmarks/graph.py

clean:  ## Remove the virtual environment and caches
	rm -rf $(VENV) .pytest_cache .ruff_cache .hypothesis .import_linter_cache .coverage htmlcov
