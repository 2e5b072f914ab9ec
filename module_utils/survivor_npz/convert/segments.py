# SPDX-License-Identifier: MIT
"""Read segments of the file into one shared map: the same arrays from any number of workers."""

from __future__ import annotations

import errno
import mmap
from itertools import accumulate
from typing import Any, NamedTuple

import numpy as np
from ansible.module_utils.survivor_npz.arrays.arrays import make_arrays
from ansible.module_utils.survivor_npz.arrays.findings import Tally
from ansible.module_utils.survivor_npz.npz.schema import FIELDS
from ansible.module_utils.survivor_npz.survivors.file import Source
from ansible.module_utils.survivor_npz.survivors.pieces import BrokenError, Gap, Separator, read_pieces
from ansible.module_utils.survivor_npz.survivors.repeats import Splitter
from numpy.typing import NDArray

# No shorter record passes the checks: it has a seed, a skip mode and a PRNG.
_SHORTEST_RECORD = 32
# Linux; named in Python from 3.13 on. Memory is taken when pages are written, not when they are mapped.
_MAP_NORESERVE = 0x4000


class Segment(NamedTuple):
    """Bytes [start, end) of the file, with at most `capacity` good records."""

    start: int
    end: int
    capacity: int


class Result(NamedTuple):
    """What was read from a segment; `broken` is where its text stopped being JSON, None for nowhere."""

    tally: Tally
    stored: int
    broken: int | None


def plan_segments(start: int, gaps: list[Gap], end: int) -> list[Segment]:
    """Segments from `start` to `end`, separated by the gaps."""
    starts, ends = [start, *(gap.start for gap in gaps)], [*(gap.end for gap in gaps), end]
    return [Segment(low, high, (high - low) // _SHORTEST_RECORD + 1) for low, high in zip(starts, ends)]


class Store:
    """Anonymous maps that forked workers share, one per column, with space for all segments.

    A column's memory is free again once nothing refers to it.

    Raises:
        MemoryError: there is not enough address space.
    """

    def __init__(self, segments: list[Segment]) -> None:
        self._segments = segments
        self._starts = list(accumulate((segment.capacity for segment in segments), initial=0))
        flags = mmap.MAP_SHARED | mmap.MAP_ANONYMOUS | _MAP_NORESERVE
        try:
            self._maps = {
                field.array: mmap.mmap(-1, self._starts[-1] * field.itemsize, flags=flags) for field in FIELDS
            }
        except OSError as error:
            if error.errno == errno.ENOMEM:
                raise MemoryError from error
            raise

    def columns(self, number: int) -> dict[str, NDArray[Any]]:
        """The columns of a segment, by array name, as long as its capacity."""
        start, capacity = self._starts[number], self._segments[number].capacity
        return {
            field.array: np.frombuffer(self._maps[field.array], field.dtype, capacity, start * field.itemsize)
            for field in FIELDS
        }


class Reading(NamedTuple):
    """How the file is read: the same for all segments."""

    source: Source
    separator: Separator
    splitter: Splitter
    encoding: str
    piece_bytes: int


def read_segment(how: Reading, segment: Segment, columns: dict[str, NDArray[Any]]) -> Result:
    """Read one segment into its columns. A piece with a bad record is not stored: the file will be refused.

    Raises:
        ConvertError: as Source.read.
    """
    total, stored = Tally(), 0
    try:
        for piece in read_pieces(
            how.source,
            segment.start,
            segment.end,
            how.separator,
            parse=how.splitter.parse,
            piece_bytes=how.piece_bytes,
        ):
            arrays, tally = make_arrays(piece, how.encoding)
            if not tally.bad_records:
                for name, column in columns.items():
                    column[stored : stored + piece.length] = arrays[name]
                stored += piece.length
            total.add(tally)
    except BrokenError as error:
        return Result(total, stored, error.offset)
    return Result(total, stored, None)
