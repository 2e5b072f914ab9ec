# SPDX-License-Identifier: MIT
"""After a partial copy some rigs had the new NPZ and others the old, and nothing could go back."""

from __future__ import annotations

from pathlib import Path
from typing import Dict

import pytest
from breakable import SWITCH, WAY_BACK, BreakableFleet
from localfleet import Run


def named(run: Run) -> Dict[str, str]:
    return {row["host"]: row["proof"] for row in run.report["fleet"]}


def start(tmp_path: Path) -> BreakableFleet:
    fleet = BreakableFleet(tmp_path / "fleet", rigs=("rig-6600", "rig-6600b"))
    fleet.converge()
    fleet.write_survivors(200)
    fleet.vars["survivor_npz_task_timeout"] = 5  # a lease lasts for three of them
    return fleet


@pytest.mark.slow  # one of the longest; `make playbooks` plays it
def test_a_rig_vanishes_in_the_switch_and_those_switched_go_back(tmp_path: Path) -> None:
    fleet = start(tmp_path)
    old = fleet.sha256("zeus")
    fleet.fault("rig-6600b", "unreachable", SWITCH)
    run = fleet.run()
    assert run.rc != 0
    assert fleet.starts == []
    assert {fleet.sha256(host) for host in fleet.hosts} == {old}
    assert named(run) == {"rig-6600": "old", "rig-6600b": "old", "zeus": "old"}
    assert "STOPPED in switch" in run.tail
    fleet.heal()
    run = fleet.run()
    assert (run.rc, fleet.starts) == (2, []), "the rig that gave no answer may still switch"
    assert "has been switching the fleet since" in run.tail
    fleet.wait_for_lease()
    run = fleet.run()
    assert (run.rc, fleet.starts) == (0, ["7"]), run.out
    assert run.report["convert"]["converted"] is False, "what the dead run staged is taken up"
    assert {fleet.sha256(host) for host in fleet.hosts} == {run.report["convert"]["sha256"]}


@pytest.mark.slow  # 71 s
def test_a_rename_that_lands_after_the_answer_was_lost(tmp_path: Path) -> None:
    fleet = start(tmp_path)
    old = fleet.sha256("zeus")
    fleet.fault("rig-6600b", "lost", SWITCH)
    run = fleet.run()
    assert (run.rc != 0, {fleet.sha256(host) for host in fleet.hosts}) == (True, {old}), run.out
    fleet.fault("rig-6600b", "unreachable", WAY_BACK)
    fleet.wait_for_lease()
    run = fleet.run()
    assert run.rc != 0
    assert fleet.starts == []
    assert named(run) == {"rig-6600": "old", "rig-6600b": "new", "zeus": "old"}, "mixed, and named"
    fleet.heal()
    fleet.wait_for_lease()
    run = fleet.run()
    assert (run.rc, fleet.starts) == (0, ["7"]), run.out
    assert not [
        name for name in fleet.tree() if ".staged" in name or ".outgoing" in name or ".pending" in name
    ]
    assert fleet.run("prepare.yml").changed == []


@pytest.mark.slow  # one of the longest; make torture plays it
def test_a_host_that_stays_away_is_named_unknown(tmp_path: Path) -> None:
    fleet = start(tmp_path)
    fleet.fault("rig-6600b", "gone", SWITCH)
    run = fleet.run()
    assert run.rc != 0
    assert named(run) == {"rig-6600": "old", "rig-6600b": "unknown", "zeus": "old"}
    assert "rig-6600b unknown" in run.tail


@pytest.mark.slow  # 48 s
def test_the_playbook_runs_on_a_laptop(tmp_path: Path) -> None:
    """Zeus too is only reached through ssh; the NPZ leaves nothing on the controller."""
    fleet = BreakableFleet(tmp_path / "fleet", rigs=("rig-6600",))
    fleet.hostvars["zeus"] = {**fleet.hostvars["rig-6600"], "ansible_host": "zeus"}
    fleet.vars["survivor_npz_task_timeout"] = 10
    fleet.ram("rig-6600").parent.mkdir(parents=True)
    fleet.ram("rig-6600").write_bytes(b"old")
    run = fleet.run()
    assert (run.rc, fleet.starts) == (0, ["7"]), run.out
    assert fleet.sha256("rig-6600") == fleet.sha256("zeus") == run.report["convert"]["sha256"]
    assert fleet.ram("rig-6600").read_bytes() == fleet.npz("zeus").read_bytes()
    assert not list((fleet.root / "inventory.tmp").rglob("*.npz"))
    fleet.write_survivors(200)
    fleet.fault("zeus", "unreachable", SWITCH)
    old = fleet.sha256("zeus")
    run = fleet.run()
    assert run.rc != 0
    assert {fleet.sha256(host) for host in fleet.hosts} == {old}, (
        "the rig went back when Zeus could not follow"
    )
    assert named(run) == {"rig-6600": "old", "zeus": "old"}
    fleet.heal()
    fleet.wait_for_lease()
    fleet.fault("zeus", "unreachable", '"now": ')
    run = fleet.run()
    assert run.rc != 0
    assert "zeus: unreachable" in run.tail
    assert len(fleet.starts) == 1


def test_a_tag_that_no_condition_thought_of(tmp_path: Path) -> None:
    fleet = BreakableFleet(tmp_path / "fleet", rigs=("rig-6600",))
    fleet.converge()
    fleet.write_survivors(200)
    run = fleet.run("step25.yml", "--tags", "tagged", "--skip-tags", "convert")
    assert run.rc != 0, run.out
    assert fleet.starts == []
