"""Where and why a JSON can't be read: the byte, the record, and what to do."""

from __future__ import annotations

import re
from typing import NamedTuple, NoReturn, Optional, Tuple

import orjson
from ansible.module_utils.survivor_npz.common.errors import ConvertError
from ansible.module_utils.survivor_npz.survivors.file import Source, writing_hint
from ansible.module_utils.survivor_npz.survivors.scanner import closing_bracket, count_items

MAX_RECORD = 16 << 20
# A text that ends in nesting this deep may be called too large for the memory by orjson.
_DEEP = 100
_STRUCTURE = re.compile(rb'[,:"{}\[\]]')
_CONSTANT = re.compile(rb"-?(?:NaN|Infinity)")


def too_big(source: Source, index: int, offset: int) -> ConvertError:
    """The refusal of a record of more than 16 MiB."""
    return ConvertError(
        "record_too_big",
        f"{source.path}: record {index}, which starts at byte {offset}, has more than "
        f"{MAX_RECORD >> 20} MiB. Step 1 writes under 1 KB a survivor. Run Step 1 again.",
    )


def truncated(source: Source, whole: int, has_begun: bool) -> ConvertError:
    """The refusal of a file that ends too early, behind `whole` records and perhaps a part of another."""
    where = f"in record {whole}"
    if not has_begun:
        where = f"behind record {whole - 1}" if whole else "before the first record"
    return ConvertError(
        "json_truncated",
        f"{source.path} ends at byte {source.size}, {where}, before its list is closed: "
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


class _Window(NamedTuple):
    """Text from the place where reading failed on.

    Attributes:
        text: valid UTF-8, without the list's opening bracket.
        bad_byte: the byte behind `text` that is no UTF-8, None where there is none.
        at_end: whether nothing of the file follows.
    """

    text: bytes
    bad_byte: Optional[int]
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


def _first_fault(text: bytes, opener: bytes) -> Tuple[int, str]:
    """Byte and message of the first fault; orjson counts characters. (-1, "") where there is none."""
    try:
        orjson.loads(opener + text)
    except ValueError as error:
        characters = max(getattr(error, "pos", 0) - len(opener), 0)
        message = str(getattr(error, "msg", error)).split(": line ")[0]
        place = len(text.decode("utf-8")[:characters].encode("utf-8"))
        if "memory" in message:
            if _nesting(text[:place]) < _DEEP:
                raise MemoryError from error
            message = "nesting depth"
        return place, message
    return -1, ""


def _nesting(text: bytes) -> int:
    """How many brackets are open, but for those in strings."""
    opened, closed = (sum(map(text.count, brackets)) for brackets in ((b"[", b"{"), (b"]", b"}")))
    return opened - closed


def explain(source: Source, offset: int, index: Optional[int], opener: bytes = b"[") -> NoReturn:
    """Raise for the first fault at or behind `offset`.

    Args:
        offset: where valid text ended: the start of record `index`, or of the document (opener b"").
        index: number of the record at `offset`; None where the document is no list.

    Raises:
        ConvertError: always, naming byte and record.
        MemoryError: there is too little to look.
    """
    source.check_unchanged()
    window = _open_window(source, offset)
    text = window.text
    place, message = _first_fault(text, opener)
    if place < 0 and window.bad_byte is None:
        raise ConvertError(
            "source_changed",
            f"{source.path}: what could not be read at first can be read now: it changed while it was read. "
            "Run again when Step 1 has ended.",
        )
    before = text[: place if place >= 0 else len(text)]
    inside = before[before.find(b"[") + 1 :] if index is not None and not opener else before
    whole, has_begun = (0, False) if index is None else count_items(inside)
    record = None if index is None else index + whole
    ran_out = place < 0 or _ran_out(text, place)
    if window.bad_byte is not None and ran_out:
        what = f"byte 0x{window.bad_byte:02x} is no UTF-8 text"
        raise _refuse(source, "json_utf8", what, record, offset + len(text))
    if index is not None and closing_bracket(inside) >= 0:
        what = "a second document or other text follows the list"
        raise _refuse(source, "json_trailing", what, None, offset + place)
    # The fault is at the minus sign or behind it, as the library's version will have it.
    constant = _CONSTANT.match(text, place - 1 if before.endswith(b"-") else place)
    if constant:
        what = f"{constant.group().decode()} is no JSON number"
        raise _refuse(source, "json_nan", what, record, offset + constant.start())
    if "depth" in message or "ecursion" in message:
        what = "lists or objects nested too deep to read"
        raise _refuse(source, "json_too_deep", what, record, offset + place)
    if ran_out:
        has_begun = has_begun or place < len(text)
        _refuse_end(source, window, offset, place, record, has_begun=has_begun)
    raise _refuse(source, "json_invalid", f"no valid JSON: {message}", record, offset + place)


def _refuse_end(
    source: Source, window: _Window, offset: int, place: int, record: Optional[int], *, has_begun: bool
) -> None:
    """Raise where the text, rather than being wrong, comes to its end too early."""
    is_last = place >= len(window.text)
    if window.at_end and record is None:
        raise _refuse(source, "json_truncated", "the document ends too early", None, source.size)
    if window.at_end and record is not None and (is_last or not _is_closed(source)):
        raise truncated(source, record, has_begun)
    if not window.at_end and record is not None and place >= len(window.text) - 16:
        raise too_big(source, record, offset)


def _ran_out(text: bytes, place: int) -> bool:
    """Whether nothing but a cut-off value stands at `place`."""
    return _STRUCTURE.search(text, place) is None or (
        text[place : place + 1] == b'"' and text.find(b'"', place + 1) < 0
    )
