# SPDX-License-Identifier: MIT
"""Pieces: where they are cut, how often the file is read for them, and what is refused."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import orjson
import pytest
from ansible.module_utils.survivor_npz.common.errors import ConvertError
from ansible.module_utils.survivor_npz.survivors import diagnosis, pieces
from ansible.module_utils.survivor_npz.survivors.document import Span
from ansible.module_utils.survivor_npz.survivors.file import Source
from ansible.module_utils.survivor_npz.survivors.pieces import (
    BrokenError,
    Gap,
    Separator,
    find_gaps,
    read_pieces,
    refuse,
)


class Text(Source):
    """A source that notes what is read of it."""

    def __init__(self, path: str) -> None:
        super().__init__(path)
        self.reads: list[tuple[int, int]] = []

    def read(self, offset: int, length: int) -> bytes:
        self.reads.append((offset, length))
        return super().read(offset, length)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "s.json"


def opened(path: Path, text: bytes) -> Text:
    path.write_bytes(text)
    os.utime(path, ns=(7, 7))
    return Text(str(path))


REGULAR = b'{"a": 1}, {"a": 2}, {"a": 3}'
NESTED = b'{"a": [{"x": 1}, {"y": 2}]}, {"a": 2}, {"a": [{"x": 1}, {"y": 2}]}'


def test_a_gap_is_guessed_inside_a_record() -> None:
    exact, pattern = Separator(REGULAR), Separator(b"")
    assert (exact.exact, exact.first_record) == (b'}, {"a":', b'{"a": 1}')
    assert (pattern.exact, pattern.first_record) == (b"", b"")
    for separator in (exact, pattern):
        assert separator.first(REGULAR) == Gap(8, 10)
        assert separator.last(REGULAR) == Gap(18, 20)
        for text in (b"", b'{"a": 1}', b"},", b"}, [{"):
            assert (separator.first(text), separator.last(text)) == (None, None)
    end = NESTED.index(b"]}, {") + 2
    assert exact.first(NESTED) == Gap(end, end + 2), "not the gap of the inner list"
    assert pattern.first(NESTED) == Gap(15, 17)
    last = NESTED.rindex(b'}, {"a"') + 1
    assert exact.last(NESTED) == Gap(last, last + 2)
    other = b'{"b": 1},\n{"b": 2} , {"b": 3}'
    assert (exact.first(other), exact.last(other)) == (Gap(8, 10), Gap(18, 21))


@pytest.mark.parametrize(
    "sample",
    [b'{"a": 1}', b'{"a": 1}, 5', b'{"a\\"": 1}, {"a\\"": 2}', b'[{"a": 1}, {"a": 2}', b'{}, {"a": 1}'],
)
def test_a_separator_is_learnt_from_what_has_none(sample: bytes) -> None:
    assert Separator(sample).exact == b""


def test_segments_overlap_or_leave_records_out(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = b"[" + b", ".join(b'{"a": %d}' % (number % 10) for number in range(100)) + b"]"
    source, span = opened(path, text), Span(1, len(text) - 1, True)
    for probe in (16, 1 << 16):
        monkeypatch.setattr(pieces, "_PROBE", probe)
        for step in (10, 35, 100, 500, 2000):
            gaps = find_gaps(source, span, Separator(text[1:200]), step)
            assert bool(gaps) == (step < 2000), "one process would read it all"
            assert sorted({gap.start for gap in gaps}) == [gap.start for gap in gaps]
            ends = [*(gap.end for gap in gaps), span.end]
            starts = [span.start, *(gap.start for gap in gaps)]
            parts = [orjson.loads(b"[" + text[low:high] + b"]") for low, high in zip(starts, ends)]
            assert sum(map(len, parts)) == 100
    source.close()


def parsed(source: Text, piece_bytes: int, start: int = 1) -> Iterator[list[object]]:
    separator = Separator(source.read(1, 200))
    source.reads.clear()

    def parse(text: bytes) -> list[object]:
        found: list[object] = orjson.loads(b"[" + text + b"]")
        if not found:
            raise ValueError("empty")
        return found

    end = source.size - 1
    return read_pieces(source, start, end, separator, parse=parse, piece_bytes=piece_bytes)


def test_a_piece_is_read_more_often_than_it_must(path: Path) -> None:
    source = opened(path, b"[" + REGULAR + b"]")
    assert list(parsed(source, 1000)) == [[{"a": 1}, {"a": 2}, {"a": 3}]]
    assert source.reads == [(1, 28)]
    assert [len(piece) for piece in parsed(source, 20)] == [1, 2]
    assert source.reads == [(1, 20), (11, 18)]
    source.close()
    # The first cut lies in a string: the exact scan reads once, and finds the end of the first record.
    source = opened(path, b'[{"a": "}, {"}, {"a": 2}, {"a": "}, {"}]')
    source_pieces = list(parsed(source, 12))
    assert [record for piece in source_pieces for record in piece] == [{"a": "}, {"}, {"a": 2}, {"a": "}, {"}]
    assert source.reads == [(1, 12), (1, 12), (1, 38)], "guessed, and then as much as a record may need"
    source.close()


def test_the_end_of_the_file_is_read_again_and_again(path: Path) -> None:
    source = opened(path, b'[{"a": 1}, {"a": x]')
    with pytest.raises(BrokenError):
        list(parsed(source, 8))
    assert source.reads.count((11, 7)) <= 3
    source.close()


def test_a_long_record_is_read_byte_by_byte(path: Path) -> None:
    long = b'{"a": "' + b"x" * 3000 + b'"}'
    source = opened(path, b"[" + long + b", " + REGULAR + b"]")
    found = [record for piece in parsed(source, 16) for record in piece]
    assert found[1:] == orjson.loads(b"[" + REGULAR + b"]")
    sizes = [length for offset, length in source.reads if offset == 1]
    assert sizes[:3] == [16, 16, min(4096, source.size - 2)]
    assert len(sizes) == 3
    source.close()


@pytest.mark.parametrize(
    ("text", "broken"),
    [
        (b'[{"a": 1} {"a": 2}]', 1),
        (b'[{"a": 1}, {"a": x}]', 11),
        (b'[{"a": 1},]', 1),
        (b"[5,, 6]", 1),
        (b"[5, 6,]", 1),
    ],
)
def test_text_that_is_no_json_is_taken_for_records(path: Path, text: bytes, broken: int) -> None:
    source = opened(path, text)
    with pytest.raises(BrokenError) as caught:
        list(parsed(source, 8))
    assert caught.value.offset == broken
    source.close()


def test_items_that_are_no_objects_are_cut_in_the_middle(path: Path) -> None:
    source = opened(path, b'[12, "a, b", true, [1, {"x": 2}], 345]')
    for size in (1, 3, 5, 100):
        items = [item for piece in parsed(source, size) for item in piece]
        assert items == [12, "a, b", True, [1, {"x": 2}], 345], size
    source.close()


def code_of(path: Path, text: bytes, offset: int, index: int) -> tuple[str, str]:
    source = opened(path, text)
    with pytest.raises(ConvertError) as caught:
        refuse(source, offset, index)
    source.close()
    return caught.value.code, caught.value.message


def test_a_giant_is_told_as_something_else(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (pieces, diagnosis):
        monkeypatch.setattr(module, "MAX_RECORD", 40)
    giant = b'{"a": "' + b"x" * 60 + b'"}'
    code, message = code_of(path, b"[1, " + giant + b"]", 4, 1)
    assert (code, "record 1, which starts at byte 4," in message) == ("record_too_big", True)
    assert code_of(path, b'[{"a": x' + b" " * 60 + b"}]", 1, 0)[0] == "json_invalid"
    assert code_of(path, b'[{"a": 1} x' + b" " * 60 + b"]", 1, 0)[0] == "json_invalid"
    assert code_of(path, b'[{"a": 1},', 10, 1)[0] == "json_truncated"
