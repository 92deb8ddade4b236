# The commands of the project; `make` alone lists them. Everything runs in .venv, which `setup` prepares.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
STACK ?= local
BASE ?= origin/main
PYTHON := .venv/bin/python
PYTEST := $(PYTHON) -m pytest --durations=20
# One process more than there are cores, as tests wait too, and four at most; tests of one file stay together
# (the exceptions are in `tests/conftest.py`).
PROCESSES ?= $(shell cores=$$(getconf _NPROCESSORS_ONLN); echo $$((cores < 3 ? cores + 1 : 4)))
PARALLEL = --numprocesses=$(PROCESSES) --dist=loadfile --no-loadscope-reorder

AS_ROOT = $(if $(filter-out 0,$(shell id -u)),sudo --preserve-env=HOME)

# Compiled files are worth keeping: without them each of the hundreds of processes of the tests compiles what it imports.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help setup spark up lint types workflows check env bench bench-serving bench-training docs docs-outputs clean
.PHONY: test test-fast test-new test-tools test-full test-image wiring mutants audit
.PHONY: stack preview deploy retrain drift destroy simulate simulate-full simulation

help: ## list the commands
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /\1\t/' | expand -t 15

setup: ## prepare this machine: Python packages and Pulumi
	@python3 -m tools.prepare

spark: setup ## prepare this machine for engine Spark: Java and SynapseML's jars
	@$(PYTHON) -m tools.setup.spark

up: setup ## prepare this machine, then train and serve the stack (STACK=local)
	@.venv/bin/personalize up --stack $(STACK)

test: test-tools ## run the tests, in about a quarter of an hour
	$(PYTEST) $(PARALLEL) -m "not full and not cluster"

test-fast: setup ## run what needs neither Java nor Pulumi's engine, in about a minute: while you work
	$(PYTEST) $(PARALLEL) -m "not (full or cluster or spark or engine or slow)" tests/*/unit tests/training/kernels tests/scoring/contract

test-new: test-tools ## run the tests that are new or changed since BASE five times, within 20 minutes
	$(PYTHON) -m tools.new_tests --base "$(BASE)" -- $(PARALLEL) -m "not full and not cluster"

test-full: simulation ## run the tests with every count and fault, which takes much longer
	$(PYTEST)

test-image: setup ## build the service's image on its own bases, for each target, and run it: Debian or Ubuntu, as root
	@command -v buildah >/dev/null || $(AS_ROOT) apt-get install --yes --no-install-recommends buildah
	$(AS_ROOT) env PERSONALIZATION_IMAGE_BASES=pulled $(PYTEST) -p no:cacheprovider -m "full" tests/scoring/contract/test_image.py

wiring: setup ## write down what the stacks send to Azure, to see what a change of the program changes there
	@$(PYTHON) -m tools.setup.azure simulation
	@$(PYTHON) -m tests.infra.wiring

mutants: test-tools ## plant small faults, one by one, and see that the tests notice each
	$(PYTHON) -m tests.mutants.run

lint: setup ## check style, formatting, and who imports whom
	$(PYTHON) -m ruff check .
	$(PYTHON) -m ruff format --check .
	.venv/bin/lint-imports

types: setup ## check the types, strictly and with every dependency installed
	@$(PYTHON) -m tools.setup.azure simulation
	$(PYTHON) -m mypy

workflows: setup ## check the workflows of GitHub Actions, with actionlint and zizmor
	$(PYTHON) -m tools.workflows

audit: setup ## look up what is deployed in the list of known vulnerabilities; needs the network and Docker
	@$(PYTHON) -m tools.audit

check: lint types workflows test ## lint, types, workflows and tests

stack: setup ## prepare this machine for STACK
	@[ "$(STACK)" = local ] || $(PYTHON) -m tools.setup.azure

preview: stack ## what `up` would do to STACK, and what the change costs against BASE
	$(PYTHON) -m personalize.delivery preview --stack "$(STACK)" --base "$(BASE)"

deploy: stack ## bring STACK up, unless that deletes data that nobody gave up
	$(PYTHON) -m personalize.delivery deploy --stack "$(STACK)" --commit "$$(git rev-parse HEAD)"

retrain: stack ## train and serve a new model of STACK when there is new data
	$(PYTHON) -m personalize.delivery retrain --stack "$(STACK)"

drift: stack ## compare what is there of STACK with what was deployed
	$(PYTHON) -m personalize.delivery drift --stack "$(STACK)"

destroy: stack ## take STACK down when the variable CONFIRM holds its name
	$(PYTHON) -m personalize.delivery destroy --stack "$(STACK)"

simulate: simulation ## bring stack dev up, change, break and destroy it on a simulated Azure, in about twenty minutes
	$(PYTEST) $(PARALLEL) -m "cluster and not full"
	$(PYTHON) -m tests.simulation.scenarios

simulate-full: simulation ## the same with every call and twenty kills, which takes much longer
	$(PYTHON) -m tests.simulation.scenarios --full

test-tools: spark ## prepare this machine for the tests: models of Azure, its Blob protocol, KQL, Databricks' Python
	@$(PYTHON) -m tools.setup.azure simulation
	@$(PYTHON) -m tools.azurite
	@$(PYTHON) -m tools.kusto
	@$(PYTHON) -m tests.simulation.runtime.environment

simulation: test-tools ## prepare this machine for the simulated Azure: builds a Kubernetes control plane, once
	@$(PYTHON) -m tools.control_plane

env: setup ## print the exports that a plain `pulumi up` needs: eval "$(make env)"
	@$(PYTHON) -m personalize.stack.shell_exports $(STACK)

bench: spark ## measure this machine; results go to benchmarks/results
	$(PYTHON) -m benchmarks

bench-serving: spark ## measure the service against other servers, in about half an hour; needs wrk
	$(PYTHON) -m benchmarks.serving

bench-training: setup ## measure training, stage by stage and beside native LightGBM, in about 25 minutes
	$(PYTHON) -m benchmarks.training

docs-outputs: setup ## type the commands of the documentation and write into it what they print
	$(PYTHON) -m tests.docs

docs: setup ## build the documentation's site into dist/site; a warning is an error
	$(PYTHON) -m personalize.docs.site

clean: ## remove what tools left in the work tree; stacks and caches stay
	rm -rf .import_linter_cache .mypy_cache .ruff_cache .pytest_cache .hypothesis dist
	find . -name __pycache__ -not -path './.venv/*' -not -path './.personalize/*' -prune -exec rm -rf {} +
