# SPDX-License-Identifier: MIT
"""Whether the proof that a job brings still holds, judged while the launch lock is held."""

from __future__ import annotations

import hashlib
from typing import Any

from . import lease
from .clocks import boot_id, uptime

LOOK_AGE = 60.0  # seconds that may pass between the oldest look of a proof and the start


def stale(directory: str, stamp: dict[str, Any]) -> str:
    """Say why the looks behind a proof no longer count; "" if they do, or if the job brings no stamp.

    Args:
        directory: the pipeline directory.
        stamp: of the oldest look: `boot`, `clock` (boot clock, seconds), `number` (the newest transaction
            then, or the run's own) and, if the run's own lease may still hold, its `token`.
    """
    if not stamp:
        return ""
    if stamp.get("boot") != boot_id():
        return "This host restarted after the hosts were looked at. Nothing was started; run again"
    try:
        newest = lease.read(directory)
    except lease.LeaseError as error:
        return f"{error}. Nothing was started"
    try:
        age, number = uptime() - float(stamp["clock"]), int(stamp["number"])
    except (KeyError, TypeError, ValueError, OverflowError):
        return f"The proof has no usable stamp ({stamp}). Nothing was started; run again"
    token = stamp.get("token", "")
    trouble = lease.conflict(newest, number, token)
    unended = bool(newest) and newest["token"] != token and not newest["ended"]
    # No host switches after the end of a lease, and each look waits for a rename that is under way.
    if not trouble and unended and float(stamp["clock"]) < lease.ends(newest):
        trouble = f"Hosts were looked at before a transaction was over: {lease.who(newest)}. Run again"
    if not trouble and not -1 <= age <= LOOK_AGE:
        trouble = (
            f"The hosts were last looked at {age:.0f} s ago; at most {LOOK_AGE:g} s is allowed. Run again"
        )
    return f"{trouble}. Nothing was started" if trouble else ""


def other_bytes(npz: dict[str, Any]) -> str:
    """Say what the live NPZ is now; "" if it is still the proven one, or if the job names none.

    Args:
        npz: `sha256` and `path`, as proven before the launch lock was taken.
    """
    proven, path = npz.get("sha256"), npz.get("path")
    if not proven or not path:
        return ""
    digest = hashlib.sha256()
    try:
        with open(path, "rb") as file:
            while piece := file.read(1 << 20):
                digest.update(piece)
    except OSError as error:
        return f"it can't be read ({error.strerror})"
    if digest.hexdigest() == proven:
        return ""
    return f"its SHA-256 is {digest.hexdigest()[:12]}…, proven was {proven[:12]}…"


def disproved(job: dict[str, Any]) -> dict[str, Any]:
    """Return the refusal of a job whose proof no longer holds, as `supervise` reports it; {} if it holds."""
    npz = job.get("npz") or {}
    if trouble := stale(job["dir"], job.get("stamp") or {}):
        return {"refused": {"stale": job["stamp"]}, "error": trouble}
    if found := other_bytes(npz):
        text = f"{npz['path']} changed between the proof and the start of Step 2.5: {found}. "
        text += "Another controller or program wrote it. Nothing was started; run again"
        return {"refused": {"changed": npz}, "error": text}
    return {}
