# SPDX-License-Identifier: MIT
"""The script's output on its way into the log and, in the foreground, on to our own caller."""

from __future__ import annotations

import contextlib
import os
import select
import selectors
import signal
from typing import IO

from .run import Run

_PIECE, _PIPE_PIECES = 65536, 16  # bytes; together what a pipe can hold, 1 MiB


class Output:
    """Carry the script's output as it comes; a slow reader slows the script down, as without a supervisor.

    Args:
        run: the run whose log keeps it.
        selector: tells when a descriptor is ready; every key but the supervisor's own goes to `move`.
        targets: () detached; (1, 2) in the foreground: where the script's output and errors are passed on.
    """

    def __init__(self, run: Run, selector: selectors.BaseSelector, targets: tuple[int, ...]) -> None:
        self._run, self._selector, self._targets = run, selector, targets
        self._sources: set[int] = set()
        self._waiting: dict[int, bytes] = {}  # what our caller has not taken yet

    def carry(self, *pipes: IO[bytes] | None) -> None:
        """Begin: the script's output and, where it is apart, its errors."""
        for index, pipe in enumerate(pipes):
            if pipe is not None:
                self._sources.add(pipe.fileno())
                self._listen(pipe.fileno(), self._targets[index] if self._targets else None)

    def move(self, key: selectors.SelectorKey) -> None:
        """Move what can be moved now."""
        if key.events & selectors.EVENT_WRITE:
            self._pass_on(key.fd, key.data)
        else:
            self._take(key.fd, key.data)

    def over(self, late: bool, past_limit: bool) -> bool:
        """Return True once all is in and passed on, or the drain timeout (`late`) or the limit has passed."""
        return (not self._sources or late) and (not self._waiting or past_limit)

    def drain(self) -> None:
        """Log what the last process left in the pipes; one that goes on writing is left to `hand_over`."""
        for source in list(self._sources):
            with contextlib.suppress(OSError):  # empty, but open
                for _ in range(_PIPE_PIECES):
                    data = os.read(source, _PIECE)
                    if not data:
                        self._sources.discard(source)
                        break
                    self._run.keep(data)

    def hand_over(self) -> None:
        """Leave a process that logs what children still write; unread, their next line would kill them."""
        try:
            if not self._sources or os.fork():
                return
        except OSError:  # no process to be had: the verdict counts more
            return
        try:
            os.setsid()
            for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGCHLD):
                signal.signal(number, signal.SIG_DFL)
            null = os.open(os.devnull, os.O_RDWR)
            for descriptor in (0, 1, 2):
                os.dup2(null, descriptor)  # our caller must not wait for the end of its pipe
            log = os.open(self._run.log.path, os.O_WRONLY | os.O_APPEND | os.O_NOFOLLOW)
            while self._sources:
                for source in select.select(self._sources, (), ())[0]:
                    data = os.read(source, _PIECE)
                    if not data:
                        self._sources.discard(source)
                    with contextlib.suppress(OSError):  # a full disk: the log is cut, the child goes on
                        os.write(log, data)
        finally:
            os._exit(0)

    def _listen(self, source: int, target: int | None) -> None:
        os.set_blocking(source, False)
        self._selector.register(source, selectors.EVENT_READ, target)

    def _take(self, source: int, target: int | None) -> None:
        """Take a piece of output from the script into the log, and pass it on in the foreground."""
        try:
            data = os.read(source, _PIECE)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            self._selector.unregister(source)
            self._sources.discard(source)
            return
        self._run.keep(data)
        if target is not None:
            # Take no more until this is gone: a slow reader slows the script down, as it would without us.
            self._selector.unregister(source)
            self._waiting[target] = data
            self._selector.register(target, selectors.EVENT_WRITE, source)

    def _pass_on(self, target: int, source: int) -> None:
        try:
            # At most PIPE_BUF: a pipe that polls writable takes so much without blocking us.
            done = os.write(target, self._waiting[target][:4096])
        except BlockingIOError:
            return
        except OSError:  # nobody reads any more: the script goes on, its log has everything
            self._selector.unregister(target)
            self._passed_on(target, source, None)
            return
        self._waiting[target] = self._waiting[target][done:]
        if not self._waiting[target]:
            self._selector.unregister(target)
            self._passed_on(target, source, target)

    def _passed_on(self, target: int, source: int, then: int | None) -> None:
        del self._waiting[target]
        self._listen(source, then)
