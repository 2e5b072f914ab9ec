# SPDX-License-Identifier: MIT
"""A controller that dies in the middle of a run, at any moment: the next healthy run repairs everything."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import time
from pathlib import Path
from typing import Callable

import pytest
from localfleet import LocalFleet


def kill_when(fleet: LocalFleet, ready: Callable[[], bool], limit: float = 60) -> None:
    """Start a run and SIGKILL the controller, with all its workers, once `ready`."""
    with subprocess.Popen(
        fleet.command("prepare.yml"),
        cwd=fleet.root,
        env=fleet.environment(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    ) as process:
        end = time.monotonic() + limit
        while not ready() and process.poll() is None and time.monotonic() < end:
            time.sleep(0.01)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)


def healed(fleet: LocalFleet) -> None:
    run = fleet.run("prepare.yml")
    assert (run.rc, fleet.agrees(), fleet.leftovers()) == (0, True, []), run.out
    assert fleet.sha256("zeus") == run.report["convert"]["sha256"]
    assert fleet.run("prepare.yml").changed == []


@pytest.mark.slow  # one of the longest; make torture plays it
def test_a_controller_dies_after_it_staged(tmp_path: Path) -> None:
    fleet = LocalFleet(tmp_path)
    fleet.converge()
    old = {host: fleet.sha256(host) for host in fleet.hosts}
    fleet.write_survivors(200)
    kill_when(fleet, lambda: any(fleet.dir("rig-6600").glob(".*.staged")))
    assert {host: fleet.sha256(host) for host in fleet.hosts} == old or fleet.agrees()
    healed(fleet)


@pytest.mark.slow
@pytest.mark.parametrize("delay", [0.2 * step for step in range(1, 30)])
def test_a_controller_dies_at_any_time(tmp_path: Path, delay: float) -> None:
    fleet = LocalFleet(tmp_path)
    fleet.converge()
    whole = {fleet.sha256("zeus")}
    fleet.write_survivors(200)
    end = time.monotonic() + delay
    kill_when(fleet, lambda: time.monotonic() > end)
    seen = {fleet.sha256(host) for host in fleet.hosts}
    healed(fleet)
    assert seen <= whole | {fleet.sha256("zeus")}, "live is whole: the old one or the new one"
