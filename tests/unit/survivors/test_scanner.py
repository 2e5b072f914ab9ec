# SPDX-License-Identifier: MIT
"""Every short text, valid or not, is cut where a reading of it byte by byte cuts it."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import pytest
from ansible.module_utils.survivor_npz.survivors.scanner import (
    closing_bracket,
    count_items,
    record_ends,
    scalars_end,
)

LONGEST = 5
BYTES = b'"\\{}[,a '


def outside(text: bytes) -> list[tuple[int, int]]:
    """(offset, byte) of all that is in no string; a string counts by the quote that opens it."""
    found, in_string, escaped = [], False, False
    for at, byte in enumerate(text):
        if escaped:
            escaped = False
        elif in_string:
            escaped, in_string = byte == b"\\"[0], byte != b'"'[0]
        else:
            in_string = byte == b'"'[0]
            found.append((at, byte))
    return found


def closings(text: bytes) -> list[tuple[int, int]]:
    """(depth, offset after it) of each closing bracket, up to the first that closes nothing."""
    found, depth = [], 0
    for at, byte in outside(text):
        depth += byte in b"{["
        if byte in b"}]":
            depth -= 1
            found.append((depth, at + 1))
        if depth < 0:
            break
    return found


def texts() -> Iterator[bytes]:
    """All texts of these bytes, up to the longest."""
    for size in range(LONGEST + 1):
        yield from map(bytes, itertools.product(BYTES, repeat=size))


def test_a_record_ends_elsewhere() -> None:
    for text in texts():
        found = closings(text)
        assert list(record_ends(text)) == [at for depth, at in found if depth == 0], text
        assert closing_bracket(text) == next((at for depth, at in found if depth < 0), -1), text


def test_a_comma_in_a_string_or_a_value_separates_items() -> None:
    for text in texts():
        plain = itertools.takewhile(lambda found: found[1] not in b"{}[]", outside(text))
        commas = [at for at, byte in plain if byte == b","[0]]
        assert scalars_end(text) == max(commas, default=0), text


def items(text: bytes) -> tuple[int, bool]:
    """How many items are complete, and whether another has begun."""
    depth, commas, last = 0, 0, (0, b"")
    for at, byte in outside(text):
        depth += (byte in b"{[") - (byte in b"}]")
        if depth == 0 and byte in b"},]":
            commas += byte == b","[0]
            last = (at + 1, bytes([byte]))
    rest = bool(text[last[0] :].strip())
    return commas + (last[1] in (b"}", b"]") and not rest), rest


def test_an_item_is_counted_that_is_not_whole() -> None:
    for text in texts():
        if closing_bracket(text) < 0:
            assert count_items(text) == items(text), text


@pytest.mark.parametrize("slashes", range(5))
def test_an_escaped_quote_ends_a_string(slashes: int) -> None:
    text = b'"' + b"\\" * slashes + b'"}'
    assert closing_bracket(text) == (-1 if slashes % 2 else len(text))
