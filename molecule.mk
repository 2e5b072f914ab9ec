# SPDX-License-Identifier: MIT
# Real hosts in containers, included by the Makefile. Root on Debian or Ubuntu; what is missing is
# installed after an announcement (HOSTS_NO_INSTALL=1 forbids it).
TEST_HOSTS := PYTHONPATH=$(CURDIR)/tests/support $(PYTHON) -m hosts
# `make molecule SCENARIOS=default` plays one.
SCENARIOS ?= default remote-zeus fleet faults

# A folder of the run's own, so that parallel runs don't meet; the fleet ends with the run, however that ends.
define molecule_test
run=$$(mktemp -d) && export MOLECULE_EPHEMERAL_DIRECTORY=$$run HOSTS_OWNER=$$$$ && \
trap '$(TEST_HOSTS) down "$$run"; rm -rf "$$run"' EXIT && \
echo "molecule: $(1)" && ANSIBLE_FORCE_COLOR=0 molecule test -s $(1)
endef

# Where the hosts can't be, `setup` says so in one line: no tests then, and an error under CI.
define with_hosts
if $(TEST_HOSTS) setup; then $(1); else test -z "$${CI:-}"; fi
endef

.PHONY: molecule
molecule: $(VENV)/dev ## Every scenario on real hosts in containers (SCENARIOS=… for some)
	@for scenario in $(SCENARIOS); do $(MAKE) --no-print-directory molecule-$$scenario || exit; done

.PHONY: molecule-default molecule-remote-zeus molecule-fleet molecule-faults
molecule-default molecule-remote-zeus molecule-fleet molecule-faults: molecule-%: $(VENV)/dev
	@$(call with_hosts,$(call molecule_test,$*))

.PHONY: molecule-short
molecule-short: $(VENV)/dev ## The scenario `default`, and a handful of the faults
	@$(call with_hosts,( $(call molecule_test,default) ) && pytest -m short tests/hosts)

# Without systemd, as in the scenario `fleet`. More than one fleet and delay: HOSTS="3 26 100" RELAY="0 20".
HOSTS ?= 26
ROUNDS ?= 3
RELAY ?= 0
.PHONY: bench-fleet
bench-fleet: export HOSTS_BACKEND ?= netns
bench-fleet: $(VENV)/dev ## Whole runs on 26 real hosts, as ratios to bare Ansible (HOSTS, ROUNDS, RELAY in ms, ARGS)
	@$(call with_hosts,python benchmarks/fleet.py --hosts $(HOSTS) --rounds $(ROUNDS) --relay $(RELAY) $(ARGS))

.PHONY: bench-large
bench-large: export HOSTS_BACKEND ?= netns
bench-large: $(VENV)/dev ## An NPZ of 120 MB to three real hosts, as ratios to a bare copy (ARGS=… for fleet_large.py)
	@$(call with_hosts,python benchmarks/fleet_large.py $(ARGS))

.PHONY: bench-headline
bench-headline: $(VENV)/dev ## Load time and size, JSON and NPZ, by one worker and by 26
	@python benchmarks/headline.py $(ARGS)

.PHONY: hosts-clean
hosts-clean: ## Remove test hosts, their images and their cache
	@$(TEST_HOSTS) clean

# The oldest numpy and orjson that we support, with their own lock file.
OLDEST := tests/unit/convert $(wildcard tests/unit/npz/test_schema*.py tests/module/test_convert*.py)
.PHONY: test-oldest
test-oldest: .cache/oldest/stamp ## The converter's tests with the oldest supported numpy and orjson
	@.cache/oldest/bin/python -m pytest -p no:cacheprovider -n 2 $(OLDEST) $(ARGS)

.cache/oldest/stamp: requirements-oldest.txt
	@echo "make: setting up .cache/oldest from $<"
	@$(PYTHON) -m venv .cache/oldest
	@.cache/oldest/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r $<
	@touch $@
