# SPDX-License-Identifier: MIT
# survivor-npz: `make demo` shows it, `make test` proves it.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
PYTHON ?= python3
VENV := .venv
BIN := $(CURDIR)/$(VENV)/bin
export PATH := $(BIN):$(PATH)
export LC_ALL := C.UTF-8
export ANSIBLE_CONFIG := $(CURDIR)/ansible.cfg
# Passed on to ansible-playbook by `make demo`, to pytest by `make unit`.
ARGS ?=

.PHONY: help
help: ## Show this help
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 16

.PHONY: python-version
python-version:
	@$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info >= (3, 11) else f"$(PYTHON) is {sys.version.split()[0]}, but ansible-core 2.19 needs 3.11 or newer: make PYTHON=python3.11 …")'

# Two stamps in one environment: what operators need, and that plus what developers need.
$(VENV)/runtime: requirements.txt | python-version
	@echo "make: setting up $(VENV) from $<"
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r $<
	@touch $@

$(VENV)/dev: requirements-dev.txt requirements.txt | python-version
	@echo "make: setting up $(VENV) from $<"
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r $<
	@touch $(VENV)/runtime $@

.PHONY: demo
demo: $(VENV)/runtime ## One machine plays Zeus and three rigs (ARGS=--check: a dry run)
	@python demo/set_up.py
	@ansible-playbook -i inventory/demo.ini playbooks/step25.yml $(ARGS)

.PHONY: test
test: lint unit molecule-short ## Everything: lint, unit, module, playbook tests, molecule on real hosts

.PHONY: unit
unit: $(VENV)/dev ## Unit, module and playbook tests (ARGS=… for pytest)
	@pytest -n 3 --dist worksteal $(ARGS)

.PHONY: playbooks
playbooks: $(VENV)/dev ## Every playbook test, those too that are too long for `make test` (ARGS=… for pytest)
	@pytest -n 3 --dist worksteal -m "slow or not slow" --timeout=1800 tests/playbook $(ARGS)

.PHONY: test-versions
test-versions: $(VENV)/dev ## Module and playbook tests with every Python and ansible-core (ARGS=3.13/2.21 for one)
	@python tools/versions.py $(ARGS)

.PHONY: lint
lint: $(VENV)/dev mypy ## ruff, mypy, yamllint, ansible-lint, shellcheck
	@ruff check .
	@ruff format --check --quiet .
	@yamllint --strict .
	@ansible-lint --offline -q
	@python tools/write_reference.py --check
	@git ls-files -z '*.sh' .ci/run | xargs -0 -r shellcheck
	@echo "lint: clean"

# mypy sees our module_utils under the name that Ansible gives it.
.PHONY: mypy
mypy: $(VENV)/dev ## Check the types
	@mkdir -p build/mypy/ansible/module_utils
	@ln -sfn ../../../../module_utils/survivor_npz build/mypy/ansible/module_utils/survivor_npz
	@mypy --no-error-summary -p ansible.module_utils.survivor_npz
	@MYPYPATH=benchmarks:demo:library:tests/support:tools mypy --no-error-summary --scripts-are-modules \
	  $(wildcard library/*.py plugins/*/*.py roles/*/filter_plugins/*.py demo/*.py tools/*.py benchmarks/*.py tests/support/*.py tests/support/*/*.py)
	@MYPYPATH=benchmarks:demo:library:tests/support:tests/unit/switch:tests/unit/look:tests/unit/controller:plugins/callback:plugins/action:tools mypy --no-error-summary \
	  --implicit-reexport $(shell git ls-files 'tests/*.py' | grep -v '^tests/support/')

.PHONY: collection
collection: $(VENV)/dev ## Build the collection survivor.npz as build/survivor-npz-*.tar.gz
	@ansible-galaxy collection build --force --output-path build "$$(python tools/collection.py build/collection)"

$(VENV)/docs: requirements-docs.txt | $(VENV)/dev
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r $<
	@touch $@

.PHONY: sanity
sanity: $(VENV)/docs ## ansible-test sanity and antsibull-docs on the collection (ARGS=… for ansible-test)
	@python tools/sanity.py $(ARGS)

.PHONY: reference
reference: $(VENV)/dev ## Write docs/variables.md and docs/arrays.md from their sources
	@python tools/write_reference.py

.PHONY: bench
bench: $(VENV)/dev ## Speed and memory, as ratios to a plain converter measured in the same run
	@python benchmarks/bench.py $(ARGS)

.PHONY: bench-check
bench-check: $(VENV)/dev ## Compare the converter's ratios with the committed ones (ARGS=--report: no exit code)
	@python benchmarks/check.py $(ARGS)

# The rivals are no part of the environment.
build/peers/stamp: requirements-peers.txt | $(VENV)/dev
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --upgrade --target build/peers -r $<
	@touch $@

.PHONY: bench-peers
bench-peers: $(VENV)/dev build/peers/stamp ## The converter beside DuckDB, polars, msgspec and orjson (ARGS=… for peers.py)
	@python benchmarks/peers.py $(ARGS)

$(VENV)/plot: requirements-plot.txt | $(VENV)/dev
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r $<
	@touch $@

.PHONY: plots
plots: $(VENV)/plot ## Draw what the benchmarks wrote, in build/bench/ and benchmarks/results/
	@python benchmarks/plots.py build/bench benchmarks/results

.PHONY: captures
captures: $(VENV)/runtime ## Draw docs/captures/: what the demo shows on a real terminal
	@python tools/captures.py

.PHONY: torture
torture: $(VENV)/dev ## Every crash point, random kills, mutated inputs, the whole truth table
	@pytest -m "slow or not slow" --timeout=7200 tests/torture $(ARGS)
	@pytest -n 2 -m slow --timeout=600 tests/playbook tests/pages/test_readme.py $(ARGS)

.PHONY: red
red: $(VENV)/dev ## Take each protection of docs/incidents.md out, and see its test fail (part of torture)
	@pytest -m slow --timeout=3600 tests/torture/test_protections.py $(ARGS)

.PHONY: mutants
mutants: $(VENV)/dev ## Change the code in one place at a time; a fast test must fail (ARGS="--sample 50 switching")
	@python tools/mutants.py $(ARGS)

LOCKS := requirements requirements-dev requirements-docs requirements-plot requirements-peers requirements-oldest
.PHONY: lock
lock: $(VENV)/dev ## Write the lock files anew
	@for name in $(LOCKS); do \
	  uv pip compile --quiet --upgrade --universal --python-version 3.11 --generate-hashes -o $$name.txt $$name.in; \
	done

.PHONY: clean
clean: hosts-clean ## Remove every trace: environment, demo, caches, test hosts
	@rm -rf $(VENV) .demo .cache build .pytest_cache .mypy_cache .ruff_cache .hypothesis .ansible
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +

# Real hosts in containers: molecule, molecule-short, hosts-clean.
-include molecule.mk
