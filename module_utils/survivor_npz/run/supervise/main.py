# SPDX-License-Identifier: MIT
"""Supervise one run from its start to its exit code, as asked on the command line or by a module."""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import shutil
import signal
import socket
from typing import Any, Callable

from .home import home, is_at
from .lock import Refused, take_lock
from .processes import family, send
from .proof import disproved
from .run import GRACE, Run
from .supervisor import EXIT_TROUBLE, Supervisor

EXIT_REFUSED = 75


def supervise(job: dict[str, Any], outputs: tuple[int, ...], tell: Callable[[dict[str, Any]], None]) -> int:
    """Take the lock, check the proof, start the job, watch it to its end.

    `tell` is called once, with `{"started": True, ...}`, `{"refused": note, "error": text}` or
    `{"error": text}`. The note of a refusal is the run in the way, or says what was proven and holds no
    longer: `changed` (the NPZ) or `stale` (the stamp). Returns the exit code.
    """
    job = dict(job, dir=os.path.realpath(job["dir"]))
    try:
        lock = take_lock(job["dir"])
        run = Run(job, lock)
    except Refused as refused:
        tell(refused.answer())
        return EXIT_REFUSED
    except OSError as error:
        place = error.filename or home(job["dir"])
        tell({"error": f"Cannot keep a run record: {place}: {error.strerror or error}"})
        return EXIT_TROUBLE
    # Deleted before there was a record, the lock excludes nobody; after that, the record does.
    path = os.path.join(home(job["dir"]), "lock")
    refusal = disproved(job) if is_at(lock, path) else Refused({"lock": path}).answer()
    if refusal:
        shutil.rmtree(run.directory, ignore_errors=True)
        tell(refusal)
        return EXIT_REFUSED
    supervisor = Supervisor(run, outputs)
    try:
        supervisor.start()
    except (OSError, ValueError) as error:  # ValueError: a null byte, or = in the name of a variable
        shutil.rmtree(run.directory, ignore_errors=True)
        why = getattr(error, "strerror", None) or error
        tell({"error": f"Cannot start {job['command'][0]} in {job['dir']}: {why}"})
        return 127 if isinstance(error, FileNotFoundError) else 126
    tell(dict(run.record, started=True))
    try:
        return supervisor.watch()
    except Exception as error:  # a supervisor that broke must not leave a run without lock and limit
        for _ in range(3):  # one that was just being started is in no earlier look
            for process in family(run.record["run"], os.getpid()):
                send(process, signal.SIGKILL)
        return supervisor.end(f"The supervisor failed, and Step 2.5 was stopped: {error!r}")


def main(argv: list[str] | None = None) -> int:
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
    parser.add_argument("--known", type=json.loads, default={}, help="JSON: npz, proved, stamp")
    parser.add_argument("command", nargs="*", help="after --: the command and its arguments")
    options = parser.parse_args(argv)
    if options.job is not None:
        with socket.socket(fileno=options.job) as channel:
            with channel.makefile(encoding="utf-8") as lines:
                job = json.loads(lines.readline())

            def answer(message: dict[str, Any]) -> None:
                # The asker may be gone. What has begun is to be supervised all the same.
                with contextlib.suppress(OSError):
                    channel.sendall((json.dumps(message) + "\n").encode())

            return supervise(job, (), answer)
    if not options.command:
        parser.error("no command")
    job = {key: getattr(options, key) for key in ("dir", "timeout", "grace", "creates", "command")}
    job.update({key: options.known[key] for key in ("npz", "proved", "stamp") if key in options.known})

    def complain(message: dict[str, Any]) -> None:
        if "error" in message:
            os.write(2, f"survivor_npz: {message['error']}\n".encode())

    return supervise(job, (1, 2), complain)
