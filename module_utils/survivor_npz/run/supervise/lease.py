# SPDX-License-Identifier: MIT
"""The lease of a fleet, on the coordinator: one controller at a time may change live copies.

`lease.json` holds the newest transaction: its number, who began it, and until when. Every lease raises the
number: a supervisor can tell that a transaction began after the looks on which a proof rests. Only the boot
clock counts. A lease that its holder neither renews nor ends expires; the next one takes over.
"""

from __future__ import annotations

import contextlib
import json
import os
import time
from collections.abc import Iterator
from typing import Any

from .clocks import boot_id, uptime, utc
from .home import home, is_at, make_private, open_lock, sync_dir, try_lock
from .processes import plain

LONGEST = 600.0  # seconds; a dead controller blocks nobody for longer
_PATIENCE = 10.0
_TYPES = {"number": int, "token": str, "controller": str, "boot": str, "begun": float, "expires": float}
_TYPES.update(begun_utc=str, ended=bool)


class LeaseError(Exception):
    """The lease can't be had or read; `note` describes the one in the way, if there is one."""

    def __init__(self, message: str, found: dict[str, Any] | None = None) -> None:
        super().__init__(message)
        self.note = note(found)


def read(directory: str) -> dict[str, Any]:
    """Return the newest lease, {} if there was none. Raises LeaseError for a file that is not a lease."""
    path = os.path.join(home(directory), "lease.json")
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
        with os.fdopen(descriptor, "rb") as file:
            found = json.loads(file.read(65536))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise _unknown(path, getattr(error, "strerror", None) or "it is not JSON") from None
    if not isinstance(found, dict):
        raise _unknown(path, "it is not a JSON object")
    for key, kind in _TYPES.items():
        accepted = (int, float) if kind is float else kind
        value = found.get(key)
        if not isinstance(value, accepted) or (isinstance(value, bool) and kind is not bool):
            raise _unknown(path, f"its key {key!r} is missing or has the wrong type")
    if found["number"] < 1:
        raise _unknown(path, "its number is less than 1")
    return dict(found, controller=plain(found["controller"], 200), begun_utc=plain(found["begun_utc"], 200))


def _unknown(path: str, why: str) -> LeaseError:
    return LeaseError(
        f"{path} can't be used as a lease: {why}. The number of the newest transaction is unknown. "
        "Make sure that no other controller is at work, remove the file, and run again"
    )


def ends(lease: dict[str, Any]) -> float:
    """When a lease ends at the latest, in seconds of this boot's clock.

    Every host may switch until then by a clock of its own. After a restart of this one all that is known is
    that the lease began before: as many seconds after the restart as it was given, it is over everywhere.
    """
    restarted = lease["boot"] != boot_id()
    return float(lease["expires"] - lease["begun"] if restarted else lease["expires"])


def note(lease: dict[str, Any] | None) -> dict[str, Any]:
    """Describe a lease to people; {} for none. `left` is in seconds."""
    if not lease:
        return {}
    left = round(ends(lease) - uptime(), 1)
    until, left = utc(left), max(0.0, left)
    kept = {key: lease[key] for key in ("number", "token", "controller", "begun_utc", "ended")}
    return {**kept, "until": until, "left": left, "expired": not left}


def state(directory: str) -> dict[str, Any]:
    """Return what a run must know before its first look. Writes nothing.

    `stamp`: `boot`, `clock` (boot clock, seconds) and `number` (of the newest transaction, None if unknown).
    `lease`: the note of that transaction, None if there was none, `{"trouble": text}` if it is unknown.
    """
    stamp: dict[str, Any] = {"boot": boot_id(), "clock": uptime(), "number": None}
    try:
        newest = read(directory)
    except LeaseError as error:
        return {"stamp": stamp, "lease": {"trouble": str(error)}}
    return {"stamp": {**stamp, "number": newest.get("number", 0)}, "lease": note(newest) or None}


def who(lease: dict[str, Any]) -> str:
    """Say who began a transaction, since when and until when."""
    known = note(lease)
    if known["ended"]:
        end = "has ended"
    elif known["left"]:
        end = f"until {known['until']} ({known['left']:.0f} s left)"
    else:
        end = f"expired at {known['until']} without having ended"
    return f"{known['controller']}, transaction {known['number']}, begun {known['begun_utc']}, {end}"


def conflict(lease: dict[str, Any], seen: int, token: str) -> str:
    """Say why a controller that has seen transaction `seen` must stop; "" if `lease` is not in its way."""
    number = lease.get("number", 0)
    other = bool(lease) and lease["token"] != token
    if other and not lease["ended"] and not note(lease)["expired"]:
        return f"Another controller is changing the fleet: {who(lease)}. Run again when it has ended"
    if number < seen:
        return f"The newest transaction was {seen} and is {number} now: lease.json was removed. Run again"
    if other and number > seen:
        return f"Another controller began a transaction after this run looked: {who(lease)}. Run again"
    return ""


def take(
    directory: str, token: str, controller: str, seconds: float, *, seen: int, dry: bool = False
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Begin transaction `seen` + 1, which holds for `seconds`; with `dry`, only check that it could begin.

    The same request repeated finds its own lease. Returns the lease, and the note of an expired one that its
    holder never ended ({} if there is none): what that transaction staged must be removed before a new look.
    Raises LeaseError, OSError.
    """
    if not token or not 0 < seconds <= LONGEST:
        raise LeaseError(f"A lease needs a token, and from 1 to {LONGEST:g} seconds")
    with contextlib.nullcontext() if dry else locked(directory):
        newest = read(directory)
        repeated = bool(newest) and (newest["token"], newest["number"]) == (token, seen + 1)
        if repeated and not newest["ended"] and not note(newest)["expired"]:
            return newest, {}
        trouble = conflict(newest, seen, token)
        if trouble:
            raise LeaseError(f"{trouble}. Nothing live was changed", newest)
        moment = uptime()
        lease = {
            "number": newest.get("number", 0) + 1,
            "token": token,
            "controller": plain(controller, 200),
            "boot": boot_id(),
            "begun": moment,
            "expires": round(moment + seconds, 3),
            "begun_utc": utc(),
            "ended": False,
        }
        if not dry:
            write(directory, "lease.json", lease)
    return lease, note(newest) if newest and not newest["ended"] and not repeated else {}


def renew(directory: str, token: str, seconds: float) -> dict[str, Any]:
    """Let one's own lease hold for `seconds` from now; returns it. Raises LeaseError, OSError."""
    with locked(directory):
        newest = read(directory)
        if not newest or newest["token"] != token:
            lost = f"another controller took it over: {who(newest)}" if newest else "lease.json was removed"
            raise LeaseError(f"The lease was lost; {lost}. Stop here and run again", newest)
        if newest["ended"] or note(newest)["expired"]:
            raise LeaseError(f"The lease was lost: {who(newest)}. Stop here and run again", newest)
        lease = dict(newest, expires=round(uptime() + min(seconds, LONGEST), 3))
        write(directory, "lease.json", lease)
    return lease


def end(directory: str, token: str) -> bool:
    """End one's own lease; returns False, and changes nothing, if it has ended or is another's.

    Raises LeaseError, OSError.
    """
    if not os.path.lexists(home(directory)):
        return False
    with locked(directory):
        newest = read(directory)
        if not newest or newest["token"] != token or newest["ended"]:
            return False
        write(directory, "lease.json", dict(newest, ended=True))
    return True


@contextlib.contextmanager
def locked(directory: str) -> Iterator[None]:
    """Hold the lock of these JSON files, for moments only: a running Step 2.5 holds the launch lock for hours."""
    path = os.path.join(make_private(directory), "lease.lock")
    until = time.monotonic() + _PATIENCE
    while True:
        descriptor = open_lock(path, create=True)
        try:
            if try_lock(descriptor) and is_at(descriptor, path):
                yield
                return
        finally:
            os.close(descriptor)
        if time.monotonic() > until:
            raise LeaseError(
                f"{path} has been locked for {_PATIENCE:g} s. Find the holder with `fuser -v {path}` or "
                f"`lsof {path}`, end it, and run again"
            )
        time.sleep(0.02)


def write(directory: str, name: str, content: Any) -> None:
    """Replace a JSON file of the supervisor's directory, durably and as a whole."""
    place = home(directory)
    new = os.path.join(place, f"{name}.tmp")
    descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(json.dumps(content).encode() + b"\n")
        file.flush()
        os.fsync(file.fileno())
    os.replace(new, os.path.join(place, name))
    sync_dir(place)
