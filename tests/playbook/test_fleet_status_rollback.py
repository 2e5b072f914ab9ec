# SPDX-License-Identifier: MIT
"""Rigs were stale for twelve days and nobody knew; and there was no way back."""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import pytest
from localfleet import LocalFleet

GONE = {"ansible_connection": "ssh", "ansible_host": "127.0.0.1", "ansible_port": 1}


def test_status_shows_every_copy_while_a_rig_is_down(tmp_path: Path) -> None:
    fleet = LocalFleet(tmp_path)
    fleet.converge()
    fleet.npz("rig-6600").write_bytes(b"twelve days old")
    fleet.ram("zeus").parent.mkdir(parents=True)
    fleet.ram("zeus").write_bytes(b"warm RAM disk")
    fleet.hostvars["rig-6600b"] = dict(GONE)
    before = fleet.tree()
    run = fleet.run("status.yml", "-e", "survivor_npz_fail_on_difference=true")
    assert run.rc == 2, "a monitor reads the exit code"
    assert (
        "STOPPED in status: step25.yml would refuse and not every copy has the coordinator's bytes"
        in run.tail
    )
    assert run.changed == []
    assert fleet.tree() == before
    status = run.report["status"]
    same = {
        (row["host"], os.path.basename(os.path.dirname(row["copy"]))): row.get("same")
        for row in status["copies"]
        if row["copy"]
    }
    assert same[("zeus", "distributed_prng_analysis")] is True
    assert same[("zeus", "step2")] is False
    assert same[("rig-6600", "distributed_prng_analysis")] is False
    assert status["faults"].keys() == {"rig-6600b"}
    assert status["same"] is False
    assert any("refuse: rig-6600b: unreachable" in line for line in status["would"])
    assert "not convert (reason: fresh), 300 survivors" in status["would"]
    assert "NO" in run.tail


@pytest.mark.slow  # one of the longest; make torture plays it
def test_rollback_brings_the_previous_npz_everywhere_and_pins_it(tmp_path: Path) -> None:
    fleet = LocalFleet(tmp_path)
    run = fleet.run("rollback.yml")
    assert run.rc != 0
    assert "nothing to go back to" in " ".join(run.tail.split())
    fleet.converge()
    first = fleet.sha256("zeus")
    fleet.write_survivors(200)
    assert fleet.run("prepare.yml").rc == 0
    second = fleet.sha256("zeus")
    (fleet.dir("rig-6600b") / ".bidirectional_survivors_binary.npz.previous").unlink()
    task = {"import_role": {"name": "survivor_npz", "tasks_from": "rollback"}}
    own = {"hosts": "all", "gather_facts": False, "tasks": [task]}
    (tmp_path / "inventory.own.yml").write_text(json.dumps([own]))
    run = fleet.run(str(tmp_path / "inventory.own.yml"), "--check")
    assert (run.rc, run.changed) == (0, ["rig-6600", "rig-6600b", "zeus"]), run.out
    before = fleet.tree()
    dry = fleet.run("rollback.yml", check=True)
    assert (dry.rc, fleet.tree()) == (0, before), dry.out
    run = fleet.run("rollback.yml")
    assert run.rc == 0, run.out
    assert dry.changed == run.changed == ["rig-6600", "rig-6600b", "zeus"]
    assert {fleet.sha256(host) for host in fleet.hosts} == {first}
    assert (
        "rig-6600b" in run.out.split("Copy the goal to every rig that lacks its bytes]")[1].split("TASK")[0]
    )
    # A rollback after a rollback heals whom it missed, and never goes forward again.
    fleet.npz("rig-6600b").unlink()
    run = fleet.run("rollback.yml")
    assert (run.rc, run.changed) == (0, ["rig-6600b"]), run.out
    assert "already in force, so only rig-6600b, which had missed it, changed" in run.tail
    assert 0 <= run.report["rollback"]["age"] < 86400 * 365 * 20
    assert {fleet.sha256(host) for host in fleet.hosts} == {first}
    run = fleet.run()
    assert (run.rc, run.report["convert"]["reason"], fleet.starts) == (0, "pinned", ["7"]), run.out
    assert fleet.sha256("zeus") == first
    fleet.write_survivors(200, seed=26)
    run = fleet.run("prepare.yml")
    assert (run.rc, run.report["convert"]["reason"]) == (0, "newer"), run.out
    assert first != fleet.sha256("rig-6600b") != second
    assert not [name for name in fleet.tree() if "pinned" in name or ".staged" in name or ".pending" in name]
    assert fleet.run("prepare.yml").changed == []


@pytest.mark.slow  # one of the longest; `make playbooks` plays it
def test_a_rollback_went_back_to_what_the_old_converter_had_made(tmp_path: Path) -> None:
    fleet = LocalFleet(tmp_path)
    fleet.converge()
    proven = fleet.sha256("zeus")
    record = fleet.dir("zeus") / ".survivor_npz" / "proven.json"
    assert json.loads(record.read_text()) == {"npz": [proven]}
    record.unlink()  # as where somebody brought the NPZ to every host by hand
    before = fleet.tree()
    assert fleet.run("prepare.yml", "--check").rc == 0
    assert fleet.tree() == before
    assert fleet.run("prepare.yml").rc == 0
    fleet.write_survivors(200)
    # As Step 1 does: the old converter, in place, right after the JSON.
    with np.load(fleet.npz("zeus")) as npz:
        arrays = {name: npz[name][:200] for name in npz.files}
    with fleet.npz("zeus").open("wb") as file:
        np.savez(file, **arrays)
    sidecar = {
        "version": "3.1.0",
        "source_file": str(fleet.json),
        "survivor_count": 200,
        "input_size_bytes": fleet.json.stat().st_size,
        "output_size_bytes": fleet.npz("zeus").stat().st_size,
        "converted_at": "2099-01-01T00:00:00",
    }
    (fleet.dir("zeus") / "bidirectional_survivors_binary.meta.json").write_text(json.dumps(sidecar))
    run = fleet.run("prepare.yml")
    assert (run.rc, run.report["convert"]["reason"]) == (0, "old_converter"), run.out
    run = fleet.run("rollback.yml")
    assert run.rc == 0, run.out
    assert {fleet.sha256(host) for host in fleet.hosts} == {proven}
    assert run.report["rollback"]["sha256"] == proven
    assert fleet.npz("zeus").stat().st_mtime_ns == fleet.json.stat().st_mtime_ns


@pytest.mark.slow  # one of the longest; `make playbooks` plays it
def test_garbage_was_brought_to_every_rig_and_proved(tmp_path: Path) -> None:
    """As it is with convert: never, and back from .previous: nobody looked into what was passed on."""
    fleet = LocalFleet(tmp_path)
    fleet.converge()
    whole = fleet.npz("zeus").read_bytes()
    previous = fleet.dir("zeus") / ".bidirectional_survivors_binary.npz.previous"
    damaged = bytearray(whole)
    damaged[len(damaged) // 2] ^= 1
    previous.write_bytes(damaged)
    before = fleet.tree()
    run = fleet.run("rollback.yml")
    assert run.rc != 0, run.out
    assert "previous is incomplete or damaged (" in run.tail
    assert fleet.tree() == before
    np.savez_compressed(previous, seeds=np.zeros(0, np.uint32))
    previous.with_name(previous.name + ".npz").replace(previous)
    before = fleet.tree()
    run = fleet.run("rollback.yml")
    assert run.rc != 0, run.out
    assert "0 survivors, at least 1 are needed" in run.tail
    assert fleet.tree() == before
    fleet.npz("zeus").write_bytes(whole[: len(whole) // 2])
    before = fleet.tree()
    run = fleet.run("step25.yml", "-e", "survivor_npz_convert=never")
    assert (run.rc != 0, fleet.starts) == (True, []), run.out
    assert "STOPPED in preflight" in run.tail
    assert "is incomplete or damaged (BadZipFile" in run.tail
    assert fleet.tree() == before


def test_status_of_a_part_of_the_fleet_and_of_a_misnamed_one(tmp_path: Path) -> None:
    fleet = LocalFleet(tmp_path)
    fleet.converge()
    run = fleet.run("status.yml", "--limit", "rig-6600")
    assert run.rc == 0, run.out
    assert "not known for zeus, rig-6600b: not checked (--limit)" in run.tail
    run = fleet.run("status.yml", "-e", "survivor_npz_coordinator_group=nope")
    assert run.rc == 0, run.out
    assert run.report["status"]["would"] == [
        "refuse: The group nope must have exactly one host; it has none."
    ]
    fleet.hostvars["rig-6600b"] = dict(GONE)
    run = fleet.run("status.yml", "-e", "survivor_npz_skip_rigs=rig-6600b")
    assert run.report["status"]["would"] == ["not convert (reason: fresh), 300 survivors"], run.out
    assert run.report["status"]["same"] is True


def test_rollback_refuses_a_partial_fleet(tmp_path: Path) -> None:
    fleet = LocalFleet(tmp_path)
    run = fleet.run("rollback.yml", "--limit", "rig-6600")
    assert run.rc != 0
    assert "--limit rig-6600 leaves out" in run.tail
