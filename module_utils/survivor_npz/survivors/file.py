# SPDX-License-Identifier: MIT
"""Step 1's JSON as an open file: read by position, hashed, and proved unchanged while it was read."""

from __future__ import annotations

import errno
import hashlib
import os
import stat
import time
from typing import NamedTuple

from ansible.module_utils.survivor_npz.common.errors import ConvertError

_BLOCK = 1 << 20
# A file written within one tick of the kernel's clock can change again without a new mtime.
_TICK_NS = 20_000_000
_PATIENCE_TICKS = 10
_STILL_WRITING_S = 120


class Stamp(NamedTuple):
    """The part of a file's stat that depends on its content: any write changes at least one of these."""

    size: int
    mtime_ns: int
    ctime_ns: int
    inode: int
    device: int


def stamp_of(status: os.stat_result) -> Stamp:
    """The stamp in a stat result."""
    return Stamp(status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino, status.st_dev)


def stat_source(path: str) -> os.stat_result:
    """Stat the JSON, following a symlink.

    Raises:
        ConvertError: json_missing, json_not_a_file, json_unreadable.
    """
    try:
        status = os.stat(path)
    except (FileNotFoundError, NotADirectoryError) as error:
        raise ConvertError(
            "json_missing",
            f"{path} is missing: nothing to convert. Run Step 1 (window_optimizer.py), which writes it.",
        ) from error
    except OSError as error:
        raise ConvertError("json_unreadable", f"{path}: {error.strerror}. Make it readable.") from error
    if not stat.S_ISREG(status.st_mode):
        raise ConvertError(
            "json_not_a_file", f"{path} is not a regular file. Let src name the JSON that Step 1 writes."
        )
    return status


def rerun(mtime_ns: int) -> str:
    """The next step for an unreadable JSON; if it was written in the last two minutes, wait first."""
    age = time.time() - mtime_ns / 1e9
    if -5 <= age <= _STILL_WRITING_S:
        return (
            f" It was written {max(age, 0):.0f} s ago: Step 1 may still be writing it. Wait until it ends; "
            "if it has ended, run Step 1 (window_optimizer.py) again."
        )
    return " Run Step 1 (window_optimizer.py) again."


class Source:
    """The JSON, opened once; every process reads it by position through the same descriptor.

    It is not mapped: truncating a mapped file would end the reader with SIGBUS.
    """

    def __init__(self, path: str) -> None:
        self.path = path
        stat_source(path)
        try:
            self.fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        except OSError as error:
            raise ConvertError(
                "json_unreadable", f"{path}: {error.strerror}. Make it readable for the user who runs this."
            ) from error
        self.stamp = stamp_of(self._settled())
        self.size = self.stamp.size

    def close(self) -> None:
        """Close the file."""
        os.close(self.fd)

    def _settled(self) -> os.stat_result:
        """Stat the file once its last write is a tick old; a file that never gets there is being written."""
        for _ in range(_PATIENCE_TICKS):
            status = os.fstat(self.fd)
            if not 0 <= time.time_ns() - status.st_mtime_ns < _TICK_NS:
                return status
            time.sleep(_TICK_NS / 1e9)
        os.close(self.fd)
        raise self._changed("it is being written right now")

    def read(self, offset: int, length: int) -> bytes:
        """Up to `length` bytes at `offset`; fewer only at the end of the file as it was first seen.

        Raises:
            ConvertError: json_unreadable (I/O error), source_changed (the file was truncated).
        """
        length = min(length, self.size - offset)
        if length <= 0:
            return b""
        try:
            block = os.pread(self.fd, length, offset)
            while 0 < len(block) < length:
                more = os.pread(self.fd, length - len(block), offset + len(block))
                if not more:
                    break
                block += more
        except OSError as error:
            reason = os.strerror(error.errno or errno.EIO)
            raise ConvertError(
                "json_unreadable", f"{self.path}: {reason} at byte {offset}. Check the disk, then run again."
            ) from error
        if len(block) < length:
            raise self._changed("it was truncated")
        return block

    def sha256(self) -> str:
        """SHA-256 of the whole file, in constant memory."""
        digest = hashlib.sha256()
        for offset in range(0, self.size, _BLOCK):
            digest.update(self.read(offset, _BLOCK))
        return digest.hexdigest()

    def _changed(self, how: str) -> ConvertError:
        return ConvertError(
            "source_changed",
            f"{self.path} changed while it was read ({how}): Step 1 may still be writing it. "
            "Nothing was replaced. Run again once Step 1 has ended.",
        )

    def check_unchanged(self) -> None:
        """Prove that what was read is one state of the file, and that the path still names it.

        Raises:
            ConvertError: source_changed.
        """
        now = stamp_of(os.fstat(self.fd))
        if now != self.stamp:
            what = [f"{k} {a} then, {b} now" for k, a, b in zip(Stamp._fields, self.stamp, now) if a != b]
            raise self._changed("; ".join(what))
        try:
            named = stamp_of(os.stat(self.path))
        except OSError as error:
            raise self._changed(f"it was removed: {error.strerror}") from error
        if named != self.stamp:
            raise self._changed("another file replaced it")
