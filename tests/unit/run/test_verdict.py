# SPDX-License-Identifier: MIT
"""What a run is told to have ended with, and what it left behind."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import Iterator

import pytest
from ansible.module_utils.survivor_npz.run.supervise import home, run
from ansible.module_utils.survivor_npz.run.supervise.processes import Process, command_of, look_at


@pytest.fixture
def one(tmp_path: Path) -> run.Run:
    (tmp_path / home.HOME / "runs").mkdir(parents=True)
    lock = os.open(tmp_path / "lock", os.O_RDWR | os.O_CREAT)
    return run.Run({"dir": str(tmp_path), "command": ["true"]}, lock)


@pytest.fixture
def left() -> Iterator[set[Process]]:
    with subprocess.Popen(["sleep", "60.5"]) as first, subprocess.Popen(["sleep", "61.5"]) as second:
        while not all(command_of(child.pid).startswith("sleep ") for child in (first, second)):
            pass  # Popen returns before Linux shows the new command line
        yield {(child.pid, (look_at(child.pid) or (0, 0))[1]) for child in (first, second)}
        first.kill()
        second.kill()


def test_a_run_that_was_stopped_ended_well_or_took_days(
    one: run.Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(one, "elapsed", lambda: 3725.9)
    assert one._judge(0, None, {}) == ("ok", "Step 2.5 finished successfully after 1:02:05")
    stopped = {"verdict": "stopped", "message": "Step 2.5 was stopped"}
    assert one._judge(0, stopped, {}) == ("stopped", "Step 2.5 was stopped")
    one.finish(0, stopped, set())


def test_what_a_script_left_running_has_no_number_or_no_name(one: run.Run, left: set[Process]) -> None:
    one.finish(0, None, left)
    assert "; 2 processes are still running that it started" in one.record["message"]
    assert one.record["left_running"] == [{"pid": pid, "command": command_of(pid)} for pid, _ in sorted(left)]
    assert one.record["left_running"][0]["command"].startswith("sleep 6")


def test_one_process_that_a_script_left_is_several(one: run.Run, left: set[Process]) -> None:
    one.finish(0, None, {min(left)})
    assert "; 1 process is still running that it started" in one.record["message"]
