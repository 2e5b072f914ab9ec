# SPDX-License-Identifier: MIT
"""This boot of the machine: its id, its clock, and when a process of it started.

`run/supervise` reads the same from /proc by itself, because it runs without the rest of the project.
"""

from __future__ import annotations

import os
import time
from typing import Any


def boot_id() -> str:
    """The id of this boot. Cloned machines share a machine-id, but never a boot.

    Raises:
        OSError: /proc is not mounted.
    """
    with open("/proc/sys/kernel/random/boot_id", encoding="ascii") as file:
        return file.read().strip()


def clock() -> float:
    """Seconds since this boot, suspended time included. Nobody can set this clock."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


def stamp() -> dict[str, Any]:
    """A moment that only this machine can compare: `boot` (id) and `clock` (seconds)."""
    return {"boot": boot_id(), "clock": clock()}


def started_at(pid: int) -> float | None:
    """When a process started (Unix seconds), None if it is gone. Source: proc(5), field 22."""
    try:
        with open(f"/proc/{pid}/stat", encoding="latin-1") as file:
            ticks = int(file.read().rpartition(")")[2].split()[19])
    except (OSError, IndexError, ValueError):
        return None
    return time.time() - clock() + ticks / os.sysconf("SC_CLK_TCK")
