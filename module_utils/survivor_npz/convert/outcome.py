"""What a conversion is asked and what it answers."""

from __future__ import annotations

import time
from typing import Any, Dict, List, NamedTuple, Optional

PIECE_BYTES = 1 << 20


class Options(NamedTuple):
    """What to do. Paths are absolute.

    Attributes:
        src: the JSON of Step 1.
        dest: the live NPZ.
        force: convert even if nothing asks for it.
        prng_encoding: `registry` or `legacy`.
        workers: processes that parse; 0 for all CPUs allowed.
        piece_bytes: bytes parsed at once, 1 to 16 MiB.
        activate: make the NPZ live; else leave it staged, with its sidecar pending.
        check: predict only. Nothing is written.
    """

    src: str
    dest: str
    force: bool = False
    prng_encoding: str = "registry"
    workers: int = 0
    piece_bytes: int = PIECE_BYTES
    activate: bool = True
    check: bool = False


class Outcome(NamedTuple):
    """What was found and done, or in check mode would be done.

    Attributes:
        changed: a conversion happened, or what was staged became live.
        reason, why: contract section 5, as a word and as a sentence.
        sha256, checksum, size: SHA-256, SHA-1 and bytes of the NPZ that is to be live now.
        staged: path of the staged NPZ; None where live holds `sha256` already.
        live_sha256, live_mtime_ns, live_count: of the NPZ that was live before, None where unknown.
        source: size, mtime_ns and (where known) sha256 of the JSON.
        elapsed: seconds by phase.
    """

    changed: bool
    reason: str
    why: str
    survivor_count: Optional[int]
    sha256: str
    checksum: str
    size: int
    schema_version: Optional[int]
    dest: str
    sidecar: str
    source: Dict[str, Any]
    staged: Optional[str]
    live_sha256: Optional[str]
    live_mtime_ns: Optional[int]
    live_count: Optional[int]
    live_is_symlink: bool
    warnings: List[str]
    notes: List[str]
    left_out: Dict[str, int]
    defaulted: Dict[str, int]
    elapsed: Dict[str, float]


class Clock:
    """Seconds by phase."""

    def __init__(self) -> None:
        self.elapsed: Dict[str, float] = {}
        self._start = self._last = time.monotonic()

    def lap(self, phase: str) -> None:
        """End a phase."""
        now = time.monotonic()
        self.elapsed[phase] = round(now - self._last, 4)
        self._last = now

    def total(self) -> Dict[str, float]:
        """All phases, and the sum."""
        return {**self.elapsed, "total": round(time.monotonic() - self._start, 4)}
