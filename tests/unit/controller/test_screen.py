# SPDX-License-Identifier: MIT
"""The screen: lines whole and in time, whatever bytes come in whatever pieces."""

from __future__ import annotations

import random
from typing import List

from ansible.module_utils.survivor_npz.controller.screen import WIDTH, Lines, clock, harmless


def feed(pieces: List[bytes]) -> List[str]:
    out: list[str] = []
    lines, offset = Lines(), 0
    for piece in pieces:
        out += lines.feed(piece, offset, [], 5.0)
        offset += len(piece)
    return [*out, *lines.unfinished(5.0)]


def test_pieces_cut_anywhere_give_the_same_lines() -> None:
    data = "eins\nzwölf 🦊\n\n\r\nbar 1\rbar 2\r\nlast".encode() + b"\xff\xfe\n" + "ende ü".encode()
    whole = feed([data])
    assert [line.partition("] ")[2] for line in whole] == [
        "eins", "zwölf 🦊", "", "", "bar 2", r"last\xff\xfe", "ende ü"
    ]  # fmt: skip
    generator = random.Random(25)
    for _ in range(50):
        cuts = sorted(generator.sample(range(len(data)), 8))
        assert feed([data[a:b] for a, b in zip([0, *cuts], [*cuts, len(data)])]) == whole


def test_line_shown_before_its_end_is_not_shown_twice() -> None:
    lines = Lines()
    out = [*lines.feed(b"half", 0, [], 1.0), *lines.unfinished(1.0), *lines.unfinished(1.0)]
    out += [
        *lines.feed(b" and half\n", 4, [], 2.0),
        *lines.feed(b"done", 14, [], 2.0),
        *lines.unfinished(2.0),
    ]
    out += [*lines.feed(b"\nnext\n", 18, [], 3.0)]
    assert out == ["[0:00:01] half", "[0:00:02] …  and half", "[0:00:02] done", "[0:00:03] next"]


def test_each_line_carries_the_time_in_which_it_came() -> None:
    lines = Lines()
    times = [(0, 1.0), (6, 61.0), (10, 3661.0)]
    assert list(lines.feed(b"a\nb\nc\nd\ne\nf\n", 0, times, 9999.0)) == [
        "[0:00:01] a", "[0:00:01] b", "[0:00:01] c", "[0:01:01] d", "[0:01:01] e", "[1:01:01] f"
    ]  # fmt: skip
    assert list(lines.feed(b"g\n", 12, [(10, 3661.0)], 9999.0)) == ["[1:01:01] g"]
    assert clock(100 * 3600) == "100:00:00"


def test_endless_line_needs_no_endless_memory() -> None:
    lines = Lines()
    for number in range(64):
        assert list(lines.feed(b"x" * 65536, number * 65536, [], 0.0)) == []
    assert len(lines._text) == WIDTH
    assert next(lines.feed(b"\n", 64 * 65536, [], 0.0)).endswith(
        f"({64 * 65536 - WIDTH} more characters in the log)"
    )


def test_no_control_character_survives() -> None:
    everything = "".join(map(chr, range(0x3000)))
    shown = harmless(everything)
    assert not any(
        char in shown for char in map(chr, [*range(9), *range(11, 32), *range(0x7F, 0xA0), 0x202E])
    )
    assert harmless("\x1b[1;32mgreen\x1b[0m\x1b[2J") == r"green\x1b[2J"
