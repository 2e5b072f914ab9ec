# SPDX-License-Identifier: MIT
"""Find where records end, exactly: the slow way, for text on which the fast guess failed."""

from __future__ import annotations

import re
from typing import Iterator

_OUTSIDE = re.compile(rb'["{}\[\]]')
_QUOTE = b'"'[0]
_OPENERS = b"{["
SPACE = b" \t\n\r"


def _string_end(text: bytes, start: int) -> int:
    """Offset after the quote that closes a string whose first character is at `start`; -1 if none does."""
    while True:
        end = text.find(b'"', start)
        if end < 0:
            return -1
        slashes = end
        while slashes > start and text[slashes - 1] == 0x5C:
            slashes -= 1
        if (end - slashes) % 2 == 0:
            return end + 1
        start = end + 1


def _closings(text: bytes) -> Iterator[tuple[int, int]]:
    """(depth, offset after it) of each closing bracket outside strings, up to the first of depth -1."""
    depth, at = 0, 0
    while depth >= 0:
        token = _OUTSIDE.search(text, at)
        if token is None:
            return
        at = token.end()
        byte = text[at - 1]
        if byte == _QUOTE:
            at = _string_end(text, at)
            if at < 0:
                return
        elif byte in _OPENERS:
            depth += 1
        else:
            depth -= 1
            yield depth, at


def record_ends(text: bytes) -> Iterator[int]:
    """Offsets after each value that closes at depth 0, for text that starts at depth 0.

    Linear in time. It stops at the end of the text, in an unclosed string, or at a bracket that closes
    what the text did not open. For text that is not JSON the offsets mean nothing.
    """
    return (at for depth, at in _closings(text) if depth == 0)


def _commas(text: bytes, start: int) -> tuple[int, int]:
    """Commas outside strings from `start` up to the first bracket, and the offset of the last (-1: none)."""
    count, last, at = 0, -1, start
    while at >= 0:
        token = _OUTSIDE.search(text, at)
        stop = token.start() if token else len(text)
        count += text.count(b",", at, stop)
        last = max(last, text.rfind(b",", at, stop))
        if token is None or text[stop] != _QUOTE:
            break
        at = _string_end(text, stop + 1)
    return count, last


def scalars_end(text: bytes) -> int:
    """Offset after the last string, number or word at the start of a text that a comma follows, or 0.

    Linear in time. For text that is not JSON the offset means nothing.
    """
    return max(_commas(text, 0)[1], 0)


def count_items(text: bytes) -> tuple[int, bool]:
    """Count the complete items at the start of a list's content; tell whether another has begun."""
    commas = at = 0
    for end in record_ends(text):
        commas += _commas(text, at)[0]
        at = end
    more, last = _commas(text, at)
    rest = text[max(at, last + 1) :].strip(SPACE)
    if at and not more and not rest:
        return commas + 1, False
    return commas + more, bool(rest)


def closing_bracket(text: bytes) -> int:
    """Offset after the first bracket that closes what the text did not open; -1 for none."""
    return next((at for depth, at in _closings(text) if depth < 0), -1)
