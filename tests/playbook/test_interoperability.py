# SPDX-License-Identifier: MIT
"""Ways of calling the playbooks that the operator's site prescribes: each prepares and starts as the plain one."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from localfleet import ROOT, LocalFleet, Run

BIN = Path(sys.executable).parent


def assert_started(fleet: LocalFleet, run: Run) -> None:
    assert run.rc == 0, run.out
    assert fleet.starts == ["7"], run.out
    assert len({fleet.sha256(host) for host in fleet.hosts}) == 1


@pytest.mark.slow  # one of the longest; `make playbooks` plays it
@pytest.mark.parametrize("how", ["free", "become"])
def test_a_site_prescribes_another_strategy_one_fork_or_become(tmp_path: Path, how: str) -> None:
    fleet = LocalFleet(tmp_path / "fleet")
    if how == "become":
        if os.geteuid():
            pytest.skip("su needs no password for root only, so become was not tested")
        assert_started(fleet, fleet.run("step25.yml", "--become", "--become-method", "su"))
        return
    assert_started(fleet, fleet.run("step25.yml", "-f", "1", env={"ANSIBLE_STRATEGY": "free"}))


@pytest.mark.slow  # one of the longest; `make playbooks` plays it
def test_group_vars_beside_a_yaml_inventory_and_a_vault_are_left_out(tmp_path: Path) -> None:
    fleet = LocalFleet(tmp_path / "fleet")
    secret = fleet.root / "inventory-vault-password"
    secret.write_text("of the vault\n")
    vars_file = fleet.root / "group_vars" / "coordinator.yml"
    vars_file.parent.mkdir()
    content = {"survivor_npz_scorer_args": ["11"], "survivor_npz_scorer_environment": {"API_TOKEN": "s3cret"}}
    vars_file.write_text(yaml.safe_dump(content))
    del fleet.vars["survivor_npz_scorer_args"]
    subprocess.run(
        [str(BIN / "ansible-vault"), "encrypt", "--vault-password-file", str(secret), str(vars_file)],
        check=True,
        capture_output=True,
        env=fleet.environment(),
    )
    run = fleet.run("step25.yml", "--vault-password-file", str(secret))
    assert run.rc == 0, run.out
    assert fleet.starts == ["11"]
    assert "API_TOKEN=s3cret" in (fleet.dir("zeus") / "environment.log").read_text()
    assert "s3cret" not in run.out


def test_the_execution_environment_is_refused_by_its_builder(tmp_path: Path) -> None:
    definition = ROOT / "galaxy" / "execution-environment.yml"
    command = [str(BIN / "ansible-builder"), "create", "-f", str(definition), "-c", str(tmp_path / "context")]
    done = subprocess.run(command, check=False, capture_output=True, text=True, cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    # The same versions as the lock's newest.
    wanted = (ROOT / "requirements.in").read_text()
    named = yaml.safe_load(definition.read_text())["dependencies"]
    assert all(text in wanted for text in [named["ansible_core"]["package_pip"], *named["python"]])
