"""Supervise one run from its start to its exit code, as asked on the command line or by a module."""

from __future__ import annotations

import argparse
import errno
import hashlib
import json
import os
import shutil
import signal
import socket
from typing import Any, Callable, Dict, List, Optional, Tuple

from .home import home
from .lock import Refused, take_lock
from .processes import family, send
from .run import GRACE, Run
from .supervisor import EXIT_TROUBLE, Supervisor

EXIT_REFUSED = 75


def other_bytes(npz: Dict[str, Any]) -> str:
    """Say that the live NPZ is not the proved one any more; "" where it is, or where no proof is at hand.

    Args:
        npz: `sha256` and `path`, as proved before the lock was ours. Who switches next finds a run.
    """
    proved, path = npz.get("sha256"), npz.get("path")
    if not proved or not path:
        return ""
    digest = hashlib.sha256()
    try:
        with open(path, "rb") as file:
            while piece := file.read(1 << 20):
                digest.update(piece)
    except OSError as error:
        found = f"it can't be read ({error.strerror})"
    else:
        if digest.hexdigest() == proved:
            return ""
        found = f"its SHA-256 is {digest.hexdigest()[:16]}…"
    return (
        f"{path} changed between the proof and the start of Step 2.5: {found}, proved was {proved[:16]}…. "
        "Another controller or a program wrote it. Nothing was started; run again"
    )


def supervise(job: Dict[str, Any], outputs: Tuple[int, ...], tell: Callable[[Dict[str, Any]], None]) -> int:
    """Take the lock, start the job, watch it to its end.

    `tell` is called once, with `{"started": True, ...}`, `{"refused": note, "error": text}` or
    `{"error": text}`. The note of a refusal is the run in the way, or `changed`: an NPZ that is no longer the
    proved one. Returns the exit code.
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
    trouble = other_bytes(job.get("npz") or {})
    if trouble:
        shutil.rmtree(run.directory, ignore_errors=True)
        tell({"refused": {"changed": job["npz"]}, "error": trouble})
        return EXIT_REFUSED
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
