# SPDX-License-Identifier: MIT
"""Ctrl-C and SIGTERM on the controller: where an exception would be lost, and what if Ansible then waits for ever."""

from __future__ import annotations

import multiprocessing
import os
import signal
from collections.abc import Callable
from typing import Any

PATIENCE = 15.0  # seconds; Ansible itself gives its workers 10
EXIT_CODE = 99  # of ansible-playbook after Ctrl-C


def is_deaf(frame: Any) -> bool:
    """Whether an exception raised in this frame would be printed and forgotten: in a fork or a destructor.

    After a fork there is one more worker to end, too.
    """
    while frame is not None:
        if frame.f_code.co_name in ("_launch", "__del__"):
            return True
        frame = frame.f_back
    return False


def insist(report: Callable[[], None]) -> None:
    """See to it that this process ends: by one more KeyboardInterrupt, and if that is lost too, at once.

    A worker that a signal ends while it puts a result into Ansible's queue keeps the queue's lock. Ansible then
    waits for that lock for ever. While a worker lives, nothing is done: it may be stopping Step 2.5.
    """
    left = [KeyboardInterrupt]

    def again(_number: int, _frame: Any) -> None:
        if multiprocessing.active_children():
            return
        if left:
            raise left.pop()
        report()
        os._exit(EXIT_CODE)

    signal.signal(signal.SIGALRM, again)
    signal.setitimer(signal.ITIMER_REAL, PATIENCE, PATIENCE)
