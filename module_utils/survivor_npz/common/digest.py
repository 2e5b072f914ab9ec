# SPDX-License-Identifier: MIT
"""Checksums of a file, in one pass."""

from __future__ import annotations

import hashlib
import os
import stat
from typing import NamedTuple

_BLOCK = 1 << 20


class Digests(NamedTuple):
    """A regular file's identity: SHA-256, SHA-1 (for `copy`), bytes, mtime in nanoseconds."""

    sha256: str
    sha1: str
    size: int
    mtime_ns: int


def _at_once(path: str, flags: int) -> int:
    # O_NONBLOCK: a FIFO under this name must not hang the run.
    return os.open(path, flags | os.O_NONBLOCK)


def digests_of(path: str) -> Digests:
    """Read a regular file once and return its digests.

    Raises:
        OSError: the file can't be opened or read, is not a regular file, or changed while it was read.
    """
    sha256, sha1 = hashlib.sha256(), hashlib.sha1(usedforsecurity=False)
    with open(path, "rb", buffering=0, opener=_at_once) as file:
        before = os.fstat(file.fileno())
        if not stat.S_ISREG(before.st_mode):
            raise OSError(f"{path}: not a regular file")
        while True:
            block = file.read(_BLOCK)
            if not block:
                break
            sha256.update(block)
            sha1.update(block)
        after = os.fstat(file.fileno())
    if (before.st_size, before.st_mtime_ns) != (after.st_size, after.st_mtime_ns):
        raise OSError(f"{path}: changed while it was read")
    return Digests(sha256.hexdigest(), sha1.hexdigest(), after.st_size, after.st_mtime_ns)


def sha256_or_none(path: str) -> str | None:
    """SHA-256 of a regular file; None where there is no such file."""
    try:
        return digests_of(path).sha256
    except FileNotFoundError:
        return None


def short(sha256: str | None) -> str:
    """A digest as people see it: its first 12 digits."""
    return sha256[:12] if sha256 else "none"
