"""Where and why a JSON can't be read: the byte, the record, and what to do."""

from __future__ import annotations

import re
from typing import NoReturn, Optional

import orjson
from ansible.module_utils.survivor_npz.errors import ConvertError
from ansible.module_utils.survivor_npz.scan import record_ends
from ansible.module_utils.survivor_npz.source import Source, writing_hint

MAX_RECORD = 16 << 20
_STRUCTURE = re.compile(rb'[,:"{}\[\]]')
_CONSTANTS = (b"NaN", b"Infinity", b"-Infinity", b"nan", b"inf", b"-inf")


def too_big(source: Source, index: int, offset: int) -> ConvertError:
    """The refusal of a record of more than 16 MiB."""
    return ConvertError(
        "record_too_big",
        f"{source.path}: record {index}, which starts at byte {offset}, has more than "
        f"{MAX_RECORD >> 20} MiB. Step 1 writes under 1 KB a survivor. Run Step 1 again.",
    )


def truncated(source: Source, index: int) -> ConvertError:
    """The refusal of a file that ends too early."""
    return ConvertError(
        "json_truncated",
        f"{source.path} ends at byte {source.size}, in or after record {index}, before its list is closed: "
        f"it is half a file.{writing_hint(source.stamp.mtime_ns)} Run Step 1 (window_optimizer.py) again.",
    )


def _refuse(source: Source, code: str, what: str, index: Optional[int], offset: int) -> ConvertError:
    where = "" if index is None else f" (record {index})"
    return ConvertError(
        code,
        f"{source.path}: {what} at byte {offset}{where}.{writing_hint(source.stamp.mtime_ns)} "
        "Run Step 1 (window_optimizer.py) again.",
    )


def _is_closed(source: Source) -> bool:
    return source.read(max(source.size - 4096, 0), 4096).rstrip(b" \t\n\r").endswith(b"]")


def explain(source: Source, offset: int, index: Optional[int], opener: bytes = b"[") -> NoReturn:
    """Raise for the first fault at or behind `offset`.

    Args:
        offset: where valid text ended: the start of record `index`, or of the document (opener b"").
        index: number of the record at `offset`; None where the document is no list.

    Raises:
        ConvertError: always, naming byte and record.
    """
    source.check_unchanged()
    window = source.read(offset, MAX_RECORD + 1)
    at_end = offset + len(window) >= source.size
    try:
        text = window.decode("utf-8")
        broken_byte = None
    except UnicodeDecodeError as error:
        # The window may end in the middle of a character.
        cut = not at_end and error.start >= len(window) - 3
        broken_byte = None if cut else error.start
        text = window[: error.start].decode("utf-8")
    message = None
    place = len(text.encode())
    try:
        orjson.loads((opener + text.encode()) if text.isascii() else opener + text.encode("utf-8"))
    except ValueError as error:
        message = getattr(error, "msg", str(error))
        characters = max(getattr(error, "pos", 0) - len(opener), 0)
        place = characters if text.isascii() else len(text[:characters].encode())
    usable = window[: len(text.encode())]
    record = None if index is None else index + _records_before(usable[:place], opener)
    if broken_byte is not None and (message is None or _ran_out(usable, place)):
        raise _refuse(
            source,
            "json_utf8",
            f"byte 0x{window[broken_byte]:02x} is no UTF-8 text",
            record,
            offset + broken_byte,
        )
    if message is None:
        raise ConvertError(
            "source_changed",
            f"{source.path}: what could not be read at first can be read now: it changed while it was read. "
            "Run again when Step 1 has ended.",
        )
    if usable[place : place + 9].startswith(_CONSTANTS):
        name = re.match(rb"-?[A-Za-z]+", usable[place:])
        word = name.group().decode() if name else "NaN"
        raise _refuse(source, "json_nan", f"{word} is no JSON number", record, offset + place)
    if "depth limit" in message or "ecursion" in message:
        raise _refuse(
            source, "json_too_deep", "lists or objects nested too deep to read", record, offset + place
        )
    if _ran_out(usable, place) and record is not None:
        if at_end and (not _is_closed(source) or place >= len(usable)):
            raise truncated(source, record)
        if not at_end and place >= len(usable) - 16:
            raise too_big(source, record, offset)
    if _ran_out(usable, place) and index is None and at_end:
        raise _refuse(source, "json_truncated", "the document ends too early", None, source.size)
    if "after document" in message or "trailing char" in message:
        raise _refuse(
            source, "json_trailing", "a second document or other text follows the list", None, offset + place
        )
    raise _refuse(
        source, "json_invalid", f"no valid JSON: {message.split(': line ')[0]}", record, offset + place
    )


def _ran_out(text: bytes, place: int) -> bool:
    """Whether nothing but a cut-off value stands at `place`."""
    return _STRUCTURE.search(text, place) is None or (
        text[place : place + 1] == b'"' and text.find(b'"', place + 1) < 0
    )


def _records_before(text: bytes, opener: bytes) -> int:
    if not opener:
        text = text[text.find(b"[") + 1 :]
    return sum(1 for _end in record_ends(text))
