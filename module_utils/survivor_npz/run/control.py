# SPDX-License-Identifier: MIT
"""Start, look at, read and stop runs of Step 2.5 from outside their supervisor. Standard library only."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
from typing import Any

from ansible.module_utils.survivor_npz.run.supervise import bundle, lease
from ansible.module_utils.survivor_npz.run.supervise.home import read_json, records
from ansible.module_utils.survivor_npz.run.supervise.lock import in_the_way, refusal
from ansible.module_utils.survivor_npz.run.supervise.processes import Process, family, look_at, matching, send
from ansible.module_utils.survivor_npz.run.supervise.run import GRACE

_LOST = (
    "How this run of Step 2.5 ended is unknown: its supervisor was killed or the host restarted. "
    "Read the end of its log"
)
_PATIENCE_S = 30  # with a supervisor that neither answers nor dies


class RunError(Exception):
    """An error for the operator; `note` is the run in the way, if there is one."""

    def __init__(self, message: str, note: dict[str, Any] | None = None) -> None:
        super().__init__(message)
        self.note = note


def command(directory: str, script: str, arguments: list[str]) -> list[str]:
    """Return the argument list: the script itself if it may be executed, else bash with it.

    Raises RunError if no script is named.
    """
    if not script:
        raise RunError("No script is named: set script to the file that starts Step 2.5")
    path = os.path.join(directory, os.path.expanduser(script))
    return [path, *arguments] if os.access(path, os.X_OK) else ["bash", path, *arguments]


def start(job: dict[str, Any]) -> dict[str, Any]:
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
        child.returncode = 0  # it outlives this process: nobody waits for it here
        its.close()
        if child.stdin is not None:
            with contextlib.suppress(BrokenPipeError), child.stdin as text:
                text.write(bundle.text().encode())
        answer = _ask(mine, job)
    if not answer.get("started"):
        trouble = answer.get("error", "The supervisor died before it could start anything")
        raise RunError(trouble, answer.get("refused"))
    return dict(answer)


def _ask(supervisor: socket.socket, job: dict[str, Any]) -> dict[str, Any]:
    """Send the job; return the answer, {} if the supervisor died without one."""
    supervisor.settimeout(_PATIENCE_S)
    try:
        supervisor.sendall((json.dumps(job) + "\n").encode())
        with supervisor.makefile(encoding="utf-8") as lines:
            return dict(json.loads(lines.readline() or "{}"))
    except socket.timeout:
        raise RunError(
            f"The supervisor has not answered for {_PATIENCE_S} s, and may still start Step 2.5. "
            "Look with ansible-playbook playbooks/status.yml, then run again"
        ) from None
    except OSError:
        return {}


def finished(directory: str, run: str | None = None) -> dict[str, Any]:
    """Return the record of a run that is over (default: the last one), {} if there is none."""
    paths = records(directory)
    chosen = [path for path in paths if run is None or os.path.basename(path) == run]
    record = read_json(os.path.join(chosen[-1], "record.json")) if chosen else {}
    if record.get("state") == "running":
        record.update(state="ended", verdict="lost", message=_LOST)
    return record


def query(directory: str) -> dict[str, Any]:
    """Return whether a run is on, the last one that ended, and the newest transaction. Writes nothing.

    Keys: `running`, `message`, `stamp`, `lease` (see lease.state), and the run's note or `last`.
    Raises OSError.
    """
    known = lease.state(directory)
    note = in_the_way(directory)
    if not note:
        message = "Step 2.5 is not running"
        return {"running": False, "last": finished(directory), "message": message, **known}
    return {"running": True, **note, "message": refusal(note), **known}


def take_lease(
    directory: str,
    token: str,
    controller: str,
    seconds: float,
    *,
    seen: int,
    while_running: bool = False,
    dry: bool = False,
) -> dict[str, Any]:
    """Take the fleet's lease (see lease.take), then look for a running Step 2.5; with `dry`, predict it.

    A supervisor does the reverse: it takes the launch lock, then looks at the lease. So one of two that begin
    together always sees the other. Returns the lease and `previous`, `running`, `message`.
    Raises RunError, also while Step 2.5 runs, unless `while_running`; lease.LeaseError; OSError.
    """
    taken, previous = lease.take(directory, token, controller, seconds, seen=seen, dry=dry)
    answer = query(directory)
    if answer["running"] and not while_running:
        if not dry:
            lease.end(directory, token)
        raise RunError(answer["message"], {key: value for key, value in answer.items() if key != "message"})
    return {**taken, "previous": previous, "running": answer["running"], "message": answer["message"]}


def stop(directory: str, run: str | None = None) -> dict[str, Any]:
    """End the run that is on (only `run`, if given) with everything it started on this host.

    Returns its record, {} if nothing runs. Raises RunError if it can't be ended.
    """
    note = in_the_way(directory)
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
        trouble = (
            f"Step 2.5 could not be ended: pids {pids} still run (another user's, or stuck in the kernel)"
        )
        raise RunError(trouble, note)
    message = "Step 2.5 was stopped; it had lost its supervisor"
    return {**finished(directory, note["run"]), "verdict": "stopped", "message": message}


def workers(directory: str, match: str) -> list[dict[str, Any]]:
    """List the processes whose command line contains `match`, without those of the run that is on.

    See processes.matching. Raises RunError for an empty text, OSError.
    """
    if not match.strip():
        raise RunError("No text is given: set match to a part of the workers' command line")
    note = in_the_way(directory)
    own = family(note["run"], note["supervisor"]) if "run" in note else set()
    return matching(match, own)


def _alive(processes: set[Process]) -> set[Process]:
    return {one for one in processes if (stat := look_at(one[0])) and stat[1] == one[1]}


def _wait(processes: set[Process], seconds: float) -> bool:
    """Wait for processes to be gone; False if some are left."""
    until = time.monotonic() + seconds
    while _alive(processes):
        if time.monotonic() > until:
            return False
        time.sleep(0.05)
    return True
