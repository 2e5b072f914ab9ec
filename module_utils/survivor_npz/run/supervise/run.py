"""One run on disk: its directory, its note in the lock, its record and verdict."""

from __future__ import annotations

import contextlib
import datetime
import json
import os
import shutil
import signal
import socket
import time
from typing import Any, Dict, Optional, Set, Tuple

from .clocks import boot_id, utc
from .home import home, records
from .log import Log
from .processes import Process, command_of, look_at

KEEP = 20
GRACE = 5.0
_NOTE_SIZE = 8192
_RESERVE = 196608  # more than any record needs


def stamp(path: str) -> Optional[Tuple[int, int, int]]:
    """Identify a file's present content cheaply: inode, size, mtime in ns."""
    try:
        stat = os.stat(path)
    except OSError:
        return None
    return stat.st_ino, stat.st_size, stat.st_mtime_ns


class Run:
    """One run: what is known of it, on disk and in the lock's note."""

    def __init__(self, job: Dict[str, Any], lock: int) -> None:
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
        """Write all that a run needs on disk, so that nothing of it can fail once the script is started."""
        job = self.job
        self.log = Log(self.directory)
        me = look_at(os.getpid())
        self.record: Dict[str, Any] = {
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
            "elapsed": 0.0,
            "pid": None,
            "exit_code": None,
            "signal": None,
            "supervisor": os.getpid(),
            "supervisor_start": me[1] if me else 0,
            "boot": boot_id(),
            "log": self.log.path,
            "log_bytes": 0,
            "log_cut": None,
            "record": os.path.join(self.directory, "record.json"),
        }
        self._before = {path: stamp(self._absolute(path)) for path in job.get("creates", [])}
        self._reserve = os.path.join(self.directory, f"record.json.tmp.{os.getpid()}")
        self._book()
        self.note()
        self.save()

    def _absolute(self, path: str) -> str:
        return os.path.join(self.job["dir"], os.path.expanduser(path))

    def _book(self) -> None:
        """Book the last record's disk space now: a full disk must not swallow the verdict."""
        descriptor = os.open(self._reserve, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        try:
            os.posix_fallocate(descriptor, 0, _RESERVE)
        finally:
            os.close(descriptor)

    def keep(self, data: bytes) -> None:
        """Keep a piece of output; the moment in which the log gets cut is told to those who watch."""
        if self.log.write(data):
            self.record["log_cut"] = dict(self.log.cut or {})
            with contextlib.suppress(OSError):
                self.note()

    def elapsed(self) -> float:
        """Return the seconds since the start."""
        return time.monotonic() - self._began

    def note(self) -> None:
        """Write the lock's note, in place and always as long: it needs no room on a full disk."""
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
        """Write the record, whole or not at all; the last one takes the space that was booked for it."""
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

    def started(self, pid: int) -> None:
        """Record the script's pid."""
        self.record["pid"] = pid
        with contextlib.suppress(OSError):  # the last record will have it
            self.note()
            self.save()

    def finish(self, code: int, ended_by: Optional[Dict[str, Any]], left: Set[Process]) -> None:
        """Judge the run and record the verdict. `code` is a shell's exit code."""
        created = {}
        for path, before in self._before.items():
            after = stamp(self._absolute(path))
            created[path] = (
                "missing"
                if after is None
                else "stale"
                if after == before
                else "written"
                if after[1]
                else "empty"
            )
        unmet = [f"{path} ({state})" for path, state in created.items() if state != "written"]
        verdict, message = (
            "ok",
            f"Step 2.5 ended well after {datetime.timedelta(seconds=int(self.elapsed()))}",
        )
        if ended_by:
            verdict, message = ended_by["verdict"], ended_by["message"]
        elif code:
            verdict, message = "failed", f"Step 2.5 failed: exit code {code}"
            if code > 128:
                message += f" (a signal, {_signal_name(code - 128)})"
        elif unmet:
            verdict = "failed"
            message = f"Step 2.5 ended with exit code 0 but did not write what it should: {', '.join(unmet)}"
        if left:
            message += f"; {len(left)} process(es) that it started live on"
        if self.log.cut:
            message += f"; its log is cut at byte {self.log.cut['at']}: {self.log.cut['why']}"
        self.log.close()
        self.record.update(
            state="ended",
            verdict=verdict,
            message=message,
            end=utc(),
            exit_code=code,
            signal=_signal_name(code - 128) if code > 128 else None,
            creates=created,
            left_running=[{"pid": pid, "command": command_of(pid)} for pid, _ in sorted(left)],
            stopped=ended_by,
            tail=self.log.tail(),
        )
        with contextlib.suppress(OSError):  # a disk that broke must not cost the exit code as well
            self.save(last=True)


def _signal_name(number: int) -> Optional[str]:
    try:
        return signal.Signals(number).name
    except ValueError:
        return None
