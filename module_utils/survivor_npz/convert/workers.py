# SPDX-License-Identifier: MIT
"""Forked workers that take numbered tasks and answer briefly; bulk data goes through shared memory."""

from __future__ import annotations

import contextlib
import ctypes
import os
import pickle
import select
import signal
import struct
from typing import Any, Callable, Iterator, NoReturn, TypeVar

from ansible.module_utils.survivor_npz.common.errors import ConvertError

_PR_SET_PDEATHSIG = 1
_HEADER = struct.Struct("<IQ")
_TASK = struct.Struct("<I")
_READ_AT_ONCE = 1 << 16
# All tasks are in one pipe before anybody reads it. It holds 64 KiB by default.
MOST_TASKS = 8192
# Below this many bytes of JSON a fork costs more than it saves.
WORTH_A_FORK = 8 << 20

Task = Callable[[int], Any]
Result = TypeVar("Result")


def run_tasks(task: Task, count: int, workers: int) -> list[Any]:
    """Return [task(0), …, task(count - 1)], computed by at most `workers` forked processes, one without a fork.

    Raises:
        ConvertError: as the function that `started` gives.
    """
    if workers <= 1 or count <= 1:
        return [task(number) for number in range(count)]
    with started(task, count, workers) as answers:
        return answers()


@contextlib.contextmanager
def started(task: Task, count: int, workers: int = 1) -> Iterator[Callable[[], list[Any]]]:
    """Fork workers for task(0), …, task(count - 1); they end with this context, or with this process.

    Yields:
        A function that waits and returns the results. It raises the ConvertError of the task with the lowest
        number that raised one; or `worker_killed` or `worker_failed`.
    """
    tasks_read, tasks_write = os.pipe()
    os.write(tasks_write, b"".join(map(_TASK.pack, range(count))))
    os.close(tasks_write)
    pipes: dict[int, int] = {}
    try:
        for _ in range(min(workers, count)):
            pid, answers = _fork(task, tasks_read, list(pipes))
            pipes[answers] = pid
        yield lambda: _collect(pipes, count)
    finally:
        os.close(tasks_read)
        for answers, pid in pipes.items():
            _end(pid)
            os.close(answers)


@contextlib.contextmanager
def apart(compute: Callable[[], Result], forks: bool) -> Iterator[Callable[[], Result]]:
    """Compute something in a process of its own from now on, or here when the function it gives is called."""
    if not forks:
        yield compute
        return
    with started(lambda _number: compute(), 1) as answers:
        yield lambda: answers().pop()


def _fork(task: Task, tasks: int, others: list[int]) -> tuple[int, int]:
    answers_read, answers_write = os.pipe()
    parent = os.getpid()
    try:
        pid = os.fork()
    except OSError as error:
        os.close(answers_read)
        os.close(answers_write)
        raise ConvertError(
            "worker_failed", f"Can't start a worker process: {error.strerror}. Run again with workers: 1."
        ) from error
    if not pid:
        _work(task, tasks, answers_write, [answers_read, *others], parent)
    os.close(answers_write)
    return pid, answers_read


def _work(task: Task, tasks: int, answers: int, unneeded: list[int], parent: int) -> NoReturn:
    """Run a worker. It never returns into its parent's code."""
    status = 1
    try:
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        for name in (signal.SIGINT, signal.SIGTERM):
            signal.signal(name, signal.SIG_DFL)
        for descriptor in unneeded:
            os.close(descriptor)
        while os.getppid() == parent and (taken := os.read(tasks, _TASK.size)):
            (number,) = _TASK.unpack(taken)
            answer = pickle.dumps(_answer(task, number))
            with os.fdopen(os.dup(answers), "wb") as pipe:
                pipe.write(_HEADER.pack(number, len(answer)) + answer)
        status = 0
    finally:
        os._exit(status)


def _answer(task: Task, number: int) -> tuple[bool, Any]:
    """Whether the task succeeded, and its result, or the code and message of its ConvertError."""
    try:
        return True, task(number)
    except ConvertError as error:
        return False, (error.code, error.message)
    except MemoryError:
        return False, ("no_memory", "A worker ran out of memory. Run again with workers: 1.")
    except Exception as error:  # otherwise the parent would not know why the worker ended
        return False, ("worker_failed", f"A worker failed: {type(error).__name__}: {error}. Report this.")


def _collect(pipes: dict[int, int], count: int) -> list[Any]:
    answers: dict[int, tuple[bool, Any]] = {}
    buffers = {answers_of: bytearray() for answers_of in pipes}
    waiting = set(pipes)
    while waiting:
        for ready in select.select(list(waiting), [], [])[0]:
            block = os.read(ready, _READ_AT_ONCE)
            if block:
                buffers[ready] += block
                _unpack(buffers[ready], answers)
                continue
            waiting.discard(ready)
            _check_end(pipes[ready])
    if len(answers) < count:
        raise ConvertError("worker_failed", "A worker ended without an answer. Run again with workers: 1.")
    for number in range(count):
        succeeded, value = answers[number]
        if not succeeded:
            raise ConvertError(*value)
    return [answers[number][1] for number in range(count)]


def _unpack(buffer: bytearray, answers: dict[int, tuple[bool, Any]]) -> None:
    while len(buffer) >= _HEADER.size:
        number, length = _HEADER.unpack_from(buffer)
        end = _HEADER.size + length
        if len(buffer) < end:
            return
        # Only our own children write into this pipe.
        answers[number] = pickle.loads(bytes(buffer[_HEADER.size : end]))  # noqa: S301
        del buffer[:end]


def _check_end(pid: int) -> None:
    """Raise if a worker failed; do not reap it."""
    info = os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
    if info is None or info.si_status == 0:
        return
    if info.si_code == os.CLD_EXITED:
        raise ConvertError(
            "worker_failed", f"A worker ended with exit code {info.si_status}. Run again with workers: 1."
        )
    name = signal.Signals(info.si_status).name
    cause = " (out of memory? see dmesg)" if info.si_status == signal.SIGKILL else ""
    raise ConvertError(
        "worker_killed",
        f"A worker was killed by {name}{cause}. Nothing was replaced. Free memory, or run with workers: 1.",
    )


def _end(pid: int) -> None:
    with contextlib.suppress(ProcessLookupError, ChildProcessError):  # somebody else waited for it
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
