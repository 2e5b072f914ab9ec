# SPDX-License-Identifier: MIT
"""One line on a terminal while a task is slow: what runs, for how long, and which hosts have not answered."""

from __future__ import annotations

import atexit
import contextlib
import functools
import os
import shutil
import sys
import threading
import time
from collections.abc import Callable
from typing import Any

from ansible.module_utils.survivor_npz.controller.screen import clock, harmless

SLOW = 3.0  # seconds that a task takes before it is shown
_TASK_WIDTH = 40  # characters of a task's name


class Progress:
    """Keeps the line below everything else that Ansible's display shows.

    Args:
        display: Ansible's own, whose `display` this wraps so that no other text joins the line.
    """

    def __init__(self, display: Any) -> None:
        self._lock, self._pid, self._is_shown = display._lock, os.getpid(), False
        self.end()
        display.display = self._around(display.display)
        atexit.register(self.end)  # after Ctrl-C no task ends
        # A fork is made under Ansible's own rules for threads: the line is written under the display's lock.
        threading.Thread(target=self._run, name="survivor_npz_progress", daemon=True).start()

    def begin(self, task: str) -> None:
        """A task starts."""
        with self._lock:
            self._task, self._since = task, time.monotonic()
            self._hosts: dict[str, None] = {}

    def ask(self, host: str) -> None:
        """A host was given the task."""
        with self._lock:
            self._hosts[host] = None

    def answer(self, host: str) -> None:
        """A host has answered."""
        with self._lock:
            self._hosts.pop(host, None)

    def end(self) -> None:
        """Nothing runs that is worth a line."""
        with self._lock:
            self.begin("")
            self._draw("")

    def line(self, now: float) -> str:
        """What to show at `now`; "" for nothing."""
        if not (self._task and self._hosts) or now - self._since < SLOW:
            return ""
        task = self._task if len(self._task) <= _TASK_WIDTH else f"{self._task[: _TASK_WIDTH - 1]}…"
        return harmless(f"[{clock(now - self._since)}] {task}: waiting for {', '.join(self._hosts)}")

    def _around(self, display: Callable[..., None]) -> Callable[..., None]:
        @functools.wraps(display)
        def wrapper(*args: Any, **kwargs: Any) -> None:
            # A worker hands its text to this process.
            with self._lock if os.getpid() == self._pid else contextlib.nullcontext():
                self._draw("")
                display(*args, **kwargs)

        return wrapper

    def _draw(self, line: str) -> None:
        if (line or self._is_shown) and os.getpid() == self._pid:
            width = shutil.get_terminal_size().columns - 1
            sys.stdout.write(f"\r{line if len(line) <= width else line[: width - 1] + '…'}\x1b[K")
            sys.stdout.flush()
        self._is_shown = bool(line)

    def _run(self) -> None:
        while True:
            time.sleep(0.5)
            with self._lock, contextlib.suppress(OSError):  # the terminal may be gone
                self._draw(self.line(time.monotonic()))
