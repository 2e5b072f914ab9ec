# SPDX-License-Identifier: MIT
"""What surrounds the records: where it ends, and what a file is that holds none."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible.module_utils.survivor_npz.common.errors import ConvertError
from ansible.module_utils.survivor_npz.survivors import diagnosis, document
from ansible.module_utils.survivor_npz.survivors.document import Span
from ansible.module_utils.survivor_npz.survivors.file import Source


@contextlib.contextmanager
def source_of(directory: Path, text: bytes) -> Iterator[Source]:
    path = directory / "s.json"
    path.write_bytes(text)
    os.utime(path, ns=(7, 7))
    with contextlib.closing(Source(str(path))) as source:
        yield source


def refused(directory: Path, content: Any) -> ConvertError:
    text = content if isinstance(content, bytes) else json.dumps(content).encode()
    with source_of(directory, text) as source, pytest.raises(ConvertError) as caught:
        document.find_span(source)
    return caught.value


def test_space_is_looked_for_behind_the_end(tmp_path: Path) -> None:
    with source_of(tmp_path, b" " * 200 + b"x" + b" " * 200) as source:
        for end in (0, 1, 64, 65, 199, 200):
            assert document.skip_space(source, 0, end) == end
        assert document.skip_space(source, 3, 400) == 200
        assert document.skip_space(source, 201, 300) == 300
        for start in (0, 199, 200):
            assert document._trim(source, start, 300) == 201
        assert document._trim(source, 201, 300) == 201
        assert document._trim(source, 250, 300) == 250


def test_what_stands_behind_the_end_is_found(tmp_path: Path) -> None:
    with source_of(tmp_path, b" " * 10 + b"x") as source:
        assert document.skip_space(source, 0, 5) == 5


@pytest.mark.parametrize(
    ("text", "span"),
    [
        (b'[{"a":1}]', Span(1, 8, True)),
        (b' [ {"a":1} ,\n{} ] \n', Span(3, 15, True)),
        (b'[{"a":1}', Span(1, 8, False)),
        (b'[{"a":1},', Span(1, 9, False)),
        (b"[]", None),
        (b" [ \n] ", None),
    ],
)
def test_the_records_begin_or_end_elsewhere(tmp_path: Path, text: bytes, span: Span | None) -> None:
    with source_of(tmp_path, text) as source:
        assert document.find_span(source) == span


@pytest.mark.parametrize("key", ["generation_id", "final_row_count", "artifact_sha256"])
def test_a_finalizers_summary_passes_for_another_file(tmp_path: Path, key: str) -> None:
    found = refused(tmp_path, {key: 5, "survivor_count": 3})
    assert found.code == "shape_finalizer"
    rows = "5" if key == "final_row_count" else '"unknown"'
    assert f"(final_row_count: {rows})" in found.message


@pytest.mark.parametrize(
    ("content", "code", "says"),
    [
        (b"", "json_truncated", "is empty (0 bytes)"),
        (b" \n", "json_truncated", "contains only whitespace"),
        (b" \xef\xbb\xbf[]", "json_bom", "(byte 1)"),
        (b"\xff\xfe[", "json_bom", "(byte 0)"),
        (b"\xfe\xff[", "json_bom", "(byte 0)"),
        ("[{}]".encode("utf-16-le"), "json_utf8", "UTF-16 text (byte 0)"),
        ("[{}]".encode("utf-16-be"), "json_utf8", "UTF-16 text (byte 0)"),
        ({"survivor_count": 7}, "shape_summary", "(survivor_count: 7)"),
        ({"b": 1, "a": 2}, "shape_unknown", 'an object with the keys ["a", "b"]'),
        ({str(number): 1 for number in range(9)}, "shape_unknown", '"6", "7"]'),
        (5, "shape_unknown", "but 5."),
        ("x", "shape_unknown", 'but "x".'),
        (b"{", "json_truncated", "the document ends too early at byte 1"),
        (b"{x}", "json_invalid", "at byte 1"),
        ([12, 13], "shape_ints", "(record 0 is 12, byte 1)"),
        (b"[ -1.5e3]", "shape_ints", "(record 0 is -1.5e3, byte 2)"),
        (b"[1234567890123456]", "shape_ints", "(record 0 is 123456789012, byte 1)"),
        ([[1]], "shape_unknown", "a list of lists (record 0, byte 1)"),
        (["x"], "shape_unknown", "a list of strings (record 0, byte 1)"),
        ([True], "shape_unknown", "a list of booleans or nulls (record 0, byte 1)"),
        ([False], "shape_unknown", "a list of booleans or nulls"),
        ([None], "shape_unknown", "a list of booleans or nulls"),
        (b"[nothing]", "json_invalid", "(record 0)"),
        (b"[] x", "json_trailing", "at byte 3"),
        (b"[}", "json_invalid", "at byte 1"),
    ],
)
def test_a_file_of_another_shape_is_told_as_another(
    tmp_path: Path, content: Any, code: str, says: str
) -> None:
    if isinstance(content, str):
        content = json.dumps(content).encode()
    found = refused(tmp_path, content)
    assert (found.code, says in found.message) == (code, True), found.message


def test_a_large_document_is_parsed_to_say_what_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = {"survivor_count": 7, "note": "x" * 100}
    size = len(json.dumps(content))
    monkeypatch.setattr(document, "_SMALL", size)
    assert refused(tmp_path, b"  " + json.dumps(content).encode()).code == "shape_summary"
    monkeypatch.setattr(document, "_SMALL", size - 1)
    found = refused(tmp_path, content)
    assert (found.code, 'starts with "{' in found.message) == ("shape_unknown", True)
    assert "x" * 20 not in found.message


@pytest.mark.parametrize(
    ("text", "place", "ran_out"),
    [
        (b'{"b": "a]b', 6, True),
        (b'{"b": "a]b"', 6, False),
        (b'{"b": tru', 6, True),
        (b'{"b": x}', 6, False),
        (b'{"b": x,', 6, False),
        (b'{"b": ', 6, True),
    ],
)
def test_a_wrong_value_passes_for_one_that_was_cut_off(text: bytes, place: int, ran_out: bool) -> None:
    assert diagnosis._ran_out(text, place) is ran_out
