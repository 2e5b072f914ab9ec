"""The script's output on its way into the log and, in the foreground, on to our own caller."""

from __future__ import annotations

import contextlib
import os
import selectors
from typing import IO, Dict, Optional, Set, Tuple

from .run import Run


class Output:
    """Carry what comes from the script as it comes; a slow reader slows the script down, as without us.

    Args:
        run: the run whose log keeps it.
        selector: who tells when a descriptor is ready; `move` is for all of its keys that are ours.
        targets: () detached; (1, 2) in the foreground: where the script's output and errors are passed on.
    """

    def __init__(self, run: Run, selector: selectors.BaseSelector, targets: Tuple[int, ...]) -> None:
        self._run, self._selector, self._targets = run, selector, targets
        self._sources: Set[int] = set()
        self._waiting: Dict[int, bytes] = {}  # what our own output could not take yet

    def carry(self, *pipes: Optional[IO[bytes]]) -> None:
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
        """True when all is in and passed on, or those who hold it open had their time."""
        return (not self._sources or late) and (not self._waiting or past_limit)

    def drain(self) -> None:
        """Log what the last process left in the pipes."""
        for source in self._sources:
            with contextlib.suppress(OSError):
                while data := os.read(source, 65536):
                    self._run.log.write(data)

    def _listen(self, source: int, target: Optional[int]) -> None:
        os.set_blocking(source, False)
        self._selector.register(source, selectors.EVENT_READ, target)

    def _take(self, source: int, target: Optional[int]) -> None:
        """Take a piece of output from the script into the log, and pass it on in the foreground."""
        try:
            data = os.read(source, 65536)
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
            try:
                self._selector.register(target, selectors.EVENT_WRITE, source)
            except (OSError, ValueError):
                self._passed_on(target, source, None)

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

    def _passed_on(self, target: int, source: int, then: Optional[int]) -> None:
        del self._waiting[target]
        self._listen(source, then)
