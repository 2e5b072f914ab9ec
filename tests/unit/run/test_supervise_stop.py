# SPDX-License-Identifier: MIT
"""How the supervisor presses on with a stop: SIGTERM once, SIGKILL in the end, and an end to that too."""

from __future__ import annotations

import selectors
import signal
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from ansible.module_utils.survivor_npz.run.supervise import home, main, processes, supervisor
from ansible.module_utils.survivor_npz.run.supervise.supervisor import Supervisor
from launch import until
from module_run import in_fork

FIRST, LATER = (11, 1), (12, 2)


@pytest.fixture
def stopping(monkeypatch: pytest.MonkeyPatch) -> Any:
    """A supervisor whose family ignores everything; `moment`, `left`, what was `sent`, how often it `looked`."""
    game = SimpleNamespace(moment=100.0, left={FIRST}, sent=[], looked=0)
    one = object.__new__(Supervisor)
    one.run = SimpleNamespace(record={"run": "r"})  # type: ignore[assignment]
    one._code, one._look_at, one._kill_at, one._warned, one._killed = None, 0.0, 105.0, set(), set()

    def family(_run: str, _pid: int) -> set[tuple[int, int]]:
        game.looked += 1
        return set(game.left)

    def send(process: tuple[int, int], number: int) -> bool:
        game.sent.append((process, number))
        return True

    monkeypatch.setattr(supervisor, "family", family)
    monkeypatch.setattr(supervisor, "send", send)
    monkeypatch.setattr(time, "monotonic", lambda: game.moment)
    game.supervisor = one
    return game


def test_a_stop_asks_again_and_again_or_never_kills(stopping: Any) -> None:
    press = stopping.supervisor._press
    assert press() is False and press() is False
    assert stopping.looked == 1, "ten times a second is enough"
    asked = [(FIRST, signal.SIGTERM), (FIRST, signal.SIGCONT)]
    assert stopping.sent == asked
    stopping.moment, stopping.left = 104.9, {FIRST, LATER}
    assert press() is False
    assert stopping.sent[2:] == [(LATER, signal.SIGTERM), (LATER, signal.SIGCONT)]
    stopping.moment = 105.0
    assert press() is False
    assert sorted(stopping.sent[4:]) == [(FIRST, signal.SIGKILL), (LATER, signal.SIGKILL)]
    assert stopping.supervisor._killed == {FIRST, LATER}


def test_a_stop_waits_for_ever_for_what_nothing_can_kill(stopping: Any) -> None:
    for moment, over in ((114.9, False), (115.0, True)):
        stopping.moment = moment
        assert stopping.supervisor._press() is over


def test_a_stop_is_over_before_the_script_is(stopping: Any) -> None:
    stopping.left = set()
    assert stopping.supervisor._press() is False, "its exit code is not known yet"
    stopping.moment, stopping.left, stopping.supervisor._code = 101.0, {LATER}, 0
    assert stopping.supervisor._press() is False, "its child is still there"
    stopping.moment, stopping.left = 102.0, set()
    assert stopping.supervisor._press() is True


def test_a_second_reason_counts_or_a_script_that_has_ended_is_stopped(stopping: Any) -> None:
    one = stopping.supervisor
    one._ended_by, one._job = None, {"grace": 2.5}
    first = {"verdict": "timeout", "message": "It took too long", "code": 124}
    one.stop("timeout", "It took too long", 124)
    assert (one._ended_by, one._kill_at) == (first, 102.5)
    one.stop("stopped", "Step 2.5 was stopped", 143)
    assert one._ended_by == first
    one._ended_by, one._code = None, 0
    one.stop("stopped", "Step 2.5 was stopped", 143)
    assert one._ended_by is None


def test_a_supervisor_that_fails_loses_what_the_script_said_last(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(one: Supervisor) -> int:
        until(lambda: processes.look_at(one._pid) is None, "the end of the script")
        raise ZeroDivisionError

    monkeypatch.setattr(Supervisor, "watch", fails)
    job = {"dir": str(tmp_path), "command": ["echo", "last words"]}
    code = in_fork(lambda: main.supervise(job, (), lambda _told: None))
    assert code == (None, supervisor.EXIT_TROUBLE)
    record = home.read_json(str(Path(home.records(str(tmp_path))[-1], "record.json")))
    assert (record["verdict"], record["tail"]) == ("failed", ["last words"])


def test_a_signal_keeps_the_supervisor_busy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    looks, select = tmp_path / "looks", selectors.PollSelector.select

    def counted(self: selectors.PollSelector, timeout: float | None = None) -> Any:
        with looks.open("ab") as file:
            file.write(b".")
        return select(self, timeout)

    monkeypatch.setattr(selectors.PollSelector, "select", counted)
    job = {"dir": str(tmp_path), "command": ["bash", "-c", "kill -HUP $PPID; sleep 0.3"]}
    assert in_fork(lambda: main.supervise(job, (), lambda _told: None)) == (None, 0)
    assert 1 < looks.stat().st_size < 50
