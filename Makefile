# Every target does its own set-up and is safe to run again.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.NOTPARALLEL:

PYTHON ?= python3
export PATH := $(CURDIR)/.venv/bin:$(PATH)
# What the person has configured for other projects must not change what is tested here.
unexport ANSIBLE_CONFIG ANSIBLE_INVENTORY ANSIBLE_COLLECTIONS_PATH WATCHBILL_FILE WATCHBILL_LAB PYTHONPATH VIRTUAL_ENV

.PHONY: help
help: ## show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: setup
setup: ## system packages and .venv (PYTHON=/path chooses the interpreter)
	@scripts/setup $(PYTHON)

.PHONY: demo
demo: setup ## two machines, a fleet on them, drift and its repair
	@scripts/demo

.PHONY: test
# Files of tests go to two workers, each with machines of its own: the tests of machines wait more than they compute.
WORKERS ?= 2
IN_PARALLEL = -n $(WORKERS) --dist loadfile --no-loadscope-reorder
test: lint ## lint, then unit, golden, fuzz (short), packaging, runtimes (short), molecule and lab tests
	python -m pytest $(IN_PARALLEL) --durations=20 tests/unit tests/golden tests/fuzz tests/packaging tests/runtimes tests/molecule tests/lab

.PHONY: unit golden packaging lab molecule
unit: setup ## tests of single functions
	python -m pytest tests/unit
golden: setup ## planner and compiler against stored cases
	python -m pytest tests/golden
packaging: setup ## wheel, source distribution and collection, each installed in an empty directory
	python -m pytest tests/packaging
lab: setup ## tests on real machines (needs root)
	python -m pytest --durations=10 tests/lab
molecule: setup ## molecule scenarios on the lab (needs root)
	python -m pytest tests/molecule

.PHONY: test-runtimes
test-runtimes: setup ## the long form of what `make test` holds of the real runtimes (needs root)
	python -m pytest --long --durations=10 tests/runtimes

.PHONY: fuzz
fuzz: setup ## whatever others may write, for FUZZ_SECONDS=120 a reader
	@scripts/fuzz

.PHONY: lint
lint: setup ## every static check
	@scripts/lint

.PHONY: bench
bench: setup ## speed and size against ping, task loops and pyinfra (needs root)
	@python -m bench

.PHONY: lock
lock: setup ## resolve the dependencies anew (LOCK=--upgrade for newer versions)
	scripts/lock $(LOCK)

.PHONY: clean
clean: ## stop the labs and remove what make has made here
	@scripts/clean
