# SPDX-License-Identifier: MIT
"""Break a host, and repair it: what happens to machines, done on purpose."""

from __future__ import annotations

from contextlib import suppress
from typing import NamedTuple

from hosts import disks
from hosts.commands import run
from hosts.fleet import Fleet

FILLER = ".filler"


def _incoming(fleet: Fleet, name: str, action: str, *rule: str) -> str:
    pid = str(fleet.backend.pid(fleet.id, fleet.hosts[name]))
    return run("nsenter", "-t", pid, "-n", "iptables", action, "INPUT", *rule)


def cut(fleet: Fleet, name: str, after_bytes: int = 0) -> None:
    """Cut the host's network: no answer, no refusal; `after_bytes` more bytes still come in."""
    if after_bytes:
        _incoming(fleet, name, "-A", "-m", "quota", "--quota", str(after_bytes), "-j", "ACCEPT")
    _incoming(fleet, name, "-A", "!", "-i", "lo", "-j", "DROP")


class Connections(NamedTuple):
    """SSH connections opened to a host, and all bytes that came in."""

    opened: int
    bytes: int


def count_connections(fleet: Fleet, name: str) -> None:
    """Count from now on; `heal` ends it."""
    heal(fleet, name)
    for rule in (["--syn"], []):
        _incoming(fleet, name, "-A", "-p", "tcp", "--dport", "22", *rule)


def connections(fleet: Fleet, name: str) -> Connections:
    """What was counted since `count_connections`."""
    rules = _incoming(fleet, name, "-L", "-v", "-x", "-n").splitlines()[2:]
    return Connections(int(rules[0].split()[0]), int(rules[1].split()[1]))


def heal(fleet: Fleet, name: str) -> None:
    """Repair the network."""
    _incoming(fleet, name, "-F")


def kill(fleet: Fleet, name: str) -> None:
    """A power cut; what hangs on a frozen disk is let go, or the kernel could not end it."""
    disks.thaw(fleet.hosts[name].home)
    fleet.backend.kill(fleet.id, fleet.hosts[name])


def start(fleet: Fleet, name: str) -> None:
    """Power is back: the disk is as it was, the RAM disk empty."""
    fleet.backend.start(fleet.id, fleet.hosts[name])
    fleet.wait(fleet.hosts[name])


def reboot(fleet: Fleet, name: str) -> None:
    """Kill and start."""
    kill(fleet, name)
    start(fleet, name)


def fill(fleet: Fleet, name: str) -> None:
    """Fill the host's disk to the last block."""
    with (fleet.hosts[name].home / FILLER).open("wb", buffering=0) as handle:
        for size in (1 << 20, 4096, 1):
            with suppress(OSError):  # ENOSPC: what is left is smaller than this
                while handle.write(bytes(size)):
                    pass


def empty(fleet: Fleet, name: str) -> None:
    """Take the filler away."""
    (fleet.hosts[name].home / FILLER).unlink(missing_ok=True)


def hang(fleet: Fleet, name: str) -> None:
    """The disk hangs: writes never end, SSH stays alive."""
    disks.frozen(fleet.hosts[name].home)


def unhang(fleet: Fleet, name: str) -> None:
    """The disk works again."""
    disks.thaw(fleet.hosts[name].home)


def read_only(fleet: Fleet, name: str, on: int = 1) -> None:
    """The file system turns read-only, as ext4 does after an error; or is writable again."""
    run("mount", "-o", f"remount,{'ro' if on else 'rw'}", str(fleet.hosts[name].home))
