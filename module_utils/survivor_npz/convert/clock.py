# SPDX-License-Identifier: MIT
"""Seconds that each phase of a conversion takes."""

from __future__ import annotations

import time


class Clock:
    """Seconds by phase."""

    def __init__(self) -> None:
        self.elapsed: dict[str, float] = {}
        self._start = self._last = time.monotonic()

    def lap(self, phase: str) -> None:
        """End a phase."""
        now = time.monotonic()
        self.elapsed[phase] = round(now - self._last, 4)
        self._last = now

    def total(self) -> dict[str, float]:
        """All phases, and the sum."""
        return {**self.elapsed, "total": round(time.monotonic() - self._start, 4)}
