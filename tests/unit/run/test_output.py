# SPDX-License-Identifier: MIT
"""The script's output on its way to its reader: when it is over, and who holds its pipes after that."""

from __future__ import annotations

import errno
import os
import selectors
import signal
import subprocess
import types
from pathlib import Path
from typing import Any

import pytest
from ansible.module_utils.survivor_npz.run.supervise.output import Output
from launch import until
from module_run import in_fork

OURS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGCHLD)


@pytest.mark.parametrize(
    ("sources", "waiting", "late", "past_limit", "over"),
    [
        (0, 0, False, False, True),
        (1, 0, False, False, False),
        (1, 0, True, False, True),
        (0, 1, False, False, False),
        (0, 1, False, True, True),
        (1, 1, True, False, False),
        (1, 1, False, True, False),
        (1, 1, True, True, True),
    ],
)
def test_a_reader_that_is_slow_loses_the_end(
    sources: int, waiting: int, late: bool, past_limit: bool, over: bool
) -> None:
    run: Any = None
    with selectors.DefaultSelector() as selector:
        output = Output(run, selector, (1, 2))
    output._sources.update(range(sources))
    output._waiting.update(dict.fromkeys(range(waiting), b"x"))
    assert output.over(late, past_limit) is over


def test_what_logs_for_a_daemon_holds_the_callers_pipes(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_text("early\n")

    def hand_over() -> list[Any]:
        child = subprocess.Popen(["sh", "-c", "read until_told; echo late"], stdin=-1, stdout=-1)
        assert child.stdin and child.stdout
        pipe = os.pipe()
        for descriptor in (0, 1, 2):
            os.dup2(pipe[1], descriptor)
        for number in OURS:
            signal.signal(number, lambda *_: None)
        run: Any = types.SimpleNamespace(log=types.SimpleNamespace(path=str(log)))
        output = Output(run, selectors.DefaultSelector(), (1, 2))
        output._sources = {child.stdout.fileno()}
        output.hand_over()
        children = Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()
        (pid,) = set(map(int, children)) - {child.pid}
        until(lambda: os.readlink(f"/proc/{pid}/fd/2") == "/dev/null", "another standard error", 5)
        held = [os.readlink(f"/proc/{pid}/fd/{number}") for number in (0, 1, 2)]
        status = dict(line.split(":\t", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines())
        caught = [number for number in OURS if int(status["SigCgt"], 16) >> (number - 1) & 1]
        session = os.getsid(pid) == pid
        child.stdin.write(b"\n")
        child.stdin.flush()
        os.waitpid(pid, 0)
        return [*held, session, caught]

    signalled, found = in_fork(hand_over)
    assert (signalled, found) == (None, [*["/dev/null"] * 3, True, []])
    assert log.read_text() == "early\nlate\n"


def test_what_is_left_in_a_pipe_is_lost_or_a_pipe_that_is_at_its_end_is_handed_over() -> None:
    kept: list[bytes] = []
    run: Any = types.SimpleNamespace(keep=kept.append)
    ended, written = os.pipe()
    empty, other = os.pipe()
    os.write(written, b"last")
    os.close(written)
    with (
        selectors.DefaultSelector() as selector,
        os.fdopen(ended, "rb", 0) as first,
        os.fdopen(empty, "rb", 0) as second,
    ):
        output = Output(run, selector, ())
        output.carry(first, second)
        output.drain()
    assert (kept, output._sources) == ([b"last"], {empty})
    os.close(other)


@pytest.mark.parametrize("broken", [False, True])
def test_a_pipe_that_is_at_its_end_is_read_again_and_again(
    monkeypatch: pytest.MonkeyPatch, broken: bool
) -> None:
    def fails(_descriptor: int, _size: int) -> bytes:
        raise OSError(errno.EIO, "Input/output error")

    kept: list[bytes] = []
    run: Any = types.SimpleNamespace(keep=kept.append)
    ended, written = os.pipe()
    os.close(written)
    if broken:
        monkeypatch.setattr(os, "read", fails)
    with selectors.DefaultSelector() as selector, os.fdopen(ended, "rb", 0) as pipe:
        output = Output(run, selector, ())
        output.carry(pipe)
        output.move(selectors.SelectorKey(ended, ended, selectors.EVENT_READ, None))
        assert dict(selector.get_map()) == {}
    assert (kept, output._sources) == ([], set())


def test_a_process_is_left_that_has_nothing_to_log(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "fork", None)
    run: Any = None
    with selectors.DefaultSelector() as selector:
        Output(run, selector, (1, 2)).hand_over()
