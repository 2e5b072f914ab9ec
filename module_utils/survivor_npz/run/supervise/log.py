# SPDX-License-Identifier: MIT
"""The output of a run on disk: `log`, and `times`, which says when each piece of it came.

`times` holds pairs of little-endian uint64: byte of the log, elapsed milliseconds.
"""

from __future__ import annotations

import contextlib
import os
import struct
import time
from typing import Any

TAIL_LINES = 30
_RING = 65536


class Log:
    """The run's output on disk, and its last 64 KiB in memory. A full disk never stops the script."""

    def __init__(self, directory: str) -> None:
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW
        self.path = os.path.join(directory, "log")
        self._log = os.open(self.path, flags, 0o600)
        self._times = os.open(os.path.join(directory, "times"), flags, 0o600)
        self._began = self._marked = self._retry = time.monotonic()
        self._marked -= 1
        self._tail = bytearray()
        self.size = self.seen = 0
        self.cut: dict[str, Any] | None = None
        self._untold = 0  # bytes that are missing in the log, which does not say so yet

    def write(self, data: bytes) -> bool:
        """Keep `data`; return True if this cuts the log."""
        own = len(data)
        self.seen += own
        self._tail += data
        del self._tail[:-_RING]
        moment = time.monotonic()
        if self.cut and self._untold:
            if moment < self._retry:
                self._lose(own)
                return False
            told = f"{self._untold} bytes of output are missing here: {self.cut['why']}"
            data = f"\n[survivor_npz: {told}]\n".encode() + data
        try:
            if moment - self._marked >= 0.5:
                self._marked = moment
                os.write(self._times, struct.pack("<QQ", self.size, int((moment - self._began) * 1000)))
            while data:
                done = os.write(self._log, data)
                self.size += done
                data = data[done:]
        except OSError as error:
            self._retry = moment + 5
            first = self.cut is None
            self.cut = self.cut or {"at": self.size, "lost": 0, "why": error.strerror}
            if len(data) <= own:
                self._untold = 0
            self._lose(min(len(data), own))
            return first
        self._untold = 0
        return False

    def _lose(self, size: int) -> None:
        self._untold += size
        if self.cut:
            self.cut["lost"] += size

    def tail(self) -> list[str]:
        """Return the last lines, each cut to what a screen can show."""
        lines = bytes(self._tail).decode(errors="backslashreplace").rstrip("\n").split("\n")[-TAIL_LINES:]
        return [line.rstrip("\r").rpartition("\r")[2][:600] for line in lines]

    def close(self) -> None:
        """Flush it to disk, as far as the disk allows."""
        for descriptor in (self._log, self._times):
            with contextlib.suppress(OSError):
                os.fsync(descriptor)
            os.close(descriptor)
