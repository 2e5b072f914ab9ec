# SPDX-License-Identifier: MIT
"""One run on disk: its directory, its note in the lock, its record and verdict."""

from __future__ import annotations

import contextlib
import datetime
import json
import os
import shutil
import signal
import socket
import stat
import time
from typing import Any

from .clocks import boot_id, utc
from .home import home, records, sync_dir
from .log import Log
from .processes import Process, command_of, look_at
from .proof import other_bytes

KEEP = 20
GRACE = 5.0
_NOTE_SIZE = 8192
_RESERVE = 196608  # more than any record needs


def identity(path: str) -> tuple[int, int, int, int] | None:
    """Identify a file's present content cheaply: device, inode, size, mtime in ns; None if there is none."""
    try:
        found = os.stat(path)
    except OSError:
        return None
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns


class Run:
    """One run: what is known about it, on disk and in the lock's note."""

    def __init__(self, job: dict[str, Any], lock: int) -> None:
        self.job, self._lock = job, lock
        self._began = time.monotonic()
        name = f"{datetime.datetime.now(datetime.timezone.utc):%Y%m%dT%H%M%SZ}-{os.getpid()}"
        self.directory = os.path.join(home(job["dir"]), "runs", name)
        for old in records(job["dir"])[: -(KEEP - 1)]:
            shutil.rmtree(old, ignore_errors=True)
        os.mkdir(self.directory, 0o700)
        try:
            self._prepare(name)
        except OSError:
            shutil.rmtree(self.directory, ignore_errors=True)
            raise

    def _prepare(self, name: str) -> None:
        """Write everything that a run needs on disk: none of it may fail once the script is started."""
        job = self.job
        self.log = Log(self.directory)
        me = look_at(os.getpid())
        self.record: dict[str, Any] = {
            "version": 1,
            "run": name,
            "state": "running",
            "verdict": None,
            "host": socket.gethostname(),
            "dir": job["dir"],
            "command": job["command"],
            "npz": job.get("npz", {}),
            "proved": job.get("proved", []),
            "token": job.get("token"),
            "timeout": job.get("timeout") or None,
            "grace": job.get("grace", GRACE),
            "start": utc(),
            "end": None,
            "pid": None,
            "exit_code": None,
            "signal": None,
            "supervisor": os.getpid(),
            "supervisor_start": me[1] if me else 0,
            "boot": boot_id(),
            "log": self.log.path,
            "log_cut": None,
            "record": os.path.join(self.directory, "record.json"),
        }
        self._before = {path: identity(self._absolute(path)) for path in job.get("creates", [])}
        self._ctime = os.stat(self.log.path).st_ctime_ns
        self._reserve = os.path.join(self.directory, f"record.json.tmp.{os.getpid()}")
        self._reserve_space()
        self.note()
        self.save()

    def _absolute(self, path: str) -> str:
        return os.path.join(self.job["dir"], os.path.expanduser(path))

    def _created(self, path: str) -> str:
        """Tell what became of a file that the run must write: written, missing, stale or empty."""
        absolute = self._absolute(path)
        try:
            after, found = identity(absolute), os.stat(absolute)
            full = os.listdir(absolute) if stat.S_ISDIR(found.st_mode) else found.st_size
        except OSError:
            return "missing"
        linked = os.path.realpath(absolute) != os.path.normpath(absolute)
        # A new link to an old file has another identity than the file that it replaces.
        if after == self._before[path] or (linked and found.st_ctime_ns < self._ctime):
            return "stale"
        return "written" if full else "empty"

    def _reserve_space(self) -> None:
        """Reserve the last record's disk space now: a full disk must not swallow the verdict."""
        descriptor = os.open(self._reserve, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        try:
            os.posix_fallocate(descriptor, 0, _RESERVE)
        finally:
            os.close(descriptor)

    def keep(self, data: bytes) -> None:
        """Keep a piece of output; if this cuts the log, note it for those who watch."""
        if self.log.write(data):
            self.record["log_cut"] = dict(self.log.cut or {})
            with contextlib.suppress(OSError):
                self.note()

    def elapsed(self) -> float:
        """Return the seconds since the start."""
        return time.monotonic() - self._began

    def note(self) -> None:
        """Write the lock's note, in place and always of one size: it needs no new space on a full disk."""
        keys = (
            "run",
            "host",
            "pid",
            "start",
            "log",
            "record",
            "command",
            "token",
            "log_cut",
            "timeout",
            "boot",
        )
        note = {key: self.record[key] for key in (*keys, "supervisor", "supervisor_start", "dir")}
        text = json.dumps(note).encode()
        os.pwrite(self._lock, text.ljust(_NOTE_SIZE - 1) + b"\n", 0)
        os.ftruncate(self._lock, max(_NOTE_SIZE, len(text) + 1))

    def save(self, last: bool = False) -> None:
        """Write the record as a whole; the last one takes the space that was reserved for it."""
        self.record.update(
            elapsed=round(self.elapsed(), 3),
            log_bytes=self.log.seen,
            log_cut=self.log.cut and dict(self.log.cut),
        )
        text = (json.dumps(self.record, indent=1, ensure_ascii=False) + "\n").encode(
            errors="backslashreplace"
        )
        path = self._reserve if last else f"{self._reserve}.new"
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT, 0o600)
        try:
            os.pwrite(descriptor, text, 0)
            os.ftruncate(descriptor, len(text))
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        os.replace(path, self.record["record"])
        runs = os.path.dirname(self.directory)
        for place in (self.directory, runs, os.path.dirname(runs)):  # their names may be new, too
            sync_dir(place)

    def started(self, pid: int) -> None:
        """Record the script's pid."""
        self.record["pid"] = pid
        with contextlib.suppress(OSError):  # the last record will have it
            self.note()
            self.save()

    def _judge(self, code: int, ended_by: dict[str, Any] | None, created: dict[str, str]) -> tuple[str, str]:
        """Return verdict and message."""
        npz = self.job.get("npz") or {}
        found = other_bytes(npz)
        changed = f"{npz['path']} changed while it ran: {found}" if found else ""
        unmet = ", ".join(f"{path} ({state})" for path, state in created.items() if state != "written")
        if ended_by or code:
            message = f"Step 2.5 failed: exit code {code}"
            if name := _signal_of(code):
                message += f" (a signal, {name})"
            message = ended_by["message"] if ended_by else message
            return ended_by["verdict"] if ended_by else "failed", "; ".join(filter(None, (message, changed)))
        if changed or unmet:
            unmet = unmet and f"it did not write what it should: {unmet}"
            faults = "; ".join(filter(None, (changed, unmet)))
            return "failed", f"Step 2.5 ended with exit code 0, but {faults}"
        elapsed = datetime.timedelta(seconds=int(self.elapsed()))
        return "ok", f"Step 2.5 finished successfully after {elapsed}"

    def finish(self, code: int, ended_by: dict[str, Any] | None, left: set[Process]) -> None:
        """Judge the run and record the verdict. `code` is a shell's exit code."""
        created = {path: self._created(path) for path in self._before}
        verdict, message = self._judge(code, ended_by, created)
        if left:
            many = "1 process is" if len(left) == 1 else f"{len(left)} processes are"
            message += f"; {many} still running that it started"
        if self.log.cut:
            message += f"; its log is cut at byte {self.log.cut['at']}: {self.log.cut['why']}"
        self.log.close()
        self.record.update(
            state="ended",
            verdict=verdict,
            message=message,
            end=utc(),
            exit_code=code,
            signal=_signal_of(code),
            creates=created,
            left_running=[{"pid": pid, "command": command_of(pid)} for pid, _ in sorted(left)],
            stopped=ended_by,
            tail=self.log.tail(),
        )
        with contextlib.suppress(OSError):  # a disk that broke must not cost the exit code as well
            self.save(last=True)
        os.close(self._lock)


def _signal_of(code: int) -> str | None:
    """The signal that a shell's exit code tells of."""
    try:
        return signal.Signals(code - 128).name
    except ValueError:
        return None
