# SPDX-License-Identifier: MIT
"""Cut the file into pieces of whole records and parse each piece by itself.

A piece is guessed: it runs from a proven record start to the last separator in a block of a few MB. If the
guess hit the inside of a string or of a nested object, the piece is not valid JSON by itself; an exact scan
then finds the end. Pieces are small enough to stay in the processor's cache.
"""

from __future__ import annotations

import re
from collections import deque
from typing import Callable, Iterator, NamedTuple, TypeVar

from ansible.module_utils.survivor_npz.survivors.diagnosis import MAX_RECORD, explain, too_big
from ansible.module_utils.survivor_npz.survivors.document import Span, skip_space
from ansible.module_utils.survivor_npz.survivors.file import Source
from ansible.module_utils.survivor_npz.survivors.scanner import record_ends, scalars_end

_PROBE = 1 << 16
_BETWEEN = re.compile(rb"\}[ \t\n\r]*,[ \t\n\r]*(?=\{)")
_FIRST_KEY = re.compile(rb'\{[ \t\n\r]*"[^"\\]*"[ \t\n\r]*:')

Parsed = TypeVar("Parsed")
Parser = Callable[[bytes], Parsed]


class BrokenError(Exception):
    """The text at `offset`, a proven record start, is not JSON. The reader counts the record's index."""

    def __init__(self, offset: int) -> None:
        super().__init__(offset)
        self.offset = offset


class Gap(NamedTuple):
    """The text between two records: where the first ends and the second starts."""

    end: int
    start: int


class Separator:
    """The text between two records of this file: exact text if it is regular, else a pattern."""

    def __init__(self, sample: bytes) -> None:
        self.exact = b""
        self.tail = 0
        self.first_record = b""
        for end in record_ends(sample):
            match, key = _BETWEEN.match(sample, end - 1), _FIRST_KEY.match(sample)
            if match and key:
                self.exact = match.group() + key.group()
                self.tail = key.end()
                self.first_record = sample[:end]
            break

    def last(self, text: bytes) -> Gap | None:
        """The last separator in a text."""
        at = text.rfind(self.exact) if self.exact else -1
        if at >= 0:
            return self._gap(at)
        matches = deque(_BETWEEN.finditer(text), maxlen=1)
        return Gap(matches[0].start() + 1, matches[0].end()) if matches else None

    def first(self, text: bytes) -> Gap | None:
        """The first separator in a text."""
        at = text.find(self.exact) if self.exact else -1
        if at >= 0:
            return self._gap(at)
        match = _BETWEEN.search(text)
        return Gap(match.start() + 1, match.end()) if match else None

    def _gap(self, at: int) -> Gap:
        return Gap(at + 1, at + len(self.exact) - self.tail)


def find_separator(source: Source, span: Span) -> Separator:
    """Learn the separator from the first two records."""
    return Separator(source.read(span.start, min(_PROBE, span.end - span.start)))


def find_gaps(source: Source, span: Span, separator: Separator, step: int) -> list[Gap]:
    """Guess a gap in every `step` bytes; reading the segment before it exposes a wrong one."""
    gaps: list[Gap] = []
    for offset in range(span.start + step, span.end, step):
        for at in range(offset, min(offset + step, span.end), _PROBE):
            found = separator.first(source.read(at, min(_PROBE + 256, span.end - at)))
            if found:
                if not gaps or at + found.end > gaps[-1].start:
                    gaps.append(Gap(at + found.end, at + found.start))
                break
    return gaps


def read_pieces(
    source: Source, start: int, end: int, separator: Separator, *, parse: Parser[Parsed], piece_bytes: int
) -> Iterator[Parsed]:
    """Yield each piece of [start, end), parsed. `start` must be a record start.

    Raises:
        BrokenError: with the start of the record from which on the text is not JSON.
        ConvertError: record_too_big; or as Source.read.
    """
    at = start
    while at < end:
        text = source.read(at, min(piece_bytes, end - at))
        if at + len(text) >= end:
            cut, following = len(text), end
        else:
            between = separator.last(text)
            cut, following = (between.end, at + between.start) if between else (0, at)
        try:
            parsed = parse(text[:cut])
        except ValueError:
            parsed, following = _read_exactly(source, at, end, parse, piece_bytes)
        yield parsed
        at = following


def _read_exactly(
    source: Source, at: int, end: int, parse: Parser[Parsed], piece_bytes: int
) -> tuple[Parsed, int]:
    """As one turn of read_pieces, with a cut that is exact for valid JSON, however long a record is."""
    size = min(piece_bytes, MAX_RECORD)
    while True:
        text = source.read(at, min(size, end - at))
        cut = 0
        for ended in record_ends(text):
            cut = ended
        # The list may also hold items that are not objects.
        cut = cut or scalars_end(text)
        if cut or at + len(text) >= end or size >= MAX_RECORD:
            break
        size = min(max(size, 1024) * 4, MAX_RECORD)
    if not cut and at + len(text) >= end:
        cut = len(text)
    try:
        parsed = parse(text[:cut])
    except ValueError as error:
        raise BrokenError(at) from error
    following = skip_space(source, at + cut, end)
    if following >= end:
        return parsed, end
    if source.read(following, 1) != b",":
        raise BrokenError(at)
    following = skip_space(source, following + 1, end)
    if following >= end:  # a comma that nothing follows
        raise BrokenError(at)
    return parsed, following


def refuse(source: Source, offset: int, index: int) -> None:
    """Raise the ConvertError for a broken file: `offset` is the start of record `index`.

    Raises:
        ConvertError: always.
    """
    window = source.read(offset, MAX_RECORD)
    if len(window) == MAX_RECORD and next(record_ends(window), None) is None:
        _refuse_giant(source, offset, index, window)
    explain(source, offset, index)


def _refuse_giant(source: Source, offset: int, index: int, window: bytes) -> None:
    import orjson  # noqa: PLC0415 - the rare path

    try:
        orjson.loads(b"[" + window)
    except orjson.JSONDecodeError as error:
        if error.pos < len(window.decode("utf-8", "ignore")) - 16:
            return
    raise too_big(source, index, offset)
