# SPDX-License-Identifier: MIT
"""RAM disks: marks that were believed, old copies beside new ones, no room for the NPZ."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from localfleet import LocalFleet

pytest_plugins = ("launch_fixtures",)


def warm(fleet: LocalFleet, host: str, content: bytes = b"filled before the conversion") -> None:
    """Put a copy on a host's RAM disk, as the pipeline's own script does."""
    fleet.ram(host).parent.mkdir(parents=True, exist_ok=True)
    fleet.ram(host).write_bytes(content)


@pytest.mark.slow  # one of the longest; make torture plays it
def test_ready_mark_without_its_files_is_no_proof(tmp_path: Path) -> None:
    fleet = LocalFleet(tmp_path)
    warm(fleet, "rig-6600b")
    for host in fleet.hosts:
        fleet.ram(host).parent.mkdir(parents=True, exist_ok=True)
        (fleet.ram(host).parent / ".ready").touch()
    run = fleet.run("prepare.yml", extra={"survivor_npz_make_extra_paths": True})
    assert run.rc == 0, run.out
    for host in fleet.hosts:
        assert fleet.ram(host).exists(), f"{host}: the mark was believed without its files"
        assert fleet.ram(host).read_bytes() == fleet.npz("zeus").read_bytes(), host


@pytest.mark.slow  # one of the longest; make torture plays it
def test_json_newer_and_every_ram_disk_warm(tmp_path: Path) -> None:
    """Everything converted and pushed, exit code 0, and 6 of 6 workers read the old NPZ."""
    fleet = LocalFleet(tmp_path)
    fleet.converge()
    for host in fleet.hosts:
        warm(fleet, host, fleet.npz(host).read_bytes())
    fleet.write_survivors(200)
    run = fleet.run()
    assert (run.rc, run.report["convert"]["reason"], fleet.starts) == (0, "newer", ["7"]), run.out
    for host in fleet.hosts:
        same = fleet.ram(host).read_bytes() == fleet.npz("zeus").read_bytes()
        assert same, f"{host}: workers read old data"


def test_step_3_read_a_stale_npz_from_its_own_ram_disk(tmp_path: Path) -> None:
    fleet = LocalFleet(tmp_path)
    fleet.converge()
    copy = fleet.ram("rig-6600").parent.with_name("step3") / fleet.npz("rig-6600").name
    copy.parent.mkdir(parents=True)
    copy.write_bytes(b"filled before the conversion")
    run = fleet.run("prepare.yml")
    assert (run.rc, run.changed) == (0, ["rig-6600"]), run.out
    assert copy.read_bytes() == fleet.npz("zeus").read_bytes()


@pytest.mark.slow  # one of the longest; `make playbooks` plays it
def test_a_rebooted_rig_reads_new_data_and_the_others_old(tmp_path: Path) -> None:
    """Disks agree everywhere; a RAM disk that a reboot emptied doesn't matter, one that is old does."""
    fleet = LocalFleet(tmp_path)
    fleet.converge()
    for host in ("zeus", "rig-6600b"):
        warm(fleet, host)
    run = fleet.run("step25.yml", "--tags", "run")
    assert fleet.starts == [], "Step 2.5 was started on two sets of survivors"
    assert run.rc != 0, run.out
    assert run.report["faults"].keys() == {"zeus", "rig-6600b"}
    run = fleet.run()
    assert (run.rc, fleet.starts) == (0, ["7"]), run.out
    for host in ("zeus", "rig-6600b"):
        assert fleet.ram(host).read_bytes() == fleet.npz("zeus").read_bytes(), host
    assert not fleet.ram("rig-6600").exists()


def test_a_rig_whose_ram_disk_is_full_is_skipped_and_shown_as_done(tmp_path: Path, small_disk: Path) -> None:
    fleet = LocalFleet(tmp_path / "fleet")
    fleet.converge()
    fleet.write_survivors(2_000)
    copy = small_disk / "step2" / fleet.npz("rig-6600").name
    fleet.hostvars["rig-6600"]["survivor_npz_extra_paths"] = [str(copy)]
    copy.parent.mkdir()
    copy.write_bytes(b"old")
    with (small_disk / "filler").open("wb") as filler:
        os.posix_fallocate(filler.fileno(), 0, (os.statvfs(small_disk).f_bavail - 1) * 4096)
    before = {host: fleet.sha256(host) for host in fleet.hosts}
    run = fleet.run()
    assert fleet.starts == [], "Step 2.5 was started beside a copy that is old"
    assert run.rc != 0, run.out
    assert {host: fleet.sha256(host) for host in fleet.hosts} == before
    assert f"rig-6600: {copy.parent} has " in run.tail, run.tail
    assert "free, the staged NPZ needs " in run.tail, run.tail
