# SPDX-License-Identifier: MIT
"""Forked workers: whatever ends one, the answers are right or the failure is named, and nothing is left."""

from __future__ import annotations

import os
import select
import signal
import time
from typing import Any, Iterator

import pytest
from ansible.module_utils.survivor_npz.common.errors import ConvertError
from ansible.module_utils.survivor_npz.convert import workers
from ansible.module_utils.survivor_npz.convert.workers import apart, run_tasks, started


def children() -> list[str]:
    with open(f"/proc/{os.getpid()}/task/{os.getpid()}/children") as file:
        return file.read().split()


@pytest.fixture(autouse=True)
def nothing_is_left() -> Iterator[None]:
    before = len(os.listdir("/proc/self/fd")), children()
    yield
    assert (len(os.listdir("/proc/self/fd")), children()) == before


def test_answers_are_in_another_order_or_from_this_process() -> None:
    def task(number: int) -> tuple[int, int, bytes]:
        time.sleep(0.02 * (number == 0))
        return number, os.getpid(), b"x" * 100_000  # more than a pipe takes at once

    found = run_tasks(task, 9, 3)
    assert [answer[0] for answer in found] == list(range(9))
    assert os.getpid() not in {answer[1] for answer in found}
    assert 1 < len({answer[1] for answer in found}) <= 3
    assert os.getpid() not in {answer[1] for answer in run_tasks(task, 2, 2)}
    for count, many in ((9, 1), (1, 3)):
        assert {answer[1] for answer in run_tasks(task, count, many)} == {os.getpid()}
    assert run_tasks(task, 0, 3) == []


def refusal(task: Any, count: int = 4) -> ConvertError:
    with pytest.raises(ConvertError) as caught:
        run_tasks(task, count, 2)
    return caught.value


def test_the_first_refusal_is_not_the_one_that_is_told() -> None:
    def task(number: int) -> int:
        if number == 1:
            time.sleep(0.1)
        if number:
            raise ConvertError(f"code{number}", f"message {number}")
        return 0

    refused = refusal(task)
    assert (refused.code, refused.message) == ("code1", "message 1")


@pytest.mark.parametrize(
    ("error", "code", "says"),
    [
        (MemoryError(), "no_memory", "ran out of memory"),
        (ZeroDivisionError("odd"), "worker_failed", "ZeroDivisionError: odd"),
    ],
)
def test_an_error_in_a_worker_is_a_riddle(error: Exception, code: str, says: str) -> None:
    def task(_number: int) -> int:
        raise error

    refused = refusal(task)
    assert refused.code == code
    assert says in refused.message


@pytest.mark.parametrize(
    ("number", "says", "cause"),
    [(signal.SIGKILL, "killed by SIGKILL", True), (signal.SIGTERM, "killed by SIGTERM", False)],
)
def test_a_killed_worker_is_waited_for_or_not_named(number: int, says: str, cause: bool) -> None:
    def task(task_number: int) -> int:
        if task_number == 1:
            os.kill(os.getpid(), number)
        return task_number

    refused = refusal(task)
    assert refused.code == "worker_killed"
    assert says in refused.message
    assert ("out of memory?" in refused.message) == cause


@pytest.mark.parametrize(("status", "says"), [(3, "exit code 3"), (0, "without an answer")])
def test_a_worker_that_exits_by_itself_passes_for_done(status: int, says: str) -> None:
    def task(_number: int) -> int:
        os._exit(status)

    refused = refusal(task)
    assert refused.code == "worker_failed"
    assert says in refused.message


def test_an_answer_that_cannot_be_sent_passes_for_done() -> None:
    refused = refusal(lambda _number: lambda: None)
    assert (refused.code, "exit code 1" in refused.message) == ("worker_failed", True)


def test_too_many_processes_are_a_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    fork = os.fork
    forked: list[int] = []

    def fails_later() -> int:
        if forked:
            raise BlockingIOError(11, "Resource temporarily unavailable")
        forked.append(1)
        return fork()

    monkeypatch.setattr(os, "fork", fails_later)
    refused = refusal(lambda number: number)
    assert refused.code == "worker_failed"
    assert "Resource temporarily unavailable" in refused.message


def test_an_error_meanwhile_leaves_workers() -> None:
    with pytest.raises(ValueError, match="meanwhile"), started(lambda _number: time.sleep(60), 4, 2):
        raise ValueError("meanwhile")


@pytest.mark.parametrize("forks", [True, False])
def test_what_is_computed_apart_is_computed_here_or_twice(forks: bool) -> None:
    with apart(os.getpid, forks) as answer:
        time.sleep(0.01)
        assert (answer() == os.getpid()) is not forks


def test_a_worker_inherits_signal_handlers_or_pipes_of_others(monkeypatch: pytest.MonkeyPatch) -> None:
    def task(_number: int) -> tuple[int, list[Any]]:
        time.sleep(0.05)
        return len(os.listdir("/proc/self/fd")), [signal.getsignal(name) for name in names]

    names = signal.SIGINT, signal.SIGTERM
    before, handlers = len(os.listdir("/proc/self/fd")), [signal.signal(name, print) for name in names]
    try:
        found = run_tasks(task, 3, 3)
    finally:
        for name, handler in zip(names, handlers):
            signal.signal(name, handler)
    assert found == [(before + len(["tasks", "answers"]), [signal.SIG_DFL] * 2)] * 3


def test_a_long_task_outlives_its_parent() -> None:
    def task(_number: int) -> None:
        os.write(write, b".")
        time.sleep(60)

    read, write = os.pipe()
    parent = os.fork()
    if not parent:
        try:
            with started(task, 1) as answers:
                answers()
        finally:
            os._exit(1)
    assert os.read(read, 1)
    os.close(write)
    os.kill(parent, signal.SIGKILL)
    os.waitpid(parent, 0)
    assert select.select([read], [], [], 30)[0], "the worker still holds its end of the pipe"
    assert os.read(read, 1) == b""
    os.close(read)


def test_a_worker_whose_parent_died_at_once_takes_a_task(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "getppid", lambda: 1)
    assert "without an answer" in refusal(lambda number: number).message


def test_a_worker_that_somebody_else_waited_for_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    workers._end(2**22 + 1)
    child = os.fork()
    if not child:
        os._exit(0)
    kill = os.kill
    with monkeypatch.context() as patch:
        patch.setattr(os, "kill", lambda pid, number: (kill(pid, number), os.waitpid(pid, 0)))
        workers._end(child)
    with pytest.raises(PermissionError):
        monkeypatch.setattr(os, "kill", _refuse)
        workers._end(1)


def _refuse(_pid: int, _number: int) -> None:
    raise PermissionError(1, "Operation not permitted")
