# SPDX-License-Identifier: MIT
"""Where the hosts keep things: all of it outside the checkout."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]


def cache() -> Path:
    """The folder of images and fleets, honouring XDG_CACHE_HOME."""
    base = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(base) / "survivor-npz-hosts"


def images() -> Path:
    """Root file systems and wheels."""
    return cache() / "images"


def fleets() -> Path:
    """One folder for each fleet that is up."""
    return cache() / "fleets"


@contextmanager
def locked(name: str) -> Iterator[None]:
    """Hold the lock `name` of this machine: two runs must not build one image at once."""
    cache().mkdir(parents=True, exist_ok=True)
    with (cache() / f"{name}.lock").open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
