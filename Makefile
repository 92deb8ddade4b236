# `make` alone lists the commands. Everything runs in .venv, which `setup` prepares.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
STACK ?= local
DATA ?=
PYTHON := .venv/bin/python
PYTEST := $(PYTHON) -m pytest --durations=20
# More than most machines have cores, because tests also wait. The tests of one file share a process (exceptions are in
# `tests/conftest.py`).
PROCESSES ?= 4
PARALLEL = --numprocesses=$(PROCESSES) --dist=loadfile --no-loadscope-reorder

AS_ROOT = $(if $(filter-out 0,$(shell id -u)),sudo --preserve-env=HOME)

# The names of Chromium on Debian and GitHub's runners, and on Ubuntu, and that of Google Chrome.
BROWSERS := chromium chromium-browser google-chrome

# Keep compiled files: without them each of the hundreds of test processes compiles everything that it imports.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help try setup developers spark up lint types workflows check env bench docs docs-outputs clean
.PHONY: test test-fast test-tools test-full test-image test-image-here wiring audit
.PHONY: bench-serving bench-training bench-recommend bench-scale
.PHONY: stack simulate simulation

help: ## list the commands
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "%-17s%s\n", $$1, $$2}' $(MAKEFILE_LIST)

try: ## say what recommendations from the tables in a folder are worth: make try DATA=FOLDER
	@[ -n "$(DATA)" ] || { echo "error: name the folder with your tables, as in make try DATA=examples/orders" >&2; exit 2; }
	@python3 -m tools.prepare try
	@.venv/bin/personalize try "$(DATA)"

setup: ## prepare this machine: Python packages and the Pulumi CLI
	@python3 -m tools.prepare

developers: setup ## prepare this machine for tests, style and types
	@$(PYTHON) -m tools.setup.developers

spark: setup ## prepare this machine for engine `spark`: PySpark, Java and SynapseML's jars
	@$(PYTHON) -m tools.setup.spark

up: setup ## prepare this machine, then train and serve the stack (STACK=local)
	@.venv/bin/personalize up --stack "$(STACK)"

test: test-tools ## run the tests, in about eight minutes on two cores
	$(PYTEST) $(PARALLEL) -m "not full"

test-fast: developers ## run the tests that need neither Java nor Pulumi's engine, about a minute
	$(PYTEST) $(PARALLEL) -m "not (full or spark or engine or slow)" tests/*/unit tests/training/kernels tests/scoring/contract

test-full: simulation ## run all tests, also those that take minutes each
	$(PYTEST)

test-image: developers ## build each target of the service's image and test it; needs Debian or Ubuntu and root
	@command -v buildah >/dev/null || $(AS_ROOT) apt-get install --yes --no-install-recommends buildah
	$(AS_ROOT) env PERSONALIZATION_IMAGE_BASES=pulled $(PYTEST) -p no:cacheprovider -m "full" -k image tests/scoring/contract

test-image-here: developers ## build the image on a Debian made here, without a registry, and test it; needs Debian and root
	$(AS_ROOT) $(PYTEST) -p no:cacheprovider -m "full" -k lightgbm tests/scoring/contract/test_image.py

wiring: developers ## record what the stacks send to Azure, to review what a change of the program changes
	@$(PYTHON) -m tools.setup.azure
	@$(PYTHON) -m tests.infra.wiring

lint: developers ## check style, formatting and imports between packages
	$(PYTHON) -m ruff check .
	$(PYTHON) -m ruff format --check .
	.venv/bin/lint-imports

types: developers ## check the types with mypy, with every dependency installed
	@$(PYTHON) -m tools.setup.azure
	$(PYTHON) -m mypy

workflows: developers ## check the GitHub Actions workflows with actionlint and zizmor
	$(PYTHON) -m tools.workflows

audit: developers ## look for known vulnerabilities in what is deployed; needs the network
	@$(PYTHON) -m tools.audit

check: lint types workflows test ## lint, types, workflows and tests

stack: setup ## prepare this machine for STACK
	@[ "$(STACK)" = local ] || $(PYTHON) -m tools.setup.azure

simulate: simulation ## create, change, break and destroy stack dev on a simulated Azure, about ten minutes
	$(PYTHON) -m tests.simulation.scenarios

test-tools: spark developers ## prepare this machine for the tests: Azure's SDKs, Azurite, a KQL parser, Databricks' Python and libraries
	@$(PYTHON) -m tools.setup.azure simulation
	@$(PYTHON) -m tools.npm azurite kusto
	@$(PYTHON) -m tools.setup.wheels
	@$(PYTHON) -m tests.simulation.runtime.environment
	@command -v $(BROWSERS) >/dev/null || $(PYTHON) -m playwright install chromium || \
		echo "note: there is no Chromium, so the service's page is not tested; \`apt-get install chromium\` installs it."

simulation: test-tools ## prepare this machine for the simulated Azure: builds a Kubernetes control plane, once
	@$(PYTHON) -m tools.control_plane

env: setup ## print the variables that a plain `pulumi up` needs: eval "$(make env)"
	@$(PYTHON) -m personalize.stack.shell_exports "$(STACK)"

bench: spark developers ## run the benchmarks; results go to benchmarks/results
	$(PYTHON) -m benchmarks

bench-serving: spark developers ## compare the service with other servers, and time recommendations, 40 minutes and 5 GB; needs wrk
	$(PYTHON) -m benchmarks.serving
	$(PYTHON) -m benchmarks.serving.recommending
	$(PYTHON) -m benchmarks.serving.stored_users

bench-training: developers ## time training by stage and beside plain LightGBM, about 45 minutes
	$(PYTHON) -m benchmarks.training

bench-recommend: developers ## measure recommendations on MovieLens-100k, which is downloaded, in ten minutes
	$(PYTHON) -m benchmarks.recommend

bench-scale: developers ## measure recommendations of generated choices, of a million to 20 million, in half an hour; 6 GB of memory
	$(PYTHON) -m benchmarks.scale

docs-outputs: developers ## run the documentation's commands and write their output into the pages
	$(PYTHON) -m tests.docs

docs: setup ## build the documentation's site into dist/site; warnings are errors
	$(PYTHON) -m personalize.docs.site

clean: ## remove what tools left in the work tree; stacks and the caches stay
	rm -rf .import_linter_cache .mypy_cache .ruff_cache .pytest_cache .hypothesis dist
	find . -name __pycache__ -not -path './.venv/*' -not -path './.personalize/*' -prune -exec rm -rf {} +
