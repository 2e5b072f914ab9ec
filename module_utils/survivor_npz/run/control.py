"""Start, look at, read and stop runs of Step 2.5 from outside their supervisor. Standard library only."""

from __future__ import annotations

import base64
import contextlib
import json
import os
import re
import signal
import socket
import struct
import subprocess
import sys
import time
from typing import Any, Dict, List, Optional, Set, Tuple

from ansible.module_utils.survivor_npz.run.supervise import bundle
from ansible.module_utils.survivor_npz.run.supervise.home import home, read_json, records
from ansible.module_utils.survivor_npz.run.supervise.lock import holder, orphaned, refusal
from ansible.module_utils.survivor_npz.run.supervise.processes import Process, boot_id, family, look_at, send
from ansible.module_utils.survivor_npz.run.supervise.run import GRACE

RUN_NAME = re.compile(r"[0-9]{8}T[0-9]{6}Z-[0-9]+")
LIMIT = 1 << 20
SETTLE = 0.2  # seconds after which a line without an end is taken for what it is
_TIME = struct.Struct("<QQ")
_MOST_TIMES = 2000
_LOST = (
    "How this run of Step 2.5 ended is not known: its supervisor was killed, or the host restarted. "
    "Its log may tell"
)


class RunError(Exception):
    """What an operator must hear; `note` is the run in the way, if one is."""

    def __init__(self, message: str, note: Optional[Dict[str, Any]] = None) -> None:
        super().__init__(message)
        self.note = note


def command(directory: str, script: str, arguments: List[str]) -> List[str]:
    """Return the argument list: the script itself if it may be executed, else bash with it."""
    path = os.path.join(directory, os.path.expanduser(script))
    return [path, *arguments] if os.access(path, os.X_OK) else ["bash", path, *arguments]


def start(job: Dict[str, Any]) -> Dict[str, Any]:
    """Start a job (see Supervisor) under a supervisor of its own that outlives this process.

    Returns the run's record. Raises RunError if it is refused or can't start.
    """
    mine, its = socket.socketpair()
    with mine, its:
        child = subprocess.Popen(
            # --dir is for those who read `ps`.
            [sys.executable, "-I", "-", "--job", str(its.fileno()), "--dir", job["dir"]],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            cwd="/",
            pass_fds=(its.fileno(),),
            start_new_session=True,
        )
        child.returncode = 0  # it outlives us: nobody waits for it here
        its.close()
        if child.stdin is not None:
            with contextlib.suppress(BrokenPipeError), child.stdin as text:
                text.write(bundle.text().encode())
        with mine.makefile("rw", encoding="utf-8") as channel:
            channel.write(json.dumps(job) + "\n")
            channel.flush()
            mine.settimeout(30)
            answer = json.loads(channel.readline() or "{}")
    if not answer.get("started"):
        trouble = answer.get("error", "The supervisor died before it could start anything")
        raise RunError(trouble, answer.get("refused"))
    return dict(answer)


def finished(directory: str, run: Optional[str] = None) -> Dict[str, Any]:
    """Return the record of a run that is over (default: the last one), {} where there is none."""
    paths = records(directory)
    chosen = [path for path in paths if run is None or os.path.basename(path) == run]
    record = read_json(os.path.join(chosen[-1], "record.json")) if chosen else {}
    if record.get("state") == "running":
        record.update(state="ended", verdict="lost", message=_LOST)
    return record


def query(directory: str) -> Dict[str, Any]:
    """Tell whether a run is on, and of the last one that ended. Writes nothing."""
    note = holder(directory)
    if note is None:
        note = orphaned(directory) or None
    if note is None:
        return {"running": False, "last": finished(directory), "message": "Step 2.5 is not running"}
    return {"running": True, **note, "message": refusal(note)}


def stop(directory: str, run: Optional[str] = None) -> Dict[str, Any]:
    """End the run that is on (only `run`, if given) with everything it started on this host.

    Returns its record, {} where nothing runs. Raises RunError if it can't be ended.
    """
    note = holder(directory)
    if note is None:
        note = orphaned(directory)
    if note and "run" not in note:
        raise RunError(refusal(note), note)
    if not note or (run is not None and note["run"] != run):
        return {}
    grace = float(note.get("grace") or GRACE)
    process = (note["supervisor"], note["supervisor_start"])
    if not note.get("orphans") and send(process, signal.SIGTERM) and _wait({process}, grace + 12):
        return finished(directory, note["run"])
    # The supervisor is dead or stuck: do its work.
    left = family(note["run"]) | ({process} & _alive({process}))
    for number, patience in ((signal.SIGTERM, grace), (signal.SIGKILL, 5.0)):
        for one in left:
            send(one, number)
        if _wait(left, patience):
            break
        left = family(note["run"]) | _alive(left)
    if left := family(note["run"]) | _alive(left):
        pids = ", ".join(str(pid) for pid, _ in sorted(left))
        trouble = f"Step 2.5 could not be ended: pids {pids} live on (another user's, or stuck in the kernel)"
        raise RunError(trouble, note)
    message = "Step 2.5 was stopped; it had lost its supervisor"
    return {**finished(directory, note["run"]), "verdict": "stopped", "message": message}


def _alive(processes: Set[Process]) -> Set[Process]:
    return {one for one in processes if (stat := look_at(one[0])) and stat[1] == one[1]}


def _wait(processes: Set[Process], seconds: float) -> bool:
    """Wait for processes to be gone; False if some are left."""
    until = time.monotonic() + seconds
    while _alive(processes):
        if time.monotonic() > until:
            return False
        time.sleep(0.05)
    return True


def read(directory: str, run: str, offset: int = 0, wait: float = 0.0, limit: int = LIMIT) -> Dict[str, Any]:
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
            running = _supervised(record)
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


def _supervised(record: Dict[str, Any]) -> bool:
    stat = look_at(record.get("supervisor", 0)) if record.get("state") == "running" else None
    return stat is not None and stat[1] == record["supervisor_start"] and record["boot"] == boot_id()


def _age(record: Dict[str, Any]) -> float:
    began: float = record.get("supervisor_start", 0) / os.sysconf("SC_CLK_TCK")
    return round(time.clock_gettime(time.CLOCK_BOOTTIME) - began, 1)


def _times(path: str, offset: int, end: int) -> Tuple[int, List[List[float]]]:
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
