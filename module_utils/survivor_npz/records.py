"""Cut the file into pieces of whole records and parse each piece by itself.

A piece is guessed: from a proven record start to the last separator in a block of a few MB. A guess that
hit the inside of a string or of a nested object can't slip through, because the piece is then no JSON by
itself; the cut is then made by an exact scan. Pieces stay in the processor's cache and die young.
"""

from __future__ import annotations

import re
from typing import Callable, Iterator, List, Optional, TypeVar

from ansible.module_utils.survivor_npz.faults import MAX_RECORD, explain, too_big, truncated
from ansible.module_utils.survivor_npz.frame import Span, skip_space
from ansible.module_utils.survivor_npz.scan import record_ends
from ansible.module_utils.survivor_npz.source import Source

PIECE_BYTES = 4 << 20
_PROBE = 1 << 16
_BETWEEN = re.compile(rb"\}[ \t\n\r]*,[ \t\n\r]*(?=\{)")
_FIRST_KEY = re.compile(rb'\{[ \t\n\r]*"[^"\\]*"[ \t\n\r]*:')

Parsed = TypeVar("Parsed")
Parser = Callable[[bytes], Parsed]


class BrokenError(Exception):
    """The text at `offset`, a proven record start, is no JSON. The index is counted by the reader."""

    def __init__(self, offset: int) -> None:
        super().__init__(offset)
        self.offset = offset


class Separator:
    """What stands between two records of this file: exact text where it is regular, else a pattern."""

    def __init__(self, sample: bytes) -> None:
        self.exact = b""
        self.tail = 0
        for end in record_ends(sample):
            match, key = _BETWEEN.match(sample, end - 1), _FIRST_KEY.match(sample)
            if match and key:
                self.exact = match.group() + key.group()
                self.tail = key.end()
            break

    def last(self, text: bytes) -> Optional[range]:
        """The last separator: range(end of one record, start of the next)."""
        at = text.rfind(self.exact) if self.exact else -1
        if at >= 0:
            return range(at + 1, at + len(self.exact) - self.tail)
        match = None
        for match in _BETWEEN.finditer(text):
            pass
        return range(match.start() + 1, match.end()) if match else None

    def first(self, text: bytes) -> Optional[int]:
        """Start of the first record that follows a separator."""
        at = text.find(self.exact) if self.exact else -1
        if at >= 0:
            return at + len(self.exact) - self.tail
        match = _BETWEEN.search(text)
        return match.end() if match else None


def find_separator(source: Source, span: Span) -> Separator:
    """Learn the separator from the first two records."""
    return Separator(source.read(span.start, min(_PROBE, span.end - span.start)))


def segment_starts(source: Source, span: Span, separator: Separator, step: int) -> List[int]:
    """Guess a record start in every `step` bytes; a wrong one shows when the segment before it is read."""
    starts = [span.start]
    for offset in range(span.start + step, span.end, step):
        for at in range(offset, min(offset + step, span.end), _PROBE):
            found = separator.first(source.read(at, min(_PROBE + 256, span.end - at)))
            if found is not None:
                if at + found > starts[-1]:
                    starts.append(at + found)
                break
    return starts


def read_pieces(
    source: Source, start: int, end: int, separator: Separator, parse: Parser[Parsed], piece_bytes: int
) -> Iterator[Parsed]:
    """Yield each piece of [start, end), parsed. `start` must be a record start.

    Raises:
        BrokenError: with the record start behind which the text is no JSON.
        ConvertError: record_too_big; or as Source.read.
    """
    at = start
    while at < end:
        text = source.read(at, min(piece_bytes, end - at))
        if at + len(text) >= end:
            cut, following = len(text), end
        else:
            between = separator.last(text)
            cut, following = (between.start, at + between.stop) if between else (0, at)
        parsed = _try(parse, text[:cut] if cut < len(text) else text) if cut else None
        if parsed is None:
            parsed, following = _read_exactly(source, at, end, parse, piece_bytes)
        yield parsed
        at = following


def _try(parse: Parser[Parsed], text: bytes) -> Optional[Parsed]:
    try:
        return parse(text)
    except ValueError:
        return None


def _read_exactly(
    source: Source, at: int, end: int, parse: Parser[Parsed], piece_bytes: int
) -> "tuple[Parsed, int]":
    """As one turn of read_pieces, with a cut that is certain for valid JSON, however long a record is."""
    size = min(piece_bytes, MAX_RECORD)
    while True:
        text = source.read(at, min(size, end - at))
        cut = 0
        for ended in record_ends(text):
            cut = ended
        if cut or at + len(text) >= end or size >= MAX_RECORD:
            break
        size = min(max(size, 1024) * 4, MAX_RECORD)
    parsed = _try(parse, text[:cut]) if cut else None
    if parsed is None:
        raise BrokenError(at)
    following = skip_space(source, at + cut, end)
    if following >= end:
        return parsed, end
    if source.read(following, 1) != b",":
        raise BrokenError(at)
    following = skip_space(source, following + 1, end)
    if following >= end:  # a comma with nothing behind it
        raise BrokenError(at)
    return parsed, following


def refuse(source: Source, offset: int, index: int, span: Span) -> None:
    """Raise the ConvertError for a broken file: `offset` is the start of record `index`.

    Raises:
        ConvertError: always.
    """
    window = source.read(offset, MAX_RECORD)
    if len(window) == MAX_RECORD and next(record_ends(window), None) is None:
        _refuse_giant(source, offset, index, window)
    if offset >= span.end and not span.closed:
        raise truncated(source, index)
    explain(source, offset, index)


def _refuse_giant(source: Source, offset: int, index: int, window: bytes) -> None:
    import orjson  # noqa: PLC0415 - the rare path

    try:
        orjson.loads(b"[" + window)
    except ValueError as error:
        if getattr(error, "pos", 0) < len(window.decode("utf-8", "ignore")) - 16:
            return
    raise too_big(source, index, offset)
