# SPDX-License-Identifier: MIT
"""Explain where and why a JSON can't be read: the byte, the record, and what to do."""

from __future__ import annotations

import re
from typing import NamedTuple, NoReturn

import orjson
from ansible.module_utils.survivor_npz.common.errors import ConvertError
from ansible.module_utils.survivor_npz.survivors.file import Source, rerun
from ansible.module_utils.survivor_npz.survivors.scanner import SPACE, closing_bracket, count_items

MAX_RECORD = 16 << 20
# orjson may report nesting deeper than this as a lack of memory.
_DEEP = 100
_STRUCTURE = re.compile(rb'[,:"{}\[\]]')
_CONSTANT = re.compile(rb"-?(?:NaN|Infinity)")


def too_big(source: Source, index: int, offset: int) -> ConvertError:
    """The refusal of a record of more than 16 MiB."""
    return ConvertError(
        "record_too_big",
        f"{source.path}: record {index}, which starts at byte {offset}, is larger than "
        f"{MAX_RECORD >> 20} MiB. Step 1 writes less than 1 KB per survivor. Run Step 1 again.",
    )


def truncated(source: Source, whole: int, has_begun: bool) -> ConvertError:
    """The refusal of a file that ends too early, after `whole` records and perhaps part of another."""
    where = f"in record {whole}"
    if not has_begun:
        where = f"after record {whole - 1}" if whole else "before the first record"
    return ConvertError(
        "json_truncated",
        f"{source.path} is incomplete: it ends at byte {source.size}, {where}, before its list is closed."
        f"{rerun(source.stamp.mtime_ns)}",
    )


def _refuse(source: Source, code: str, what: str, index: int | None, offset: int) -> ConvertError:
    where = "" if index is None else f" (record {index})"
    return ConvertError(
        code,
        f"{source.path}: {what} at byte {offset}{where}.{rerun(source.stamp.mtime_ns)}",
    )


def _is_closed(source: Source) -> bool:
    return source.read(max(source.size - 4096, 0), 4096).rstrip(b" \t\n\r").endswith(b"]")


class _Window(NamedTuple):
    """Text from the place where reading failed.

    Attributes:
        text: valid UTF-8, without the list's opening bracket.
        bad_byte: the byte after `text` if it is not UTF-8, else None.
        at_end: whether the file ends here.
    """

    text: bytes
    bad_byte: int | None
    at_end: bool


def _open_window(source: Source, offset: int) -> _Window:
    block = source.read(offset, MAX_RECORD + 1)
    at_end = offset + len(block) >= source.size
    try:
        block.decode("utf-8")
    except UnicodeDecodeError as error:
        # The window itself may end in the middle of a character.
        is_cut = not at_end and error.start >= len(block) - 3
        return _Window(block[: error.start], None if is_cut else block[error.start], at_end)
    return _Window(block, None, at_end)


def _first_fault(text: bytes, opener: bytes) -> tuple[int, str]:
    """Byte and message of the first fault, or (-1, "") for none. orjson counts characters."""
    try:
        orjson.loads(opener + text)
    except orjson.JSONDecodeError as error:
        message, characters = error.msg, max(error.pos - len(opener), 0)
        place = len(text.decode("utf-8")[:characters].encode("utf-8"))
        if "memory" in message:
            if _nesting(text[:place]) < _DEEP:
                raise MemoryError from error
            message = "nesting depth"
        return place, message
    return -1, ""


def _nesting(text: bytes) -> int:
    """How many brackets are open; those in strings count, too."""
    opened, closed = (sum(map(text.count, brackets)) for brackets in ((b"[", b"{"), (b"]", b"}")))
    return opened - closed


def explain(source: Source, offset: int, index: int | None, opener: bytes = b"[") -> NoReturn:
    """Raise for the first fault at or after `offset`.

    Args:
        offset: where valid text ended: the start of record `index`, or of the document (opener b"").
        index: number of the record at `offset`; None if the document is not a list.

    Raises:
        ConvertError: always, naming byte and record.
        MemoryError: there is too little for the diagnosis.
    """
    source.check_unchanged()
    window = _open_window(source, offset)
    text = window.text
    place, message = _first_fault(text, opener)
    trailing = "a second document or other text follows the list"
    if place < 0 and window.bad_byte is None:
        if not window.at_end:  # after more than 16 MiB of spaces
            raise _refuse(source, "json_trailing", trailing, None, offset + len(text.rstrip(SPACE)))
        raise ConvertError(
            "source_changed",
            f"{source.path} changed while it was read: a part that was not valid JSON is valid now. "
            "Run again once Step 1 has ended.",
        )
    before = text[: place if place >= 0 else len(text)]
    inside = before if opener else before[before.find(b"[") + 1 :]
    whole, has_begun = count_items(inside)
    is_past_list = index is not None and closing_bracket(inside) != -1
    record = None if index is None or is_past_list else index + whole
    ran_out = place < 0 or _ran_out(text, place)
    if window.bad_byte is not None and ran_out:
        what = f"byte 0x{window.bad_byte:02x} is not UTF-8"
        raise _refuse(source, "json_utf8", what, record, offset + len(text))
    if is_past_list:
        raise _refuse(source, "json_trailing", trailing, record, offset + place)
    # Depending on its version, orjson reports the minus sign or the byte after it.
    constant = _CONSTANT.match(text, place - 1 if before.endswith(b"-") else place)
    if constant:
        what = f"{constant.group().decode()} is not a JSON number"
        raise _refuse(source, "json_nan", what, record, offset + constant.start())
    if "depth" in message:
        what = "lists or objects are nested too deep"
        raise _refuse(source, "json_too_deep", what, record, offset + place)
    if ran_out:
        has_begun = has_begun or place < len(text)
        _refuse_end(source, window, offset, place, record, has_begun=has_begun)
    raise _refuse(source, "json_invalid", f"invalid JSON: {message}", record, offset + place)


def _refuse_end(
    source: Source, window: _Window, offset: int, place: int, record: int | None, *, has_begun: bool
) -> None:
    """Raise if the text ends too early, rather than being wrong."""
    if record is None:
        if window.at_end:
            raise _refuse(source, "json_truncated", "the document ends too early", None, source.size)
    elif window.at_end:
        if place >= len(window.text) or not _is_closed(source):
            raise truncated(source, record, has_begun)
    elif place >= len(window.text) - 16:
        raise too_big(source, record, offset)


def _ran_out(text: bytes, place: int) -> bool:
    """Whether a value that was cut off is all that follows `place`."""
    return _STRUCTURE.search(text, place) is None or text.rfind(b'"') == place
