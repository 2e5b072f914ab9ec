# SPDX-License-Identifier: MIT
"""Turn what a program writes into lines that are fit for an operator's screen."""

from __future__ import annotations

import codecs
import re
from typing import Iterator, Sequence

WIDTH = 4000  # characters of one line that go to the screen; the log has all
_COLOUR = re.compile(r"\x1b\[[0-9;:]*m")
_UNSAFE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]")


def harmless(text: str) -> str:
    """Drop colours; show every other control character as an escape that no terminal obeys."""
    return _UNSAFE.sub(lambda found: found[0].encode("unicode_escape").decode(), _COLOUR.sub("", text))


def clock(seconds: float) -> str:
    """Return h:mm:ss."""
    whole = int(seconds)
    return f"{whole // 3600}:{whole // 60 % 60:02d}:{whole % 60:02d}"


class Lines:
    """Turns pieces of raw output into lines fit for a screen, in flat memory whatever the output."""

    def __init__(self) -> None:
        self._decoder = codecs.getincrementaldecoder("utf-8")("backslashreplace")
        self._text, self._cut = "", 0
        self._returned = self._shown = False

    def feed(self, data: bytes, offset: int, times: Sequence[Sequence[float]], now: float) -> Iterator[str]:
        """Yield the lines that `data`, which starts at byte `offset`, completes; `times`: when it came."""
        bounds = [(max(0, int(byte) - offset), seconds) for byte, seconds in times] or [(0, now)]
        for (start, seconds), (end, _) in zip(bounds, [*bounds[1:], (len(data), 0.0)]):
            first, *rest = self._decoder.decode(data[start:end]).split("\n")
            self._add(first)
            for text in rest:
                if self._text or not self._shown:
                    yield self._line(seconds)
                self._text, self._cut, self._returned, self._shown = "", 0, False, False
                self._add(text)

    def unfinished(self, now: float) -> Iterator[str]:
        """Yield what there is of a line that nobody ended."""
        if self._text:
            yield self._line(now)
            self._text, self._cut, self._shown = "", 0, True

    @property
    def pending(self) -> bool:
        """Whether a part of a line waits for its end."""
        return bool(self._text)

    def _add(self, text: str) -> None:
        for index, piece in enumerate(text.split("\r")):
            self._returned = self._returned or index > 0
            if piece and self._returned:  # a progress bar draws over what it has drawn
                self._text, self._cut, self._returned, self._shown = "", 0, False, False
            room = WIDTH - len(self._text)
            self._cut += max(0, len(piece) - room)
            self._text += piece[:room]

    def _line(self, seconds: float) -> str:
        more = f" … ({self._cut} more characters in the log)" if self._cut else ""
        return f"[{clock(seconds)}] {'… ' if self._shown else ''}{harmless(self._text)}{more}"
