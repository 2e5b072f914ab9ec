# SPDX-License-Identifier: MIT
"""ansible-core's own traps: in each, Step 2.5 isn't started, the exit code isn't 0, and the end says why."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from breakable import BreakableFleet
from localfleet import ROOT, LocalFleet, Run

GONE = {"ansible_connection": "ssh", "ansible_host": "127.0.0.1", "ansible_port": 1}


def refused(fleet: LocalFleet, run: Run, *said: str) -> None:
    assert run.rc != 0, run.out
    assert fleet.starts == [], run.out
    # Of a Step 2.5 that runs, nobody says that.
    assert ("Step 2.5 was NOT started" in run.tail) == (not run.report.get("running")), run.out
    for text in said:
        assert text in run.tail, run.out
    assert "Traceback" not in run.out


def test_step25_ran_with_a_rig_missing(tmp_path: Path) -> None:
    fleet = LocalFleet(tmp_path)
    fleet.hostvars["rig-6600b"] = dict(GONE)
    before = fleet.tree()
    run = fleet.run()
    refused(fleet, run, "STOPPED in preflight", "rig-6600b: unreachable", "survivor_npz_skip_rigs")
    assert run.report["faults"].keys() == {"rig-6600b"}
    assert fleet.tree() == before, "nothing may be touched before all hosts have answered"


def test_all_faults_of_all_hosts_come_at_once(tmp_path: Path) -> None:
    fleet = LocalFleet(tmp_path, rigs=("rig-6600", "rig-6600b", "rig-6600c", "rig-6600d", "rig-6600e"))
    fleet.hostvars["rig-6600"] = dict(GONE)
    fleet.dir("rig-6600b").rmdir()
    fleet.npz("rig-6600c").symlink_to("/dev/null")
    fleet.hostvars["rig-6600d"] = {"survivor_npz_pipeline_dir": str(fleet.dir("rig-6600c"))}
    fleet.hostvars["rig-6600e"] = {"ansible_python_interpreter": "/nonexistent/python3"}
    (fleet.dir("zeus") / "train_history.json").unlink()
    (fleet.dir("zeus") / "run_scorer_meta_optimizer.sh").chmod(0o644)
    run = fleet.run()
    refused(
        fleet,
        run,
        "rig-6600: unreachable",
        "Is survivor_npz_pipeline_dir right? If so, create it",
        "is a symlink to /dev/null",
        "two inventory names for one file",
        "train_history.json is missing",
        "/nonexistent/python3",
    )
    assert run.report["faults"].keys() == {"zeus", *fleet.rigs}


@pytest.mark.parametrize("limit", ["zeus", "rig-6600", "rigs", "localhost"])
def test_limit_makes_the_fleet_partial_with_exit_code_zero(tmp_path: Path, limit: str) -> None:
    fleet = LocalFleet(tmp_path)
    before = fleet.tree()
    run = fleet.run("step25.yml", "--limit", limit)
    assert run.rc != 0, run.out
    assert fleet.starts == []
    assert fleet.tree() == before
    if limit != "localhost":  # ansible-core itself stops there: no host is left to target.
        refused(fleet, run, f"--limit {limit} leaves out")


def test_an_empty_rigs_group_starts_the_launch(tmp_path: Path) -> None:
    fleet = LocalFleet(tmp_path, rigs=())
    refused(fleet, fleet.run(), "group rigs has no host")


@pytest.mark.slow  # one of the longest; make torture plays it
def test_a_tag_leaves_out_conversion_and_distribution(tmp_path: Path) -> None:
    fleet = LocalFleet(tmp_path)
    refused(fleet, fleet.run("step25.yml", "--tags", "run"), "A conversion is due (reason: missing)")
    assert fleet.run("prepare.yml").rc == 0
    fleet.npz("rig-6600").write_bytes(b"tampered with after the copy")
    run = fleet.run("step25.yml", "--tags", "run")
    refused(fleet, run, "STOPPED in prove", "rig-6600:", "rig-6600 ")
    assert run.report["faults"].keys() == {"rig-6600"}
    run = fleet.run("step25.yml", "--skip-tags", "always")
    refused(fleet, run, "--skip-tags always leaves out the guard")


@pytest.mark.slow  # one of the longest; `make playbooks` plays it
def test_text_from_the_command_line_counts_as_true_and_opens_gates(tmp_path: Path) -> None:
    fleet = LocalFleet(tmp_path)
    fleet.converge()
    run = fleet.run("prepare.yml", "-e", "survivor_npz_make_extra_paths=false survivor_npz_force=false")
    assert (run.rc, run.changed) == (0, []), run.out
    fleet.npz("rig-6600").write_bytes(b"tampered with")
    run = fleet.run("step25.yml", "--tags", "run", extra={"__survivor_npz_gate": True})
    refused(fleet, run, "__survivor_npz_gate was given from outside")
    refused(fleet, fleet.run("step25.yml", "-e", "survivor_npz_scorer_args=9,10"), "must be a list")


@pytest.mark.slow  # one of the longest; `make playbooks` plays it
def test_step_2_5_started_while_we_staged(tmp_path: Path) -> None:
    fleet = LocalFleet(tmp_path, rigs=("rig-6600",))
    fleet.converge()
    fleet.write_survivors(200)
    old = fleet.sha256("zeus")
    # The rig's own interpreter is asked between staging and the barrier: there somebody starts a run.
    supervise = ROOT / "module_utils" / "survivor_npz" / "run" / "supervise"
    starts = tmp_path / "starts"
    starts.write_text(
        f"#!/bin/sh\ncd {fleet.dir('zeus')}\n"
        f"{sys.executable} -I {supervise} --foreground -- sleep 60 >/dev/null 2>&1 &\n"
        "until ls .survivor_npz/runs/*/record.json; do sleep 0.1; done\n"
    )
    starts.chmod(0o755)
    fleet.hostvars["rig-6600"]["survivor_npz_rig_python"] = str(starts)
    run = fleet.run()
    assert fleet.run("stop.yml").rc == 0
    refused(fleet, run, "STOPPED in barrier", "zeus: Step 2.5 is running already")
    assert run.report["running"] is True
    assert {fleet.sha256(host) for host in fleet.hosts} == {old}


def test_a_hung_disk_keeps_ssh_alive(tmp_path: Path) -> None:
    fleet = BreakableFleet(tmp_path / "fleet")
    fleet.fault("rig-6600", "hang", '"now": ')
    run = fleet.run(extra={"survivor_npz_task_timeout": 5})
    refused(fleet, run, "rig-6600: no answer in time")


@pytest.mark.slow  # one of the longest; make torture plays it
def test_a_misspelt_rig_is_left_out_silently(tmp_path: Path) -> None:
    fleet = LocalFleet(tmp_path)
    fleet.hostvars["rig-6600b"] = dict(GONE)
    refused(
        fleet,
        fleet.run(extra={"survivor_npz_skip_rigs": ["rig-660b"]}),
        "survivor_npz_skip_rigs names rig-660b",
    )
    run = fleet.run("step25.yml", "-e", "survivor_npz_skip_rigs=rig-6600b")
    assert (run.rc, fleet.starts) == (0, ["7"]), run.out
    assert "Left out by name: rig-6600b" in run.tail
    assert run.report["skipped"] == ["rig-6600b"]
