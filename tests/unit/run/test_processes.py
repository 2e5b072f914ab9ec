# SPDX-License-Identifier: MIT
"""Signals reach exactly the processes that are meant, and a search finds no others."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from typing import Iterator

import pytest
from ansible.module_utils.survivor_npz.run.supervise import processes
from ansible.module_utils.survivor_npz.run.supervise.clocks import uptime

Child = subprocess.Popen[bytes]
SLEEPS = "import sys, time; print(flush=True); time.sleep(60)"


@pytest.fixture
def child() -> Iterator[Child]:
    with subprocess.Popen(
        [sys.executable, "-c", SLEEPS, "a-word-of-its-own", b"not UTF-8: \xff"],
        stdout=subprocess.PIPE,
        env={processes.MARK: "the-run"},
    ) as found:
        assert found.stdout
        found.stdout.readline()
        yield found
        found.kill()


def of(child: Child) -> tuple[int, int]:
    stat = processes.look_at(child.pid)
    assert stat and stat[0] == os.getpid()
    return child.pid, stat[1]


@pytest.mark.parametrize("has_pidfd", [True, False])
def test_another_process_with_this_pid_is_signalled(
    child: Child, monkeypatch: pytest.MonkeyPatch, has_pidfd: bool
) -> None:
    if not has_pidfd:
        monkeypatch.delattr(os, "pidfd_open")
    before = len(os.listdir("/proc/self/fd"))
    pid, start = of(child)
    assert not processes.send((pid, start + 1), signal.SIGKILL)
    assert child.poll() is None
    assert processes.send((pid, start), signal.SIGTERM)
    assert child.wait(30) == -signal.SIGTERM
    assert not processes.send((pid, start), signal.SIGTERM)
    assert processes.look_at(pid) is None
    assert len(os.listdir("/proc/self/fd")) == before


def test_a_process_that_may_not_be_signalled_is_a_traceback(
    child: Child, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_descriptor: int, _number: int) -> None:
        raise PermissionError(1, "Operation not permitted")

    def fails(_pid: int) -> int:
        raise OSError(38, "Function not implemented")

    monkeypatch.setattr(signal, "pidfd_send_signal", refuse)
    assert not processes.send(of(child), signal.SIGTERM)
    monkeypatch.setattr(os, "pidfd_open", fails)
    assert processes.send(of(child), signal.SIGKILL), "an old kernel"


def test_a_zombie_passes_for_alive(child: Child) -> None:
    child.kill()
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
    assert processes.look_at(child.pid) is None


def test_a_process_of_another_run_is_in_the_family(child: Child) -> None:
    assert processes.family("the-run") == {of(child)}
    assert processes.family("the-ru") == set()
    assert processes.family("another", os.getpid()) == {of(child)}
    assert processes.family("another", child.pid) == set()
    assert os.getpid() not in {pid for pid, _ in processes.family("another", os.getppid())}
    assert processes.MARK == "SURVIVOR_NPZ_RUN", "supervisors of other versions look for it, too"
    assert processes._carries(2**22 + 1, b"") is False


def test_a_search_finds_itself_or_not_what_it_should(child: Child) -> None:
    (found,) = processes.matching("a-word-of-its-own", set())
    assert found["pid"] == child.pid
    assert found["command"].endswith(" a-word-of-its-own not UTF-8: \ufffd")
    assert 0 <= found["age"] < 60
    assert abs(found["age"] - (uptime() - of(child)[1] / os.sysconf("SC_CLK_TCK"))) < 0.5
    assert processes.matching("a-word-of-its-own", {of(child)}) == []
    assert os.getpid() not in {
        one["pid"] for one in processes.matching(processes.command_of(os.getpid()), set())
    }
    assert processes.command_of(2**22 + 1) == ""
    assert processes.command_of(child.pid).endswith("a-word-of-its-own not UTF-8: \ufffd")
    assert processes.command_of(child.pid, 3) == processes.command_of(child.pid)[:3]
    assert processes.plain("a\tb\x1b[0m\n", 6) == "a?b?[0"


def test_who_started_the_search_is_found(child: Child, monkeypatch: pytest.MonkeyPatch) -> None:
    parents = {os.getpid(): (child.pid, 1), child.pid: (0, 2)}
    monkeypatch.setattr(processes, "look_at", parents.get)
    assert processes.matching("a-word-of-its-own", set()) == []


def test_what_is_found_is_in_no_order_or_of_another_age(
    child: Child, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = uptime()
    monkeypatch.setattr(processes, "uptime", lambda: now + 1000)
    command = ["sh", "-c", "echo; read x; :", "a-word-of-its-own"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        assert other.stdout
        other.stdout.readline()  # Popen returns before Linux shows the new command line
        found = processes.matching("a-word-of-its-own", set())
        other.kill()
    assert [one["pid"] for one in found] == sorted([child.pid, other.pid])
    assert all(1000 <= one["age"] < 1060 for one in found)


def test_a_grandchild_is_missed() -> None:
    text = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {SLEEPS!r}])"
    with subprocess.Popen([sys.executable, "-c", text], stdout=subprocess.PIPE) as parent:
        assert parent.stdout
        parent.stdout.readline()
        found = processes.family("none", os.getpid())
        assert len(found) == 2 and parent.pid in {pid for pid, _ in found}
        for one in found:
            processes.send(one, signal.SIGKILL)


def test_a_process_that_ended_meanwhile_is_found_or_one_is_younger_than_nothing(
    child: Child, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(processes, "uptime", lambda: 0.0)
    monkeypatch.setattr(processes, "command_of", lambda pid, _limit: "y" * 1000 if pid == child.pid else "")
    (found,) = processes.matching("y", set())
    assert (found["age"], found["command"]) == (0.0, "y" * 300)
    monkeypatch.setattr(processes, "look_at", lambda _pid: None)
    assert processes.matching("y", set()) == []
