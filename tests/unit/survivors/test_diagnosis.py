# SPDX-License-Identifier: MIT
"""Where and why a JSON can't be read: the code, the byte and the record that an operator is told."""

from __future__ import annotations

import contextlib
import os
import re
from pathlib import Path

import orjson
import pytest
from ansible.module_utils.survivor_npz.common.errors import ConvertError
from ansible.module_utils.survivor_npz.survivors import diagnosis, document, pieces
from ansible.module_utils.survivor_npz.survivors.file import Source


def told(
    directory: Path, text: bytes, offset: int = 1, index: int | None = 0, *opener: bytes
) -> tuple[str, str]:
    """The code, and what the message says between the path and the advice."""
    path = directory / "s.json"
    path.write_bytes(text)
    os.utime(path, ns=(7, 7))
    with contextlib.closing(Source(str(path))) as source, pytest.raises(ConvertError) as caught:
        diagnosis.explain(source, offset, index, *opener)
    message = caught.value.message.removeprefix(str(path)).lstrip(": ")
    return caught.value.code, re.sub(r"\. .*", "", message)


def let_orjson_say(monkeypatch: pytest.MonkeyPatch, message: str, place: int) -> None:
    """Let orjson refuse any text, with this message and place."""

    def refuse(text: bytes) -> None:
        raise orjson.JSONDecodeError(message, text.decode(), place)

    monkeypatch.setattr(diagnosis.orjson, "loads", refuse)


ENDS = "is incomplete: it ends at byte {}, {}, before its list is closed"
DEEP = b"[" * 2000


@pytest.mark.parametrize(
    ("text", "code", "says"),
    [
        (b'[{"a": 1}, {"b": tru', "json_truncated", ENDS.format(20, "in record 1")),
        (b'[{"a": 1}, {"b": "abc]', "json_truncated", ENDS.format(22, "in record 1")),
        (b'[{"a": 1}, {"b": "abc', "json_truncated", ENDS.format(21, "in record 1")),
        (b'[{"a": 1}, {"b": 1', "json_truncated", ENDS.format(18, "in record 1")),
        (b'[{"a": 1}, {"b": 1}', "json_truncated", ENDS.format(19, "after record 1")),
        (b'[{"a": 1},', "json_truncated", ENDS.format(10, "after record 0")),
        (b"[", "json_truncated", ENDS.format(1, "before the first record")),
        (b'[{"a": 1}, tru', "json_truncated", ENDS.format(14, "in record 1")),
        (b"[1] \xff", "json_utf8", "byte 0xff is not UTF-8 at byte 4"),
        (b'[{"a": 1}]\xff', "json_utf8", "byte 0xff is not UTF-8 at byte 10"),
        (b'[{"a": 1},{}]\xff', "json_utf8", "byte 0xff is not UTF-8 at byte 13"),
        (b'[{"a": 1}\xff', "json_utf8", "byte 0xff is not UTF-8 at byte 9 (record 1)"),
        (b'[{"a": 1}] x', "json_trailing", "a second document or other text follows the list at byte 11"),
        (b'[{"a": NaN}]', "json_nan", "NaN is not a JSON number at byte 7 (record 0)"),
        (b'[1, {"a": -Infinity}]', "json_nan", "-Infinity is not a JSON number at byte 10 (record 1)"),
        ('[{"é": NaN}]'.encode(), "json_nan", "NaN is not a JSON number at byte 8 (record 0)"),
        (b'[{"a": \xff}]', "json_utf8", "byte 0xff is not UTF-8 at byte 7 (record 0)"),
        (b'[1, {"a": "\xff"}]', "json_utf8", "byte 0xff is not UTF-8 at byte 11 (record 1)"),
        (b'[{"a": x, "b": "\xff"}]', "json_invalid", None),
        (b"[1, " + DEEP, "json_too_deep", None),
        (b"[" + b"[1]," * 300 + b"1, " + DEEP, "json_too_deep", None),
        (b'[1, {"b": }, 1]', "json_invalid", None),
        (b'[1, {"b": 1, ]', "json_invalid", None),
    ],
)
def test_a_fault_is_told_as_another_or_at_another_place(
    tmp_path: Path, text: bytes, code: str, says: str | None
) -> None:
    found = told(tmp_path, text)
    assert found[0] == code, found
    if says is not None:
        assert found[1] == says
    else:
        assert "(record 0)" in found[1] if b"\xff" in text else "(record 1)" in found[1] or b"[1]" in text


@pytest.mark.parametrize(
    ("text", "place"),
    [
        (b"[x]", "1 (record 0)"),
        (b"[x, {}]", "1 (record 0)"),
        (b'[x, "\xff"]', "1 (record 0)"),
        (b'[1 "]', "3 (record 0)"),
        (b'[1 ""', "3 (record 0)"),
        (b'[{"a": 1} x, 2]', "10 (record 1)"),
        (b'[1, {"b": }, 1]', "10 (record 1)"),
    ],
)
def test_a_wrong_byte_is_told_as_another_as_an_end_or_as_a_second_document(
    tmp_path: Path, text: bytes, place: str
) -> None:
    code, says = told(tmp_path, text)
    assert (code, says.rpartition(" at byte ")[2]) == ("json_invalid", place)


def test_nesting_that_is_too_deep_is_told_at_another_byte(tmp_path: Path) -> None:
    # orjson allows 1024 levels, and reports the byte after the bracket that is one too many.
    assert told(tmp_path, b"[1, " + DEEP) == (
        "json_too_deep",
        "lists or objects are nested too deep at byte 1028 (record 1)",
    )


@pytest.mark.parametrize("text", [b"[]", b'[{"a": 1}]', b'[{"a": 1}, "x"]'])
def test_text_far_behind_the_list_passes_for_a_file_that_changed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: bytes
) -> None:
    monkeypatch.setattr(diagnosis, "MAX_RECORD", 40)
    for opener in (b"", b"["):
        assert told(tmp_path, text + b" \n" * 30 + b"x", len(opener), 0, opener) == (
            "json_trailing",
            f"a second document or other text follows the list at byte {len(text)}",
        )


def test_a_document_is_told_as_a_list(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert told(tmp_path, b'{"a": 1', 0, None, b"") == (
        "json_truncated",
        "the document ends too early at byte 7",
    )
    code, says = told(tmp_path, b'{"a": x}', 0, None, b"")
    assert (code, "record" in says) == ("json_invalid", False)
    code, says = told(tmp_path, b'{"a": [1]} {"b": 2}', 0, None, b"")
    assert (code, "list" in says) == ("json_invalid", False)
    code, says = told(tmp_path, b'[{"a": 1}] x', 0, 0, b"")
    assert (code, says[-11:]) == ("json_trailing", " at byte 11")
    assert told(tmp_path, b"[]x", 0, 0, b"")[0] == "json_trailing"
    monkeypatch.setattr(diagnosis, "MAX_RECORD", 40)
    assert told(tmp_path, b'{"a": "' + b"x" * 100, 0, None, b"")[0] == "json_invalid"


def test_a_file_that_changes_while_it_is_read_is_called_invalid(tmp_path: Path) -> None:
    path = tmp_path / "s.json"
    path.write_bytes(b'[{"a": 1}]')
    with contextlib.closing(Source(str(path))) as source, pytest.raises(ConvertError) as caught:
        path.write_bytes(b'[{"a": x}, 5]')
        diagnosis.explain(source, 1, 0)
    assert caught.value.code == "source_changed"


@pytest.mark.parametrize(
    ("text", "closed"),
    [
        (b"[1]\n ", True),
        (b"[1] \t\r\n", True),
        (b"]", True),
        (b"[1", False),
        (b"[1]~", False),
        (b"[" + b" " * 4096 + b"]1", False),
        (b"[1]" + b" " * 4095, True),
        (b"[1]" + b" " * 4100, False),
    ],
)
def test_a_list_passes_for_closed(tmp_path: Path, text: bytes, closed: bool) -> None:
    path = tmp_path / "s.json"
    path.write_bytes(text)
    with contextlib.closing(Source(str(path))) as source:
        assert diagnosis._is_closed(source) is closed


def test_the_first_byte_is_never_at_fault_or_valid_text_is() -> None:
    assert diagnosis._first_fault(b"x", b"[")[0] == 0
    assert diagnosis._first_fault(b"1]", b"[") == (-1, "")


def test_a_part_that_is_valid_now_is_called_invalid(tmp_path: Path) -> None:
    code, says = told(tmp_path, b'[{"a": 1}]')
    assert code == "source_changed"
    assert "a part that was not valid JSON is valid now" in says


@pytest.mark.parametrize(
    "text", [b"x" * many + char.encode() * 100 for char in "xé€😀" for many in range(len(char.encode()))]
)
def test_a_giant_is_called_invalid_or_not_utf_8(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: bytes
) -> None:
    monkeypatch.setattr(diagnosis, "MAX_RECORD", 40)
    assert told(tmp_path, b'[1,{"b": "' + text + b'"}]', 3, 1)[0] == "record_too_big"
    spaces = b" " * 100
    assert told(tmp_path, b'[1,{"b": x' + spaces + b"}]", 3, 1)[0] == "json_invalid"
    bad = b'[1,{"b": "\xff' + text + b'"}]'
    assert told(tmp_path, bad, 3, 1) == ("json_utf8", "byte 0xff is not UTF-8 at byte 10 (record 1)")
    # Of the 41 bytes that are read, only the last three can be the start of a character.
    bad = b'[1,{"b": "' + b"x" * 30 + b"\xff" + text
    assert told(tmp_path, bad, 3, 1) == ("json_utf8", "byte 0xff is not UTF-8 at byte 40 (record 1)")
    assert told(tmp_path, bad.replace(b"\xff", b"x\xff"), 3, 1)[0] == "record_too_big"


def test_too_little_memory_is_called_too_deep(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    let_orjson_say(monkeypatch, "out of memory", 9)
    with pytest.raises(MemoryError):
        diagnosis._first_fault(b"[" * 50, b"[")
    let_orjson_say(monkeypatch, "out of memory", 2000)
    assert diagnosis._first_fault(b"[" * 3000, b"[") == (1999, "nesting depth")
    assert (diagnosis._nesting(b"[[{]"), diagnosis._nesting(b"[{}")) == (2, 1)


def test_a_fault_of_the_opening_bracket_is_told_as_one_of_the_byte_before(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    let_orjson_say(monkeypatch, "not a list", 0)
    assert diagnosis._first_fault(b"1]", b"[") == (0, "not a list")


@pytest.mark.parametrize(
    ("text", "code", "says"),
    [
        (b'[1, "abc', "json_truncated", ENDS.format(8, "in record 1")),
        (b'[1, "a]', "json_invalid", "invalid JSON: unexpected end at byte 4 (record 1)"),
        (b"[1, tru", "json_truncated", ENDS.format(7, "in record 1")),
    ],
)
def test_a_value_that_was_cut_is_called_invalid_if_orjson_names_where_it_begins(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: bytes, code: str, says: str
) -> None:
    let_orjson_say(monkeypatch, "unexpected end", 4)
    assert told(tmp_path, text) == (code, says)


def test_a_fault_in_a_giant_is_called_its_size_or_its_size_a_fault(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(diagnosis, "MAX_RECORD", 40)
    for place, code in ((25, "record_too_big"), (24, "json_invalid")):
        let_orjson_say(monkeypatch, "unexpected end", 1 + place)
        assert told(tmp_path, b"[" + b"1" * 100)[0] == code


def test_a_list_that_is_not_closed_passes_for_a_broken_record(tmp_path: Path) -> None:
    path = tmp_path / "s.json"
    path.write_bytes(b'[{"a": 1},')
    os.utime(path, ns=(7, 7))
    with contextlib.closing(Source(str(path))) as source:
        with pytest.raises(ConvertError, match="it ends at byte 10, after record 0") as caught:
            pieces.refuse(source, 10, 1)
        assert caught.value.code == "json_truncated"


def test_spaces_without_end_are_read_twice_or_skipped_too_far(tmp_path: Path) -> None:
    path = tmp_path / "s.json"
    for many in (0, 1, 63, 64, 65, 200):
        path.write_bytes(b" " * many + b"[]" + b"\n" * many)
        os.utime(path, ns=(7, 7))
        with contextlib.closing(Source(str(path))) as source:
            assert document.skip_space(source, 0, source.size) == many
            assert document._trim(source, 0, source.size) == many + 2
            assert document._trim(source, many + 2, source.size) == many + 2
            assert document.skip_space(source, many + 2, source.size) == source.size
            assert document.find_span(source) is None
