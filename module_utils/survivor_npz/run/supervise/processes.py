# SPDX-License-Identifier: MIT
"""The processes of a run: find them, name them, signal exactly them."""

from __future__ import annotations

import os
import signal
from typing import Any

from .clocks import uptime

MARK = "SURVIVOR_NPZ_RUN"
_WHOLE = 65536  # characters of a command line
Process = tuple[int, int]  # pid, start in clock ticks since boot: together they are never reused


def look_at(pid: int) -> tuple[int, int] | None:
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


def family(run: str, root: int | None = None) -> set[Process]:
    """Find every live process of a run: those below `root`, and those that carry the run's mark.

    The first finds what dropped its environment (a subreaper is handed the orphans); the second finds what
    outlived its supervisor.
    """
    seen = {int(name): look_at(int(name)) for name in os.listdir("/proc") if name.isdigit()}
    alive = {pid: stat for pid, stat in seen.items() if stat and pid != os.getpid()}
    below: set[int] = set()
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


def plain(text: str, limit: int) -> str:
    """Return text that a terminal can be shown, shortened."""
    return "".join(letter if letter.isprintable() else "?" for letter in text[:limit])


def command_of(pid: int, limit: int = 300) -> str:
    """Return a process's command line, shortened, for people; "" if it is gone or has none."""
    try:
        with open(f"/proc/{pid}/cmdline", "rb") as file:
            words = file.read(limit).replace(b"\0", b" ").decode(errors="replace")
    except OSError:
        return ""
    return plain(words.strip(), limit)


def matching(text: str, but: set[Process]) -> list[dict[str, Any]]:
    """List the processes whose command line contains `text`: `pid`, `age` (seconds) and `command`.

    Without `but`, this process, and those that started it: their command lines may quote the text.
    """
    callers, pid = set(), os.getpid()
    while pid and (stat := look_at(pid)):
        callers.add(command_of(pid, _WHOLE))  # by command line: a controller's forks share it
        pid = stat[0]
    found = []
    for name in filter(str.isdigit, os.listdir("/proc")):
        command = command_of(int(name), _WHOLE)
        if text not in command or command in callers:
            continue
        stat = look_at(int(name))
        if stat and (int(name), stat[1]) not in but:
            age = uptime() - stat[1] / os.sysconf("SC_CLK_TCK")
            found.append({"pid": int(name), "age": round(max(0.0, age), 1), "command": command[:300]})
    return sorted(found, key=lambda one: int(one["pid"]))
