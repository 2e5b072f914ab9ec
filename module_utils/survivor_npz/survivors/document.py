# SPDX-License-Identifier: MIT
"""What surrounds the records: the list that opens and closes the file, and the shapes that are refused."""

from __future__ import annotations

import re
from typing import NamedTuple, NoReturn

import orjson
from ansible.module_utils.survivor_npz.common.errors import ConvertError
from ansible.module_utils.survivor_npz.common.quote import quote
from ansible.module_utils.survivor_npz.survivors.diagnosis import explain
from ansible.module_utils.survivor_npz.survivors.file import Source, rerun
from ansible.module_utils.survivor_npz.survivors.scanner import SPACE

_BLOCK = 1 << 20
_SMALL = 16 << 20
_NUMBER = re.compile(rb"-?[0-9][0-9.eE+-]*")
# `[` and the first byte of what follows it, each in two bytes.
_UTF_16 = re.compile(rb"\[\0[^\0]\0|\0\[\0[^\0]")
_NOT_SPACE = re.compile(rb"[^ \t\n\r]")


class Span(NamedTuple):
    """Bytes [start, end) of the records, and whether `]` follows them."""

    start: int
    end: int
    closed: bool


def skip_space(source: Source, offset: int, end: int) -> int:
    """Offset of the first byte that is not JSON whitespace, or `end`; constant memory."""
    size = 64
    while offset < end:
        block = source.read(offset, min(size, end - offset))
        found = _NOT_SPACE.search(block)
        if found:
            return offset + found.start()
        offset += len(block)
        size = _BLOCK
    return end


def find_span(source: Source) -> Span | None:
    """Find the records; None for an empty list.

    Raises:
        ConvertError: the file is empty, not JSON, or JSON of another shape (contract, section 2).
    """
    begin = skip_space(source, 0, source.size)
    if begin == source.size:
        what = "contains only whitespace" if source.size else "is empty (0 bytes)"
        raise ConvertError(
            "json_truncated",
            f"{source.path} {what}: it is not a JSON document.{rerun(source.stamp.mtime_ns)}",
        )
    opener = source.read(begin, 4)
    if opener.startswith((b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff")):
        raise ConvertError(
            "json_bom",
            f"{source.path} starts with a byte order mark (byte {begin}): Step 1 writes plain UTF-8. "
            "Find out which program rewrote the file, then run Step 1 again.",
        )
    if _UTF_16.match(opener):
        raise ConvertError(
            "json_utf8",
            f"{source.path} is UTF-16 text (byte {begin}): Step 1 writes UTF-8. "
            "Find out which program rewrote the file, then run Step 1 again.",
        )
    if opener[:1] != b"[":
        _refuse_document(source, begin)
    first = skip_space(source, begin + 1, source.size)
    if source.read(first, 1) not in (b"{", b"]"):
        _refuse_items(source, begin, first)
    end = _trim(source, 0, source.size)
    if source.read(first, 1) == b"]":
        if first + 1 != end:
            explain(source, begin, 0, b"")
        return None
    closed = source.read(end - 1, 1) == b"]"
    if closed:
        end = _trim(source, first, end - 1)
    return Span(first, end, closed)


def _trim(source: Source, start: int, end: int) -> int:
    """Move `end` back over whitespace, at most to `start`; constant memory."""
    size = 64
    while end > start:
        low = max(end - size, start)
        kept = source.read(low, end - low).rstrip(SPACE)
        if kept:
            return low + len(kept)
        end, size = low, _BLOCK
    return start


def _refuse_document(source: Source, begin: int) -> NoReturn:
    """The file is not a list: say what it is."""
    if source.size - begin > _SMALL:
        start = source.read(begin, 40).decode("utf-8", "replace")
        raise ConvertError(
            "shape_unknown",
            f"{source.path} is not a list of survivors: it starts with {quote(start)}. Run Step 1 again.",
        )
    try:
        content = orjson.loads(source.read(begin, _SMALL))
    except ValueError:
        explain(source, begin, None, b"")
    where = f"{source.path} is not a list of survivors but"
    if not isinstance(content, dict):
        raise ConvertError(
            "shape_unknown", f"{where} {quote(content)}. Run Step 1 (window_optimizer.py) again."
        )
    if {"generation_id", "final_row_count", "artifact_sha256"} & content.keys():
        rows = content.get("final_row_count", "unknown")
        raise ConvertError(
            "shape_finalizer",
            f"{where} a finalizer's summary (final_row_count: {quote(rows)}): the survivors are in the NPZ "
            "that the finalizer writes. Set survivor_npz_convert: never to distribute that NPZ.",
        )
    if "survivor_count" in content:
        raise ConvertError(
            "shape_summary",
            f"{where} a summary (survivor_count: {quote(content['survivor_count'])}): Step 1 writes it "
            "instead of more than 100,000 survivors. Run Step 1 so that it writes them all, or set "
            "survivor_npz_convert: never if another program now writes the NPZ.",
        )
    keys = ", ".join(map(quote, sorted(content)[:8]))
    raise ConvertError("shape_unknown", f"{where} an object with the keys [{keys[:200]}]. Run Step 1 again.")


def _refuse_items(source: Source, begin: int, first: int) -> NoReturn:
    """The list does not start with an object: say what it holds."""
    start = source.read(first, 16)
    where = f"{source.path} is not a list of survivors but a list"
    number = _NUMBER.match(start)
    if number:
        raise ConvertError(
            "shape_ints",
            f"{where} of numbers (record 0 is {number.group().decode()[:12]}, byte {first}): a version "
            "of Step 1 that drops all fields but the seed wrote it. Run a Step 1 (window_optimizer.py) that "
            "writes one object per survivor.",
        )
    kinds = {b"[": "lists", b'"': "strings"}
    if start.startswith((b"true", b"false", b"null")):
        kinds[start[:1]] = "booleans or nulls"
    if start[:1] in kinds:
        raise ConvertError(
            "shape_unknown",
            f"{where} of {kinds[start[:1]]} (record 0, byte {first}). Run Step 1 again.",
        )
    explain(source, begin, 0, b"")
