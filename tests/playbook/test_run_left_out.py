# SPDX-License-Identifier: MIT
"""Step 2.5 is stopped, followed or hooked only in the operator's mind: such a call must end with an error."""

from __future__ import annotations

import fcntl
import subprocess
from pathlib import Path

import pytest
from launcher import Launcher
from localfleet import LocalFleet

pytest_plugins = ("launch_fixtures",)


@pytest.fixture
def fleet(tmp_path: Path) -> LocalFleet:
    return LocalFleet(tmp_path, rigs=("rig-6600",), count=None)


@pytest.mark.parametrize("playbook", ["stop.yml", "follow.yml", "hook.yml"])
def test_a_limit_without_zeus_passes_for_done(fleet: LocalFleet, playbook: str) -> None:
    run = fleet.run(playbook, "--limit", "rig-6600")
    assert run.rc == 2
    assert (
        "STOPPED in guard: --limit rig-6600 leaves out zeus, the coordinator; run without --limit."
        in run.tail
    )


def test_a_misnamed_group_passes_for_done(fleet: LocalFleet) -> None:
    run = fleet.run("stop.yml", "-e", "survivor_npz_coordinator_group=nope")
    assert run.rc == 2
    assert "The group nope must have exactly one host; it has none. Nothing was done." in run.tail


def test_a_playbook_whose_tasks_are_all_skipped_ends_with_0(fleet: LocalFleet) -> None:
    run = fleet.run("rollback.yml", "--skip-tags", "always")
    assert run.rc == 2
    assert "Nothing was done: nothing of rollback.yml ran on the fleet." in run.tail


def test_an_empty_fleet_is_called_fine(fleet: LocalFleet, tmp_path: Path) -> None:
    other = tmp_path / "my_fleet.json"  # the yaml plugin takes it, and finds no host in it
    other.write_text('{"nodes": []}')
    command = [word.replace(str(fleet.inventory()), str(other)) for word in fleet.command("status.yml")]
    env = fleet.environment()
    done = subprocess.run(command, env=env, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 2
    assert "The group coordinator must have exactly one host; it has none." in done.stdout


def test_a_start_in_the_middle_fails_with_a_riddle(fleet: LocalFleet) -> None:
    run = fleet.run("step25.yml", "--start-at-task", "run | Start Step 2.5 and show its output")
    assert run.rc == 2
    assert "--start-at-task leaves out the guard, without which nothing else runs." in run.tail
    assert fleet.starts == []


@pytest.mark.parametrize("playbook", ["stop.yml", "follow.yml"])
def test_a_lock_that_something_else_holds_passes_for_no_run(zeus: Launcher, playbook: str) -> None:
    path = zeus.place.dir / ".survivor_npz" / "lock"
    path.parent.mkdir(mode=0o700, exist_ok=True)
    with open(path, "w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        rc, text = zeus.play(playbook)
    assert rc == 2
    assert f"fuser -v {path}" in text.rpartition("PLAY RECAP")[2].replace("\n", " ")
    assert "NOT started" not in text
