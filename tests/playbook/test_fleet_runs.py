# SPDX-License-Identifier: MIT
"""The main job on a whole fleet: the proposal's four tests, healing, and dry runs that keep their word."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import numpy as np
import pytest
from localfleet import LocalFleet, Run


def predicted(fleet: LocalFleet, *args: str) -> tuple[Run, Run]:
    """A dry run that must write nothing, then the real one."""
    before, starts = fleet.tree(), list(fleet.starts)
    dry = fleet.run("prepare.yml", *args, "--diff", check=True)
    assert dry.rc == 0, dry.out
    assert (fleet.tree(), fleet.starts) == (before, starts), "a dry run wrote something"
    real = fleet.run("prepare.yml", *args)
    assert real.rc == 0, real.out
    assert dry.changed == real.changed, f"{dry.out}\n{real.out}"
    return dry, real


@pytest.mark.slow  # test_proposal.py plays it
def test_the_proposal(tmp_path: Path) -> None:
    fleet = LocalFleet(tmp_path)
    run = fleet.run()
    assert (run.rc, run.report["convert"]["reason"], fleet.starts) == (0, "missing", ["7"]), run.out
    assert fleet.agrees()
    run = fleet.run()
    assert (run.rc, run.report["convert"]["reason"], run.changed) == (0, "fresh", ["zeus"]), run.out
    assert run.report["convert"]["converted"] is False
    os.utime(fleet.json)
    run = fleet.run("prepare.yml")
    assert (run.rc, run.report["convert"]["reason"], run.changed) == (0, "newer", ["zeus"]), run.out
    assert {row["action"] for row in run.report["fleet"]} == {"none"}, "the same bytes: no rig changes"
    fleet.json.unlink()
    before = fleet.tree()
    run = fleet.run()
    assert run.rc != 0
    assert "Run Step 1 (window_optimizer.py) first" in run.tail
    assert fleet.tree() == before
    assert len(fleet.starts) == 2


@pytest.mark.slow  # one of the longest; `make playbooks` plays it
def test_a_dry_run_of_a_new_fleet_and_of_a_converged_one(tmp_path: Path) -> None:
    fleet = LocalFleet(tmp_path)
    dry, real = predicted(fleet)
    assert real.changed == ["rig-6600", "rig-6600b", "zeus"]
    assert dry.report["convert"]["sha256"] == fleet.sha256("rig-6600")
    assert "missing" in dry.out, "--check --diff tells why"
    dry, real = predicted(fleet)
    assert real.changed == []
    assert fleet.agrees()
    assert fleet.leftovers() == []
    run = fleet.run("step25.yml", check=True)
    assert (run.rc, fleet.starts, run.report["started"]) == (0, [], False), run.out
    assert "NOT started (dry run)" in run.tail


@pytest.mark.slow  # one of the longest; `make playbooks` plays it
def test_a_dry_run_promised_what_its_tags_leave_out(tmp_path: Path) -> None:
    fleet = LocalFleet(tmp_path)
    fleet.converge()
    fleet.npz("rig-6600").write_bytes(b"stale")
    before = fleet.tree()
    run = fleet.run("step25.yml", "--tags", "run", check=True)
    assert run.rc != 0, run.out
    assert "Not proven on rig-6600" in " ".join(run.tail.split())
    for host, action, proof in (("rig-6600", "did not switch", "no"), ("rig-6600b", "none", "yes")):
        row = next(row for row in run.report["fleet"] if row["host"] == host)
        assert (row["action"], row["proof"]) == (action, proof)
    for dry in (True, False):
        run = fleet.run("step25.yml", "--tags", "convert", check=dry)
        assert (run.rc, run.changed) == (0, []), run.out
    assert fleet.tree() == before


def test_a_dry_run_promised_what_the_host_can_not_take(tmp_path: Path) -> None:
    fleet = LocalFleet(tmp_path)
    fleet.hostvars["rig-6600"] = {"survivor_npz_owner": "nosuchuser", "survivor_npz_group": "nosuchgroup"}
    (fleet.root / "rig-6600b" / "file").write_text("where a directory is asked for")
    extra = str(fleet.root / "rig-6600b" / "file" / "npz" / "copy.npz")
    fleet.hostvars["rig-6600b"] = {"survivor_npz_extra_paths": [extra], "survivor_npz_make_extra_paths": True}
    run = fleet.run(check=True)
    assert run.rc != 0, run.out
    assert "STOPPED in preflight" in run.tail
    faults = run.report["faults"]
    assert "there is no user of that name" in faults["rig-6600"][0]
    assert "there is no group of that name" in faults["rig-6600"][1]
    assert "rig-6600b/file is not a directory" in faults["rig-6600b"][0]


@pytest.mark.slow  # one of the longest; `make playbooks` plays it
def test_a_rig_that_missed_one_run_kept_the_old_file_for_good(tmp_path: Path) -> None:
    fleet = LocalFleet(tmp_path)
    fleet.converge()
    old = fleet.npz("rig-6600b").read_bytes()
    fleet.write_survivors(200)
    assert fleet.run("prepare.yml").rc == 0
    fleet.npz("rig-6600b").write_bytes(old)
    _dry, real = predicted(fleet)
    assert real.changed == ["rig-6600b"]
    assert real.report["convert"]["converted"] is False
    assert fleet.agrees()


@pytest.mark.slow  # 28 s
def test_workers_read_an_old_npz_from_the_ram_disk(tmp_path: Path) -> None:
    fleet = LocalFleet(tmp_path)
    for host in ("zeus", "rig-6600"):
        fleet.ram(host).parent.mkdir(parents=True)
        fleet.ram(host).write_bytes(b"filled before the conversion")
    _dry, real = predicted(fleet)
    for host in ("zeus", "rig-6600"):
        assert fleet.ram(host).read_bytes() == fleet.npz(host).read_bytes()
    assert not fleet.ram("rig-6600b").exists(), "a copy that was nowhere is not made unless asked for"
    fleet.ram("zeus").write_bytes(b"tampered")
    _dry, real = predicted(fleet)
    assert real.changed == ["zeus"]
    _dry, real = predicted(fleet, "-e", "survivor_npz_make_extra_paths=true")
    assert real.changed == ["rig-6600", "rig-6600b", "zeus"], "step3 is nowhere yet"
    assert fleet.ram("rig-6600b").read_bytes() == fleet.npz("zeus").read_bytes()
    assert fleet.leftovers() == []


@pytest.mark.slow  # one of the longest; make torture plays it
def test_a_changed_rig_receives_the_npz_once(tmp_path: Path) -> None:
    fleet = LocalFleet(tmp_path)
    fleet.ram("rig-6600").parent.mkdir(parents=True)
    fleet.ram("rig-6600").write_bytes(b"old")
    run = fleet.run("prepare.yml", extra={"survivor_npz_rig_python": sys.executable})
    sent = run.out.split("Copy the goal to every rig that lacks its bytes]")[1].split("TASK")[0]
    assert sent.count("changed: [rig-6600]") == 1
    assert fleet.ram("rig-6600").read_bytes() == fleet.npz("zeus").read_bytes(), (
        "the RAM disk is filled on the host"
    )
    run = fleet.run("prepare.yml")
    for step in ("Fetch", "Copy", "Stage", "barrier", "Switch"):
        assert f"PLAY [{step}" not in run.out, "an unchanged fleet costs one look"


@pytest.mark.slow  # one of the longest; `make playbooks` plays it
def test_nothing_is_pushed_when_step_1_wrote_no_survivors(tmp_path: Path) -> None:
    fleet = LocalFleet(tmp_path, rigs=("rig-6600",))
    fleet.converge()
    before = {host: fleet.sha256(host) for host in fleet.hosts}
    for content in ("[]", '{"survivor_count": 3, "note": "too many"}', '[{"seed": 1, '):
        fleet.json.write_text(content)
        run = fleet.run()
        assert run.rc != 0, content
        assert fleet.starts == []
        assert {host: fleet.sha256(host) for host in fleet.hosts} == before
        assert fleet.leftovers() == []
        assert "Traceback" not in run.out
        assert "STOPPED in convert: zeus: " in run.tail


@pytest.mark.slow  # one of the longest; make torture plays it
def test_zero_survivors_may_be_allowed(tmp_path: Path) -> None:
    fleet = LocalFleet(tmp_path, rigs=("rig-6600",), count=0)
    run = fleet.run(extra={"survivor_npz_min_survivors": 0})
    assert (run.rc, fleet.starts) == (0, ["7"]), run.out
    assert fleet.agrees()
    assert "WARNING: --sample-size 5,000 needs more than 0 survivors" in run.tail


@pytest.mark.slow  # one of the longest; make torture plays it
def test_two_controllers_interleave(tmp_path: Path) -> None:
    """The second one's NPZ is live before the first one switches: compare-and-swap refuses."""
    fleet = LocalFleet(tmp_path)
    fleet.converge()
    other = tmp_path / "other"
    other.write_text(f"#!/bin/sh\necho of another controller > {fleet.npz('rig-6600b')}\n")
    other.chmod(0o755)
    fleet.write_survivors(200)
    before = fleet.sha256("rig-6600")
    # The rig's own interpreter is asked between staging and the barrier: there the other one strikes.
    fleet.hostvars["rig-6600b"]["survivor_npz_rig_python"] = str(other)
    run = fleet.run()
    assert run.rc != 0, run.out
    assert fleet.starts == []
    assert "STOPPED in switch" in run.tail
    assert "changed since this run looked at it" in run.tail
    assert run.report["fleet"][0]["action"] == "reverted"
    assert fleet.sha256("rig-6600") == before == fleet.sha256("zeus")
    del fleet.hostvars["rig-6600b"]["survivor_npz_rig_python"]
    run = fleet.run("prepare.yml")
    assert (run.rc, fleet.agrees(), fleet.leftovers()) == (0, True, []), run.out


def test_a_world_writable_mode_is_refused(tmp_path: Path) -> None:
    fleet = LocalFleet(tmp_path)
    for mode in ("0666", "u=rw", 420):
        run = fleet.run("prepare.yml", extra={"survivor_npz_mode": mode})
        assert run.rc != 0
        assert "never world-writable" in run.tail


@pytest.mark.slow  # one of the longest; `make playbooks` plays it
def test_rig_jobs_died_since_the_rigs_own_python_could_not_open_the_npz(tmp_path: Path) -> None:
    fleet = LocalFleet(tmp_path)
    python = tmp_path / "python"
    python.write_text("#!/bin/sh\necho 'ModuleNotFoundError: No module named numpy' >&2; exit 1\n")
    python.chmod(0o755)
    fleet.hostvars["rig-6600b"]["survivor_npz_rig_python"] = str(python)
    run = fleet.run()
    assert run.rc != 0
    assert fleet.starts == []
    assert "STOPPED in barrier" in run.tail
    assert "rig-6600b: staging failed: ModuleNotFoundError: No module named numpy" in run.tail
    assert not any(fleet.npz(host).exists() for host in fleet.hosts), "nothing live has changed anywhere"


@pytest.mark.slow  # one of the longest; make torture plays it
def test_never_distributes_what_a_symlink_points_to(tmp_path: Path) -> None:
    fleet = LocalFleet(tmp_path)
    fleet.converge()
    archive = fleet.dir("zeus") / ".s172_accumulator"
    archive.mkdir()
    fleet.npz("zeus").rename(archive / "merged.npz")
    fleet.npz("zeus").symlink_to(archive / "merged.npz")
    with np.load(archive / "merged.npz") as npz:
        arrays = {name: npz[name][:-1] for name in npz.files}
    np.savez(archive / "merged.npz", **arrays)
    fleet.json.write_text('{"survivor_count": 3, "generation_id": "s172"}')
    run = fleet.run("prepare.yml")
    assert run.rc != 0
    assert "survivor_npz_convert" in run.tail
    fleet.json.unlink()
    _dry, real = predicted(fleet, "-e", "survivor_npz_convert=never")
    assert real.changed == ["rig-6600", "rig-6600b"]
    assert fleet.npz("zeus").is_symlink()
    assert fleet.npz("rig-6600").read_bytes() == (archive / "merged.npz").read_bytes()
    assert not fleet.npz("rig-6600").is_symlink()
