# SPDX-License-Identifier: MIT
"""Disks that are full, read-only, somebody else's, or hang."""

from __future__ import annotations

import os
import time
from typing import Any

import pytest
from hosts import faults
from hosts.image import UID
from realfleet import RealFleet

STAGE = "Copy the goal to every rig"
SECONDS = '{"survivor_npz_task_timeout": 15}'


def refused(fleet: RealFleet, host: str, *args: str, **options: Any) -> str:
    """A run that must stop because of `host`, changing and starting nothing; what its screen ends with."""
    before, starts = fleet.digests, fleet.starts
    run = fleet.run("step25.yml", *args, **options)
    assert run.rc != 0, run.out
    assert fleet.starts == starts
    assert fleet.digests == before
    assert host in run.tail and "NOT started" in run.tail, run.tail
    assert "Traceback" not in run.out
    return run.tail


@pytest.mark.short
def test_disk_full_on_a_rig_before_the_run(fleet: RealFleet) -> None:
    """In the field a full rig was skipped and its job shown as done."""
    faults.fill(fleet.fleet, "rig-6600b")
    tail = refused(fleet, "rig-6600b")
    assert "room" in tail or "space" in tail or "full" in tail, tail


def test_disk_fills_on_a_rig_while_the_copy_arrives(fleet: RealFleet, at: Any) -> None:
    """Preflight saw room; somebody else took it."""
    fleet.new_survivors(20_000)
    refused(fleet, "rig-6600b", at_task=[at(STAGE, "fill", "rig-6600b")])


def test_disk_full_on_zeus(fleet: RealFleet) -> None:
    """No room to convert: the old NPZ stays, everywhere."""
    faults.fill(fleet.fleet, "zeus")
    tail = refused(fleet, "zeus")
    assert "room" in tail or "space" in tail or "full" in tail, tail


def test_disk_fills_on_zeus_during_the_conversion(fleet: RealFleet, at: Any) -> None:
    """Preflight saw room; somebody else took it."""
    fleet.new_survivors(20_000)
    refused(fleet, "zeus", at_task=[at("Convert into a staged file", "fill", "zeus")])


def test_ram_disk_full_on_a_rig(fleet: RealFleet) -> None:
    """A rig whose /dev/shm was 93 % full was skipped, its job shown as done."""
    fleet.warm_ram("rig-6600")
    filler = fleet.ram("rig-6600").parents[2] / "filler"
    with filler.open("wb") as handle:
        os.posix_fallocate(handle.fileno(), 0, os.statvfs(filler.parent).f_bavail * 4096)
    try:
        refused(fleet, "rig-6600")
    finally:
        filler.unlink()


def test_directory_read_only_on_a_rig(fleet: RealFleet) -> None:
    """Mode 0555: readable, so all looks well until something must be written."""
    fleet.dir("rig-6600").chmod(0o555)
    try:
        tail = refused(fleet, "rig-6600")
    finally:
        fleet.dir("rig-6600").chmod(0o755)
    assert "writ" in tail, tail


def test_file_system_turned_read_only_on_a_rig(fleet: RealFleet) -> None:
    """What ext4 does after a disk error."""
    faults.read_only(fleet.fleet, "rig-6600")
    refused(fleet, "rig-6600")


def test_directory_of_another_owner_on_a_rig(fleet: RealFleet) -> None:
    """Made by root once, by hand."""
    os.chown(fleet.dir("rig-6600b"), 0, 0)
    try:
        tail = refused(fleet, "rig-6600b")
    finally:
        os.chown(fleet.dir("rig-6600b"), UID, UID)
    assert "writ" in tail or "owner" in tail, tail


def test_npz_of_another_owner_on_a_rig_is_replaced_whole(fleet: RealFleet) -> None:
    """The directory is ours, the file root's: the rename replaces it, owner and mode come out right."""
    os.chown(fleet.npz("rig-6600b"), 0, 0)
    fleet.assert_healed(fleet.run())
    assert fleet.npz("rig-6600b").stat().st_uid == UID
    assert fleet.npz("rig-6600b").stat().st_mode & 0o777 == 0o644


def test_disk_that_hangs_on_a_rig(fleet: RealFleet, at: Any) -> None:
    """SSH stays alive and no write ever ends: the task's time limit must end the wait."""
    since = time.monotonic()
    refused(fleet, "rig-6600b", "-e", SECONDS, at_task=[at(STAGE, "hang", "rig-6600b")])
    assert time.monotonic() - since < 90


def test_disk_that_hangs_on_a_rig_from_the_start(fleet: RealFleet) -> None:
    """The same, met by the preflight."""
    faults.hang(fleet.fleet, "rig-6600")
    since = time.monotonic()
    refused(fleet, "rig-6600", "-e", SECONDS)
    assert time.monotonic() - since < 90
