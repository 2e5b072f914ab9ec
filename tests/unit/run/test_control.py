# SPDX-License-Identifier: MIT
"""Stopping and asking from outside of a run: what can't be ended is said, and nothing else is ended."""

from __future__ import annotations

import os
import signal
import socket
from pathlib import Path
from typing import Any

import pytest
from ansible.module_utils.survivor_npz.run import control
from ansible.module_utils.survivor_npz.run.supervise import home, lease
from ansible.module_utils.survivor_npz.run.supervise.processes import Process, look_at

SUPERVISOR, CHILD, LATE = (7, 70), (8, 80), (9, 90)
NOTE: dict[str, Any] = {"run": "r", "supervisor": 7, "supervisor_start": 70, "grace": 0.05}


class Host:
    """Processes that end by the signals that they heed."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, heeds: dict[Process, set[int]]) -> None:
        self.heeds, self.sent = heeds, list[tuple[Process, int]]()
        self.waited: list[float] = []
        monkeypatch.setattr(control, "send", self.send)
        monkeypatch.setattr(control, "family", lambda _run, _root=None: set(self.heeds) - {SUPERVISOR})
        monkeypatch.setattr(control, "_alive", lambda processes: processes & set(self.heeds))
        monkeypatch.setattr(control, "_wait", self.wait)
        monkeypatch.setattr(control, "finished", lambda _directory, run: {"run": run, "verdict": "lost"})

    def send(self, process: Process, number: int) -> bool:
        self.sent.append((process, number))
        if number in self.heeds.get(process, ()):
            del self.heeds[process]
        return True

    def wait(self, processes: set[Process], seconds: float) -> bool:
        self.waited.append(seconds)
        return not processes & set(self.heeds)


BOTH: set[int] = {signal.SIGTERM, signal.SIGKILL}


def noted(monkeypatch: pytest.MonkeyPatch, **changes: Any) -> None:
    monkeypatch.setattr(control, "in_the_way", lambda _directory: {**NOTE, **changes})


def test_a_run_that_ends_itself_is_killed(monkeypatch: pytest.MonkeyPatch) -> None:
    noted(monkeypatch)
    host = Host(monkeypatch, {SUPERVISOR: BOTH})
    assert control.stop("d") == {"run": "r", "verdict": "lost"}
    assert host.sent == [(SUPERVISOR, signal.SIGTERM)]
    assert host.waited == [12.05]
    assert control.stop("d", "another") == {}
    noted(monkeypatch, grace=None)
    Host(monkeypatch, {SUPERVISOR: BOTH})
    assert control.stop("d", "r") == {"run": "r", "verdict": "lost"}


def test_a_stuck_supervisor_or_its_children_go_on(monkeypatch: pytest.MonkeyPatch) -> None:
    noted(monkeypatch)
    host = Host(monkeypatch, {SUPERVISOR: {signal.SIGKILL}, CHILD: {signal.SIGKILL}})
    found = control.stop("d")
    assert (found["verdict"], "had lost its supervisor" in found["message"]) == ("stopped", True)
    assert host.heeds == {}
    assert {process for process, number in host.sent if number == signal.SIGKILL} == {SUPERVISOR, CHILD}
    assert host.waited == [12.05, 0.05, 5.0]


def test_orphans_are_left_or_killed_before_they_could_end(monkeypatch: pytest.MonkeyPatch) -> None:
    noted(monkeypatch, orphans=[8, 9])
    host = Host(monkeypatch, {CHILD: BOTH, LATE: BOTH})
    assert control.stop("d")["verdict"] == "stopped"
    assert sorted(host.sent) == [(CHILD, signal.SIGTERM), (LATE, signal.SIGTERM)]


def test_what_cannot_be_ended_passes_for_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    noted(monkeypatch)
    Host(monkeypatch, {SUPERVISOR: set(), CHILD: set()})
    with pytest.raises(control.RunError, match="pids 7, 8 still run") as refused:
        control.stop("d")
    assert refused.value.note == NOTE


def test_nothing_runs_and_something_is_stopped(tmp_path: Path) -> None:
    assert control.stop(str(tmp_path)) == {}
    assert not (tmp_path / home.HOME).exists()


def test_another_process_with_the_pid_is_waited_for() -> None:
    me = look_at(os.getpid())
    assert me
    mine = (os.getpid(), me[1])
    assert control._alive({mine, (os.getpid(), me[1] + 1)}) == {mine}


def test_a_wait_takes_too_long_or_none(monkeypatch: pytest.MonkeyPatch) -> None:
    moments, slept = iter([0.0, 0.5, 1.0, 1.5]), list[float]()
    monkeypatch.setattr(control.time, "monotonic", lambda: next(moments))
    monkeypatch.setattr(control.time, "sleep", slept.append)
    monkeypatch.setattr(control, "_alive", lambda processes: processes)
    assert control._wait({CHILD}, 1.2) is False
    assert len(slept) == 2
    monkeypatch.setattr(control, "_alive", lambda _processes: set())
    moments = iter([0.0])
    assert control._wait({CHILD}, 1.2) is True


def test_a_lease_is_kept_that_a_running_step_2_5_forbids(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    answer = {"running": True, "message": "Step 2.5 is running", "run": "r"}
    monkeypatch.setattr(control, "query", lambda _directory: dict(answer))
    with pytest.raises(control.RunError, match=r"^Step 2\.5 is running$") as refused:
        control.take_lease(str(tmp_path), "token", "me", 60, seen=0)
    assert refused.value.note == {"running": True, "run": "r"}
    assert lease.read(str(tmp_path))["ended"] is True


def test_a_supervisor_that_hangs_up_is_a_traceback() -> None:
    mine, its = socket.socketpair()
    with mine, its:
        its.shutdown(socket.SHUT_WR)
        assert control._ask(mine, {"dir": "/"}) == {}
