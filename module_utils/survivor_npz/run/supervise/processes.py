"""The processes of a run: find them, name them, signal exactly them."""

from __future__ import annotations

import os
import signal
from typing import Optional, Set, Tuple

MARK = "SURVIVOR_NPZ_RUN"
Process = Tuple[int, int]  # pid, start in clock ticks since boot: together they are never reused


def look_at(pid: int) -> Optional[Tuple[int, int]]:
    """Return (parent, start in ticks) of a live process, None for a dead one or a zombie."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            fields = file.read().rpartition(b")")[2].split()
    except OSError:
        return None
    return None if fields[0] in (b"Z", b"X") else (int(fields[1]), int(fields[19]))


def _carries(pid: int, mark: bytes) -> bool:
    try:
        with open(f"/proc/{pid}/environ", "rb") as file:
            return mark in file.read().split(b"\0")
    except OSError:
        return False


def family(run: str, root: Optional[int] = None) -> Set[Process]:
    """Find every live process of a run: those below `root`, and those that carry the run's mark.

    The first finds what dropped its environment (a subreaper is handed the orphans); the second finds what
    outlived its supervisor.
    """
    seen = {int(name): look_at(int(name)) for name in os.listdir("/proc") if name.isdigit()}
    alive = {pid: stat for pid, stat in seen.items() if stat and pid != os.getpid()}
    below: Set[int] = set()
    if root is not None:
        more = {pid for pid, (parent, _) in alive.items() if parent == root}
        while more:
            below |= more
            more = {pid for pid, (parent, _) in alive.items() if parent in more} - below
    mark = f"{MARK}={run}".encode()
    return {(pid, start) for pid, (_, start) in alive.items() if pid in below or _carries(pid, mark)}


def send(process: Process, number: int) -> bool:
    """Signal exactly that process: never another one that got its pid."""
    pid, start = process
    try:
        descriptor = os.pidfd_open(pid) if hasattr(os, "pidfd_open") else -1
    except OSError:
        descriptor = -1
    try:
        stat = look_at(pid)
        if stat is None or stat[1] != start:
            return False
        if descriptor >= 0:
            signal.pidfd_send_signal(descriptor, number)
        else:
            os.kill(pid, number)
        return True
    except OSError:
        return False
    finally:
        if descriptor >= 0:
            os.close(descriptor)


def command_of(pid: int) -> str:
    """Return a process's command line, shortened, for a human."""
    try:
        with open(f"/proc/{pid}/cmdline", "rb") as file:
            return file.read(300).replace(b"\0", b" ").decode(errors="backslashreplace").strip()
    except OSError:
        return ""
