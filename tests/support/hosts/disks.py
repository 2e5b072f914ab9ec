# SPDX-License-Identifier: MIT
"""A disk of its own for each host: an ext4 image behind a loop device, mounted here and in the host."""

from __future__ import annotations

import os
from pathlib import Path

from hosts.commands import run
from hosts.image import UID
from hosts.model import Host

SIZE = 48 << 20


def make(host: Host) -> None:
    """Make the host's disk anew and mount it."""
    host.home.mkdir(parents=True, exist_ok=True)
    with host.disk.open("wb") as handle:
        handle.truncate(SIZE)
    run("mkfs.ext4", "-q", "-m", "0", "-E", f"root_owner={UID}:{UID}", str(host.disk))
    run("mount", "-o", "loop,noatime", str(host.disk), str(host.home))
    os.rmdir(host.home / "lost+found")


def frozen(home: Path) -> None:
    """Every write hangs from now on, unkillably, while reads go on: a disk that hangs."""
    run("fsfreeze", "--freeze", str(home))


def thaw(home: Path) -> None:
    """Let the writes go on; no error where nothing was frozen."""
    run("fsfreeze", "--unfreeze", str(home), check=False)


def release(folder: Path) -> None:
    """Thaw and unmount all disks under a folder, also those of a run that was killed."""
    with open("/proc/self/mounts", encoding="utf-8") as handle:
        points = [line.split()[1] for line in handle]
    for point in points:
        if point.startswith(f"{folder}/"):
            thaw(Path(point))
            # Lazy: a container of a killed run may still hold it.
            run("umount", "--lazy", point)
