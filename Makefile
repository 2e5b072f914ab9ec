# survivor-npz: `make demo` shows it, `make test` proves it.
SHELL := /bin/bash
.DEFAULT_GOAL := help
PYTHON ?= python3
VENV := .venv
BIN := $(CURDIR)/$(VENV)/bin
export PATH := $(BIN):$(PATH)
export LC_ALL := C.UTF-8
export ANSIBLE_CONFIG := $(CURDIR)/ansible.cfg
ARGS ?=

.PHONY: help
help: ## Show this help
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 12

$(VENV)/runtime: requirements.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.txt
	@touch $@

$(VENV)/dev: requirements-dev.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-dev.txt
	@touch $@ $(VENV)/runtime

# mypy sees our module_utils under the name that Ansible gives it.
.PHONY: mypy
mypy: $(VENV)/dev ## Check the types
	@mkdir -p build/mypy/ansible/module_utils
	@ln -sfn ../../../../module_utils/survivor_npz build/mypy/ansible/module_utils/survivor_npz
	mypy -p ansible.module_utils.survivor_npz
	MYPYPATH=demo mypy --scripts-are-modules $(wildcard library/*.py plugins/*/*.py demo/*.py)
