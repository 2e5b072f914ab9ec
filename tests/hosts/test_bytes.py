# SPDX-License-Identifier: MIT
"""Bytes that change where nobody looks, and nobody's launch on them."""

from __future__ import annotations

from typing import Any

import pytest
from ansible.module_utils.survivor_npz.controller.fleet.proof import RELOOK
from hosts.seeding import own
from realfleet import RealFleet


@pytest.mark.short
def test_npz_tampered_with_after_the_copy(fleet: RealFleet, tamper: Any) -> None:
    """The switch is over and a rig's NPZ is not what was sent: a later start reads the live bytes again."""
    starts = fleet.starts
    late = int(RELOOK) + 1
    run = fleet.run(at_task=[tamper("Stop unless every host has shown", "rig-6600b", "live", late)])
    assert run.rc != 0
    assert fleet.starts == starts
    assert "rig-6600b" in run.tail and "NOT started" in run.tail
    assert fleet.sha256("rig-6600b") != fleet.sha256(fleet.zeus)


def test_staged_file_tampered_with_before_the_switch(fleet: RealFleet, tamper: Any) -> None:
    """The barrier saw the right bytes; the switch looks again."""
    starts, before = fleet.starts, fleet.digests
    run = fleet.run(at_task=[tamper("Make the staged NPZ live", "rig-6600", "staged")])
    assert run.rc != 0
    assert fleet.starts == starts
    assert fleet.digests == before, "those that had switched went back"
    assert "rig-6600" in run.tail and "NOT started" in run.tail


def test_warm_ram_disks_are_brought_to_the_new_bytes(fleet: RealFleet) -> None:
    """JSON newer, RAM disks warm: 6 of 6 workers read the old NPZ, exit code 0."""
    for host in fleet.names:
        fleet.warm_ram(host)
    fleet.assert_healed(fleet.run())
    assert {fleet.ram_sha256(host) for host in fleet.names} == {fleet.sha256(fleet.zeus)}


def test_unchanged_fleet_changes_nothing(fleet: RealFleet) -> None:
    """Rigs that hold the bytes already get one look each."""
    fleet.assert_healed(fleet.run())
    times = {host: fleet.npz(host).stat().st_mtime_ns for host in fleet.names}
    run = fleet.run()
    fleet.assert_healed(run)
    assert {host: fleet.npz(host).stat().st_mtime_ns for host in fleet.names} == times
    assert all(run.recap[rig].get("changed", 0) == 0 for rig in fleet.rigs)


def test_zero_survivors_touch_no_rig(fleet: RealFleet) -> None:
    """A 2-byte `[]` "passed", and Steps 2 to 6 "succeeded" on nothing."""
    before, starts = fleet.digests, fleet.starts
    fleet.json.write_text("[]")
    own(fleet.json)
    run = fleet.run()
    assert run.rc != 0
    assert fleet.digests == before
    assert fleet.starts == starts
    assert "NOT started" in run.tail
    fleet.new_survivors()
