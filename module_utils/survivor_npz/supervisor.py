#!/usr/bin/env python3
"""Supervise one run of Step 2.5: its lock, time limit, log and record, which a dead controller can't keep.

One standard-library file on purpose: it runs as a plain file (``--foreground``, for the hook in the
script's header) and is fed to ``python3 -`` on Zeus (detached, for the playbook).

Files, in the pipeline directory: `.survivor_npz/lock` (flock; held until this process dies, however it
dies) and `.survivor_npz/runs/<utc>-<pid>/{log,times,record.json}`, the newest 20 runs. `times` maps bytes
of the log to elapsed time (pairs of little-endian uint64: byte, millisecond), for those who read it later.
"""

from __future__ import annotations

import argparse
import contextlib
import ctypes
import datetime
import errno
import fcntl
import glob
import json
import os
import selectors
import shutil
import signal
import socket
import struct
import subprocess
import sys
import time
from typing import Any, Callable, Dict, List, Optional, Set, Tuple

HOME = ".survivor_npz"
MARK = "SURVIVOR_NPZ_RUN"
KEEP = 20
TAIL_LINES = 30
GRACE = 5.0
EXIT_REFUSED, EXIT_TIMEOUT, EXIT_TROUBLE = 75, 124, 125
_PR_SET_PDEATHSIG, _PR_SET_CHILD_SUBREAPER = 1, 36
_NOTE_SIZE = 8192
_RESERVE = 196608  # more than any record needs
_RING = 65536
Process = Tuple[int, int]  # pid, start in clock ticks since boot: together they are never reused


class Refused(Exception):  # noqa: N818 - it is an answer, not an error
    """The pipeline directory has a run already; `note` is what is known of it."""

    def __init__(self, note: Dict[str, Any]) -> None:
        super().__init__(refusal(note))
        self.note = note


def refusal(note: Dict[str, Any]) -> str:
    """Say who holds the lock, since when, where its log is, and what can be done."""
    what = f"Step 2.5 is running already on {note.get('host', 'this host')}"
    if note.get("orphans"):
        what = f"A run of Step 2.5 on {note.get('host')} lost its supervisor but is not over"
        what += f" (pids {', '.join(str(pid) for pid in note['orphans'])} live)"
    return (
        f"{what}: pid {note.get('pid', 'not known yet')}, started {note.get('start', 'just now')}, "
        f"log {note.get('log', 'not known yet')}. "
        "Watch it with playbooks/follow.yml, end it with playbooks/stop.yml."
    )


# -- processes -----------------------------------------------------------------------------------------


def boot_id() -> str:
    """Name this boot of the machine: pids of another one mean nothing."""
    with open("/proc/sys/kernel/random/boot_id", encoding="ascii") as file:
        return file.read().strip()


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


# -- lock, note, records -------------------------------------------------------------------------------


def home(directory: str) -> str:
    """Return the supervisor's own directory in a pipeline directory."""
    return os.path.join(directory, HOME)


def records(directory: str) -> List[str]:
    """Return the run directories, oldest first."""
    return sorted(glob.glob(os.path.join(glob.escape(home(directory)), "runs", "[0-9]*T[0-9]*Z-[0-9]*")))


def read_json(path: str) -> Dict[str, Any]:
    """Read a JSON object; {} where there is none or half of one."""
    try:
        with open(path, "rb") as file:
            found = json.loads(file.read())
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def orphaned(directory: str) -> Dict[str, Any]:
    """Return the note of a run whose supervisor died while processes of it live on; {} where there is none.

    Only meaningful while the lock is free: a supervised run's record says "running" too.
    """
    for path in reversed(records(directory)):
        record = read_json(os.path.join(path, "record.json"))
        if record.get("state") == "running" and record.get("boot") == boot_id():
            left = family(record["run"])
            if left:
                return dict(record, orphans=sorted(pid for pid, _ in left))
    return {}


def holder(directory: str) -> Optional[Dict[str, Any]]:
    """Return the note of the run that holds the lock, None where the lock is free. Writes nothing."""
    path = os.path.join(home(directory), "lock")
    for _ in range(20):
        try:
            descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW)
        except FileNotFoundError:
            return None
        try:
            fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
            return None
        except OSError as error:
            if error.errno not in (errno.EAGAIN, errno.EACCES):
                raise
        finally:
            os.close(descriptor)
        note = read_json(path)
        stat = look_at(note.get("supervisor", 0))
        if stat and stat[1] == note.get("supervisor_start") and note.get("pid"):
            return note
        time.sleep(0.05)  # just taken: its note is being written
    return {}


def take_lock(directory: str) -> int:
    """Take the launch lock; returns its descriptor. Raises Refused, OSError."""
    for path in (home(directory), os.path.join(home(directory), "runs")):
        with contextlib.suppress(FileExistsError):
            os.mkdir(path)  # never the pipeline directory itself
    path = os.path.join(home(directory), "lock")
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o644)
    for attempt in range(10):
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            break
        except OSError as error:
            if error.errno not in (errno.EAGAIN, errno.EACCES):
                raise
            note = holder(directory) if attempt in (0, 9) else None
            if note is not None:  # None: it was only somebody looking, for a moment
                os.close(descriptor)
                raise Refused(note) from None
            time.sleep(0.05)
    else:
        os.close(descriptor)
        raise Refused({})
    left = orphaned(directory)
    if left:
        os.close(descriptor)
        raise Refused(left)
    return descriptor


def stamp(path: str) -> Optional[Tuple[int, int, int]]:
    """Identify a file's present content cheaply: inode, size, mtime in ns."""
    try:
        stat = os.stat(path)
    except OSError:
        return None
    return stat.st_ino, stat.st_size, stat.st_mtime_ns


def now() -> str:
    """Return the time, UTC, ISO 8601."""
    return datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds").replace("+00:00", "Z")


class Log:
    """The run's output on disk, and its last 64 KiB in memory. A full disk never stops the script."""

    def __init__(self, directory: str) -> None:
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW
        self.path = os.path.join(directory, "log")
        self._log = os.open(self.path, flags, 0o644)
        self._times = os.open(os.path.join(directory, "times"), flags, 0o644)
        self._began = self._marked = self._retry = time.monotonic()
        self._marked -= 1
        self._tail = bytearray()
        self.size = self.seen = 0
        self.cut: Optional[Dict[str, Any]] = None

    def write(self, data: bytes) -> bool:
        """Keep `data`; True if this is the moment in which the log got cut."""
        self.seen += len(data)
        self._tail += data
        del self._tail[:-_RING]
        moment = time.monotonic()
        if self.cut:
            if moment < self._retry:
                self.cut["lost"] += len(data)
                return False
            lost = self.cut["lost"]
            data = (
                f"\n[survivor_npz: {lost} bytes of output are missing here: {self.cut['why']}]\n".encode()
                + data
            )
        try:
            if moment - self._marked >= 0.5:
                self._marked = moment
                os.write(self._times, struct.pack("<QQ", self.size, int((moment - self._began) * 1000)))
            while data:
                done = os.write(self._log, data)
                self.size += done
                data = data[done:]
        except OSError as error:
            self._retry = moment + 5
            first = self.cut is None
            self.cut = self.cut or {"at": self.size, "lost": 0, "why": os.strerror(error.errno or 0)}
            self.cut["lost"] += len(data)
            return first
        return False

    def tail(self) -> List[str]:
        """Return the last lines, each cut to what a screen can show."""
        lines = bytes(self._tail).decode(errors="backslashreplace").rstrip("\n").split("\n")[-TAIL_LINES:]
        return [line.rstrip("\r").rpartition("\r")[2][:600] for line in lines]

    def close(self) -> None:
        """Push it to disk, as far as the disk allows."""
        for descriptor in (self._log, self._times):
            with contextlib.suppress(OSError):
                os.fsync(descriptor)
            os.close(descriptor)


class Run:
    """One run: what is known of it, on disk and in the lock's note."""

    def __init__(self, job: Dict[str, Any], lock: int) -> None:
        self.job, self._lock = job, lock
        self._began = time.monotonic()
        name = f"{datetime.datetime.now(datetime.timezone.utc):%Y%m%dT%H%M%SZ}-{os.getpid()}"
        self.directory = os.path.join(home(job["dir"]), "runs", name)
        for old in records(job["dir"])[: -(KEEP - 1)]:
            shutil.rmtree(old, ignore_errors=True)
        os.mkdir(self.directory)
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
            "start": now(),
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
        descriptor = os.open(self._reserve, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
        try:
            os.posix_fallocate(descriptor, 0, _RESERVE)
        finally:
            os.close(descriptor)

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
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT, 0o644)
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
            end=now(),
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


# -- the supervisor ------------------------------------------------------------------------------------


class Supervisor:
    """Start the script, carry its output, hold its time limit, end it with its children, know its end.

    Args:
        run: the run to supervise; its job has `dir`, `command`, and may have `timeout`, `grace` (seconds) and
            `environment` (added to ours).
        outputs: () detached; (1, 2) in the foreground: where the script's output and errors are passed on.
    """

    def __init__(self, run: Run, outputs: Tuple[int, ...] = ()) -> None:
        self.run, self._job, self._outputs = run, run.job, outputs
        self._selector = selectors.PollSelector()
        self._sources: Set[int] = set()
        self._waiting: Dict[int, bytes] = {}  # what our own output could not take yet
        self._code: Optional[int] = None
        self._ended_by: Optional[Dict[str, Any]] = None
        self._deadline = time.monotonic() + self._job["timeout"] if self._job.get("timeout") else None
        self._kill_at = self._look_at = 0.0
        self._told: Set[Process] = set()
        self._killed: Set[Process] = set()
        self._pid = 0
        self._wakeup = self._catch_signals()

    def _catch_signals(self) -> int:
        reader, writer = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
        self._selector.register(reader, selectors.EVENT_READ)
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._on_stop)
        if not self._outputs:
            signal.signal(signal.SIGHUP, lambda *_: None)  # the connection ended: not our business
        elif signal.getsignal(signal.SIGHUP) != signal.SIG_IGN:  # nohup stays nohup
            signal.signal(signal.SIGHUP, self._on_stop)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        return reader

    def _on_stop(self, number: int, _frame: Any) -> None:
        self.stop("stopped", "Step 2.5 was stopped", 128 + number)

    def stop(self, verdict: str, message: str, code: int) -> None:
        """Begin to end the script and whatever it started; the first reason stands."""
        if self._ended_by is None and self._code is None:
            self._ended_by = {"verdict": verdict, "message": message, "code": code}
            self._kill_at = time.monotonic() + self._job.get("grace", GRACE)

    def start(self) -> int:
        """Start the script in a session of its own; returns its pid. Raises OSError."""
        libc = ctypes.CDLL(None, use_errno=True)
        libc.prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
        environment = dict(os.environ, PYTHONUNBUFFERED="1", PWD=self._job["dir"])
        environment.update(self._job.get("environment", {}))
        environment[MARK] = self.run.record["run"]

        def spawn(command: List[str]) -> subprocess.Popen[bytes]:
            return subprocess.Popen(
                command,
                cwd=self._job["dir"],
                env=environment,
                stdin=None if self._outputs else subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE if self._outputs else subprocess.STDOUT,
                start_new_session=True,
                # Should this process be killed, the script must not go on without lock and time limit.
                preexec_fn=lambda: libc.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0),  # noqa: PLW1509
                bufsize=0,
            )

        try:
            self._child = spawn(self._job["command"])
        except OSError as error:
            if error.errno != errno.ENOEXEC:
                raise
            self._child = spawn(["bash", *self._job["command"]])  # no shebang: what a shell would do
        for index, pipe in enumerate((self._child.stdout, self._child.stderr)):
            if pipe is not None:
                self._sources.add(pipe.fileno())
                self._listen(pipe.fileno(), self._outputs[index] if self._outputs else None)
        self._pid = self._child.pid
        self.run.started(self._pid)
        return self._pid

    def _listen(self, source: int, target: Optional[int]) -> None:
        os.set_blocking(source, False)
        self._selector.register(source, selectors.EVENT_READ, target)

    def _reap(self) -> None:
        """Collect every dead child: the script, and the orphans that a subreaper inherits."""
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            if pid == self._pid:
                code = os.waitstatus_to_exitcode(status)
                self._child.returncode = code
                self._code = 128 - code if code < 0 else code

    def _press(self) -> bool:
        """Carry a stop on; True when nobody is left, or nothing more can be done."""
        moment = time.monotonic()
        if moment < self._look_at:
            return False
        self._look_at = moment + 0.1
        left = family(self.run.record["run"], os.getpid())
        if not left and self._code is not None:
            return True
        for process in left - self._told:  # each once: also who was born since
            send(process, signal.SIGTERM)
            send(process, signal.SIGCONT)
        self._told |= left
        if moment >= self._kill_at:
            self._killed |= {process for process in left if send(process, signal.SIGKILL)}
        return moment >= self._kill_at + 10

    def _take(self, source: int, target: Optional[int]) -> None:
        """Take a piece of output from the script into the log, and pass it on in the foreground."""
        try:
            data = os.read(source, 65536)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            self._selector.unregister(source)
            self._sources.discard(source)
            return
        if self.run.log.write(data):
            self.run.record["log_cut"] = dict(self.run.log.cut or {})
            with contextlib.suppress(OSError):
                self.run.note()
        if target is not None:
            # Take no more until this is gone: a slow reader slows the script down, as it would without us.
            self._selector.unregister(source)
            self._waiting[target] = data
            try:
                self._selector.register(target, selectors.EVENT_WRITE, source)
            except (OSError, ValueError):
                self._passed_on(target, source, None)

    def _pass_on(self, target: int, source: int) -> None:
        try:
            # At most PIPE_BUF: a pipe that polls writable takes so much without blocking us.
            done = os.write(target, self._waiting[target][:4096])
        except BlockingIOError:
            return
        except OSError:  # nobody reads any more: the script goes on, its log has everything
            self._selector.unregister(target)
            self._passed_on(target, source, None)
            return
        self._waiting[target] = self._waiting[target][done:]
        if not self._waiting[target]:
            self._selector.unregister(target)
            self._passed_on(target, source, target)

    def _passed_on(self, target: int, source: int, then: Optional[int]) -> None:
        del self._waiting[target]
        self._listen(source, then)

    def _over(self, drain_until: float) -> bool:
        """True when the script is gone and its output is in, or those who hold it had their time."""
        late = time.monotonic() >= drain_until
        past_limit = self._deadline is not None and time.monotonic() >= self._deadline
        return (not self._sources or late) and (not self._waiting or past_limit)

    def watch(self) -> int:
        """Supervise until the end; returns the exit code for our own caller."""
        drain_until = 0.0
        while True:
            if self._deadline is not None and time.monotonic() >= self._deadline:
                limit = f"Step 2.5 passed its time limit of {self._job['timeout']:g} s and was stopped"
                self.stop("timeout", limit, EXIT_TIMEOUT)
            if self._ended_by is not None:
                if self._press():
                    break
                wait = 0.1
            elif self._code is not None:
                # A child that outlives the script may hold its output open for ever.
                drain_until = drain_until or time.monotonic() + 2
                if self._over(drain_until):
                    break
                wait = 0.1
            else:
                wait = max(0.0, self._deadline - time.monotonic()) if self._deadline is not None else 3600.0
            for key, _ in self._selector.select(wait):
                if key.fd == self._wakeup:
                    os.read(self._wakeup, 512)
                elif key.events & selectors.EVENT_WRITE:
                    self._pass_on(key.fd, key.data)
                else:
                    self._take(key.fd, key.data)
            self._reap()
        return self.end()

    def end(self, trouble: str = "") -> int:
        """Write the verdict; returns the exit code for our own caller."""
        for source in self._sources:  # what the last process left in the pipe
            with contextlib.suppress(OSError):
                while data := os.read(source, 65536):
                    self.run.log.write(data)
        if trouble:
            self._ended_by = {"verdict": "failed", "message": trouble, "code": EXIT_TROUBLE}
        code = EXIT_TROUBLE if self._code is None else self._code
        if self._ended_by is not None:
            self._ended_by.update(signalled=len(self._told), killed=len(self._killed))
        self.run.finish(code, self._ended_by, family(self.run.record["run"], os.getpid()))
        return self._ended_by["code"] if self._ended_by is not None else code


def supervise(job: Dict[str, Any], outputs: Tuple[int, ...], tell: Callable[[Dict[str, Any]], None]) -> int:
    """Take the lock, start the job, watch it to its end.

    `tell` is called once, with `{"started": True, ...}`, `{"refused": note, "error": text}` or
    `{"error": text}`. Returns the exit code.
    """
    job = dict(job, dir=os.path.realpath(job["dir"]))
    try:
        run = Run(job, take_lock(job["dir"]))
    except Refused as refused:
        tell({"refused": refused.note, "error": str(refused)})
        return EXIT_REFUSED
    except OSError as error:
        tell({"error": f"Cannot keep a run record in {home(job['dir'])}: {error.strerror or error}"})
        return EXIT_TROUBLE
    supervisor = Supervisor(run, outputs)
    try:
        supervisor.start()
    except OSError as error:
        shutil.rmtree(run.directory, ignore_errors=True)
        tell({"error": f"Cannot start {job['command'][0]} in {job['dir']}: {error.strerror or error}"})
        return 127 if error.errno == errno.ENOENT else 126
    tell(dict(run.record, started=True))
    try:
        return supervisor.watch()
    except Exception as error:  # a supervisor that broke must not leave a run without lock and limit
        for process in family(run.record["run"], os.getpid()):
            send(process, signal.SIGKILL)
        return supervisor.end(f"The supervisor failed, and Step 2.5 was stopped: {error!r}")


def main(argv: Optional[List[str]] = None) -> int:
    """Run from the command line, or from the module with `--job FD` (a socket: job in, answer out)."""
    while (null := os.open(os.devnull, os.O_RDWR)) < 3:
        pass  # an orchestrator may start us with 0, 1 or 2 closed: our log must not become one of them
    os.close(null)
    parser = argparse.ArgumentParser(description="Supervise one run of Step 2.5.")
    mode = parser.add_mutually_exclusive_group(required=True)
    mode.add_argument("--foreground", action="store_true", help="pass output and exit code through")
    mode.add_argument("--job", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--dir", default=".", help="the pipeline directory")
    parser.add_argument("--timeout", type=float, help="seconds; then the script is stopped (exit code 124)")
    parser.add_argument("--grace", type=float, default=GRACE, help="seconds between SIGTERM and SIGKILL")
    parser.add_argument("--creates", action="append", default=[], help="a file that the run must write")
    parser.add_argument("--known", type=json.loads, default={}, help="JSON for the record: npz, proved")
    parser.add_argument("command", nargs="*", help="after --: the command and its arguments")
    options = parser.parse_args(argv)
    if options.job is not None:
        with socket.socket(fileno=options.job) as channel, channel.makefile("rw", encoding="utf-8") as file:
            job = json.loads(file.readline())

            def answer(message: Dict[str, Any]) -> None:
                file.write(json.dumps(message) + "\n")
                file.flush()
                channel.shutdown(socket.SHUT_RDWR)

            return supervise(job, (), answer)
    if not options.command:
        parser.error("no command")
    job = {key: getattr(options, key) for key in ("dir", "timeout", "grace", "creates", "command")}
    job.update({key: options.known[key] for key in ("npz", "proved") if key in options.known})

    def complain(message: Dict[str, Any]) -> None:
        if "error" in message:
            os.write(2, f"survivor_npz: {message['error']}\n".encode())

    return supervise(job, (1, 2), complain)


if __name__ == "__main__":
    sys.exit(main())
