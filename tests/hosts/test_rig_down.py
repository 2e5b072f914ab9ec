# SPDX-License-Identifier: MIT
"""Rigs that are gone: before the run, in the middle of it, and back again."""

from __future__ import annotations

import subprocess
from typing import Any

import pytest
from hosts import faults
from realfleet import RealFleet

STAGE = "Copy the goal to every rig"
BARRIER = "Stop unless every host holds the goal"
SWITCH = "Make the staged NPZ live"


@pytest.mark.short
def test_rig_down_before_the_run(fleet: RealFleet) -> None:
    """In the field, Step 2.5 ran with a rig missing, or two hours were wasted before anybody saw it."""
    before, starts = fleet.digests, fleet.starts
    faults.kill(fleet.fleet, "rig-6600b")
    run = fleet.run()
    assert run.rc != 0
    assert "rig-6600b" in run.tail and "NOT started" in run.tail
    assert fleet.digests == before, "nothing live may change"
    assert fleet.starts == starts


def test_rig_killed_between_the_phases(fleet: RealFleet, at: Any) -> None:
    """It has staged and shown the bytes, then it dies: the others may not stay switched unnamed."""
    before, starts = fleet.digests, fleet.starts
    run = fleet.run(at_task=[at(SWITCH, "kill", "rig-6600b")])
    assert run.rc != 0
    assert fleet.starts == starts
    assert fleet.digests == before, "those that had switched go back"
    assert "rig-6600b" in run.tail and "NOT started" in run.tail


def test_rig_killed_before_the_barrier(fleet: RealFleet, at: Any) -> None:
    """It dies after its staged file was seen, before anybody switches."""
    starts = fleet.starts
    run = fleet.run(at_task=[at(BARRIER, "kill", "rig-6600")])
    assert run.rc != 0
    assert fleet.starts == starts
    assert "rig-6600" in run.tail and "NOT started" in run.tail
    assert_named_or_same(fleet, run.tail)


def test_rig_killed_during_stage(fleet: RealFleet, at: Any) -> None:
    """The copy is under way, held by a disk that hangs, when the rig goes down."""
    before, starts = fleet.digests, fleet.starts
    process = fleet.start(at_task=[at(STAGE, "hang", "rig-6600b")])
    fleet.wait_for_task(STAGE, 5)
    faults.kill(fleet.fleet, "rig-6600b")
    run = fleet.finish(process)
    assert run.rc != 0
    assert fleet.digests == before
    assert fleet.starts == starts
    assert "rig-6600b" in run.tail and "NOT started" in run.tail


def test_rig_killed_during_activate(fleet: RealFleet, at: Any) -> None:
    """The switch is under way, held by a disk that hangs, when the rig goes down."""
    starts = fleet.starts
    process = fleet.start(at_task=[at(SWITCH, "hang", "rig-6600b")])
    fleet.wait_for_task(SWITCH, 3)
    faults.kill(fleet.fleet, "rig-6600b")
    run = fleet.finish(process)
    assert run.rc != 0
    assert fleet.starts == starts
    assert "rig-6600b" in run.tail and "NOT started" in run.tail
    assert_named_or_same(fleet, run.tail)


def test_rig_rebooted_ram_disk_gone(fleet: RealFleet) -> None:
    """After one rig's reboot its workers read new data and the others old: all copies that exist are live."""
    for host in fleet.names:
        fleet.warm_ram(host)
    fleet.assert_healed(fleet.run())
    assert {fleet.ram_sha256(host) for host in fleet.names} == {fleet.sha256(fleet.zeus)}
    faults.reboot(fleet.fleet, "rig-6600")
    assert fleet.ram_sha256("rig-6600") is None, "a reboot empties the RAM disk"
    fleet.new_survivors()
    fleet.assert_healed(fleet.run())
    digest = fleet.sha256(fleet.zeus)
    expected = dict.fromkeys(fleet.names, digest) | {"rig-6600": None}
    assert {host: fleet.ram_sha256(host) for host in fleet.names} == expected


def test_rig_missed_a_run_and_comes_back(fleet: RealFleet) -> None:
    """On the next run the NPZ was "up to date", distribution was skipped, and the rig stayed old for good."""
    old = fleet.sha256("rig-6600b")
    faults.kill(fleet.fleet, "rig-6600b")
    skipped = fleet.run("step25.yml", "-e", '{"survivor_npz_skip_rigs": ["rig-6600b"]}')
    assert skipped.rc == 0, skipped.out
    assert "rig-6600b" in skipped.tail, "a rig that is left out is named each time"
    assert fleet.sha256("rig-6600b") == old != fleet.sha256(fleet.zeus)
    faults.start(fleet.fleet, "rig-6600b")
    run = fleet.run()
    fleet.assert_healed(run)
    assert run.recap["rig-6600"].get("changed", 0) == 0, "only the rig that missed it changes"
    assert run.recap["rig-6600b"]["changed"] > 0


def test_a_rig_was_cut_off_during_a_run_and_the_screen_only_said_that_the_pid_is_running(
    fleet: RealFleet,
) -> None:
    """For an hour nobody knew. Each change is told once, and the run goes on."""
    script = fleet.dir(fleet.zeus) / "run_scorer_meta_optimizer.sh"
    before = script.read_text()
    script.write_text(before + "until [ -e go-on ]; do sleep 1; done\nrm go-on\n")
    process = fleet.start("step25.yml", "-e", "survivor_npz_sign_of_life=5")
    try:
        lines = read_until(process, "Step 2.5 started on")
        faults.cut(fleet.fleet, "rig-6600")
        lines += read_until(process, "rig-6600 has stopped answering")
        faults.heal(fleet.fleet, "rig-6600")
        lines += read_until(process, "rig-6600 answers again")
    finally:
        (fleet.dir(fleet.zeus) / "go-on").touch()
        run = fleet.finish(process)
        script.write_text(before)
    assert run.rc == 0, [*lines, run.out]
    assert sum("stopped answering" in line for line in [*lines, *run.out.splitlines()]) == 1


def read_until(process: subprocess.Popen[str], text: str) -> list[str]:
    """Read the lines of a run until one contains `text`; pytest's time limit ends a wait in vain."""
    assert process.stdout
    lines: list[str] = []
    while not lines or text not in lines[-1]:
        line = process.stdout.readline()
        assert line, f"the run ended before {text!r}: {lines}"
        lines.append(line)
    return lines


def assert_named_or_same(fleet: RealFleet, tail: str) -> None:
    """The fleet is not mixed, or each host whose bytes differ from Zeus's is named."""
    zeus = fleet.sha256(fleet.zeus)
    for rig in fleet.rigs:
        assert fleet.sha256(rig) == zeus or rig in tail, tail
