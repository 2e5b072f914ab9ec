# SPDX-License-Identifier: MIT
"""Read the log of a run of Step 2.5, also while it grows. Standard library only."""

from __future__ import annotations

import base64
import os
import re
import struct
import time
from typing import Any

from ansible.module_utils.survivor_npz.run.control import RunError, finished
from ansible.module_utils.survivor_npz.run.supervise.home import home, read_json
from ansible.module_utils.survivor_npz.run.supervise.lock import supervised

RUN_NAME = re.compile(r"[0-9]{8}T[0-9]{6}Z-[0-9]+")
LIMIT = 1 << 20
SETTLE = 0.2  # seconds after which a line without an end is taken for what it is
_TIME = struct.Struct("<QQ")
_MOST_TIMES = 2000


def read(directory: str, run: str, offset: int = 0, wait: float = 0.0, limit: int = LIMIT) -> dict[str, Any]:
    """Read a run's log from a byte on; wait up to `wait` seconds for something new.

    A negative offset counts from the end. Returns `data` (base64), `offset` (the next one), `size`, `times`
    (pairs of byte and elapsed seconds), `running`, `elapsed`, `silent`, `waited` (seconds), `log_cut`, `pid`,
    and once it is over `record`.
    Raises RunError for a run that isn't there (any more).
    """
    if not RUN_NAME.fullmatch(run):
        raise RunError(f"{run!r} is not the name of a run")
    place = os.path.join(home(directory), "runs", run)
    began = time.monotonic()
    until = began + wait
    try:
        log = os.open(os.path.join(place, "log"), os.O_RDONLY | os.O_NOFOLLOW)
    except OSError as error:
        raise RunError(f"The log of run {run} can't be read: {error.strerror}: {place}/log") from None
    try:
        while True:
            record = read_json(os.path.join(place, "record.json"))
            running = supervised(record)
            if record.get("state") == "running" and not running:
                record = finished(directory, run)  # it may have ended between the two looks
            stat = os.fstat(log)
            offset = max(0, stat.st_size + offset) if offset < 0 else offset
            if stat.st_size > offset or not running or time.monotonic() >= until:
                break
            time.sleep(0.1)
        if running and wait and time.time() - stat.st_mtime < SETTLE:
            time.sleep(SETTLE)  # the rest of the line may follow
            stat = os.fstat(log)
        end, times = _times(os.path.join(place, "times"), offset, min(offset + limit, stat.st_size))
        data = os.pread(log, max(0, end - offset), offset)
    finally:
        os.close(log)
    note = read_json(os.path.join(home(directory), "lock")) if running else record
    answer = {
        "data": base64.b64encode(data).decode(),
        "offset": offset + len(data),
        "size": stat.st_size,
        "times": times,
        "running": running,
        "elapsed": _age(record) if running else record.get("elapsed", 0.0),
        "waited": round(time.monotonic() - began, 2),
        "silent": round(max(0.0, time.time() - stat.st_mtime), 2),
        "log_cut": note.get("log_cut") if note.get("run") == run else None,
        "pid": record.get("pid"),
    }
    return answer if running else {**answer, "record": record}


def _age(record: dict[str, Any]) -> float:
    began: float = record.get("supervisor_start", 0) / os.sysconf("SC_CLK_TCK")
    return round(time.clock_gettime(time.CLOCK_BOOTTIME) - began, 1)


def _times(path: str, offset: int, end: int) -> tuple[int, list[list[float]]]:
    """Look up when bytes came; returns the end (sooner, if there are too many times) and the times."""
    try:
        with open(path, "rb") as file:
            low, high = 0, os.fstat(file.fileno()).st_size // _TIME.size
            count = high
            while low < high:  # the last entry at or before the offset
                middle = (low + high) // 2
                file.seek(middle * _TIME.size)
                if _TIME.unpack(file.read(_TIME.size))[0] <= offset:
                    low = middle + 1
                else:
                    high = middle
            first = max(0, low - 1)
            file.seek(first * _TIME.size)
            raw = file.read(min(count - first, _MOST_TIMES) * _TIME.size)
    except OSError:
        return end, []
    found = [[byte, millisecond / 1000] for byte, millisecond in _TIME.iter_unpack(raw)]
    if len(found) == _MOST_TIMES and offset < found[-1][0] < end:
        end = int(found[-1][0])
    return end, [entry for entry in found if entry[0] < end]
