# SPDX-License-Identifier: MIT
"""This host's clocks. Decisions use the boot clock only; the wall clock is for people."""

from __future__ import annotations

import datetime
import time


def boot_id() -> str:
    """Name this boot of the host: pids and boot clocks of another one mean nothing."""
    with open("/proc/sys/kernel/random/boot_id", encoding="ascii") as file:
        return file.read().strip()


def uptime() -> float:
    """Return the seconds since the host booted, suspended time included; nobody can set this clock."""
    return round(time.clock_gettime(time.CLOCK_BOOTTIME), 3)


def utc(seconds: float = 0.0) -> str:
    """Return the wall-clock time `seconds` from now, UTC, ISO 8601."""
    moment = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(seconds=seconds)
    return moment.isoformat(timespec="seconds").replace("+00:00", "Z")
