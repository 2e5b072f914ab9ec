"""From the open JSON to the bytes of the NPZ, in memory. Nothing is written here."""

from __future__ import annotations

import gc
from typing import Any, Callable, Dict, List, NamedTuple, Optional, Tuple

import numpy as np
from ansible.module_utils.survivor_npz.arrays.findings import Tally
from ansible.module_utils.survivor_npz.common.errors import ConvertError
from ansible.module_utils.survivor_npz.convert.checks import judge
from ansible.module_utils.survivor_npz.convert.segments import (
    Reading,
    Result,
    Segment,
    Store,
    plan_segments,
    read_segment,
)
from ansible.module_utils.survivor_npz.convert.workers import MOST_TASKS, run_tasks
from ansible.module_utils.survivor_npz.npz import schema
from ansible.module_utils.survivor_npz.npz.schema import FIELDS, Field
from ansible.module_utils.survivor_npz.npz.write import assemble, pack_columns
from ansible.module_utils.survivor_npz.survivors import pieces as records
from ansible.module_utils.survivor_npz.survivors.diagnosis import MAX_RECORD
from ansible.module_utils.survivor_npz.survivors.document import Span, find_span
from ansible.module_utils.survivor_npz.survivors.file import Source
from ansible.module_utils.survivor_npz.survivors.repeats import Splitter
from numpy.typing import NDArray

_SEGMENT_BYTES = 16 << 20
# Below this a fork costs more than it saves.
_WORTH_A_FORK = 8 << 20
_FEW_VALUES = 16
_SAMPLE = 1 << 16


class Built(NamedTuple):
    """An NPZ in memory, with what the sidecar and the warnings say about it."""

    data: bytes
    survivor_count: int
    ranges: Dict[str, Tuple[Optional[float], Optional[float]]]
    tally: Tally
    from_counts: bool
    duplicate_seeds: int
    unordered_seeds: int
    few_values: Dict[str, int]


class _Slice(NamedTuple):
    columns: Dict[str, NDArray[Any]]
    stored: int


class Columns:
    """The columns of the whole file, put together from those of its segments on demand."""

    def __init__(self, slices: List[_Slice], from_counts: bool) -> None:
        self._slices = slices
        self._from_counts = from_counts

    def __call__(self, field: Field) -> NDArray[Any]:
        """One array of the schema, one element per survivor."""
        name = field.array
        if self._from_counts and field.key in schema.COUNT_FOR_RATE:
            name = schema.COUNT_FOR_RATE[field.key]
        parts = [piece.columns[name][: piece.stored] for piece in self._slices]
        return np.concatenate(parts) if parts else np.zeros(0, field.dtype)


class _Digest:
    """SHA-256 of the JSON, computed when there is time for it."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self.value = ""

    def compute(self) -> None:
        if not self.value:
            self.value = self._source.sha256()


def _read_all(how: Reading, span: Span, workers: int, digest: _Digest) -> Tuple[List[_Slice], Tally]:
    """All records between the brackets, by `workers` processes; `digest` is computed meanwhile."""
    gaps: List[records.Gap] = []
    size = span.end - span.start
    if span.closed and workers > 1 and size > _WORTH_A_FORK:
        step = max(size // (workers * 16), 1 << 20)
        step = max(min(step, _SEGMENT_BYTES), size // MOST_TASKS + 1)
        gaps = records.find_gaps(how.source, span, how.separator, step)
    segments = plan_segments(span.start, gaps, span.end)
    slices, total, broken = _read_plan(how, segments, workers, digest)
    if broken is not None and gaps:
        # A guessed gap may have been none; what is before `broken` is proven.
        more, tally, broken = _read_plan(how, plan_segments(broken, [], span.end), 1, digest)
        slices += more
        total.add(tally)
    if broken is not None or not span.closed:
        records.refuse(how.source, span.end if broken is None else broken, total.records, span)
    return slices, total


def _read_plan(
    how: Reading, segments: List[Segment], workers: int, digest: _Digest
) -> Tuple[List[_Slice], Tally, Optional[int]]:
    """The segments in order, up to the first that is broken, and where it is."""
    store, total = Store(segments), Tally()

    def task(number: int) -> Result:
        return read_segment(how, segments[number], store.columns(number))

    slices: List[_Slice] = []
    for number, result in enumerate(run_tasks(task, len(segments), workers, digest.compute)):
        total.add(result.tally)
        slices.append(_Slice(store.columns(number), result.stored))
        if result.broken is not None:
            return slices, total, result.broken
    return slices, total, None


def _count_duplicates(seeds: NDArray[Any]) -> Tuple[int, int]:
    """How many seeds were there before in the file, and how many are smaller than the one before them."""
    if len(seeds) < 2:
        return 0, 0
    rising = seeds[1:] > seeds[:-1]
    if rising.all():
        return 0, 0
    unordered = int(np.count_nonzero(seeds[1:] < seeds[:-1]))
    ordered = np.sort(seeds)
    return int(np.count_nonzero(ordered[1:] == ordered[:-1])), unordered


def _count_distinct(column: NDArray[Any]) -> int:
    ordered = np.sort(column)
    return int(np.count_nonzero(ordered[1:] != ordered[:-1])) + min(len(ordered), 1)


def _few_values(columns: Columns) -> Dict[str, int]:
    """Match arrays with few distinct values, and how many."""
    few: Dict[str, int] = {}
    for field in FIELDS:
        if field.kind == schema.RATE:
            column = columns(field)
            distinct = _count_distinct(column[:_SAMPLE])
            if len(column) > _SAMPLE and distinct <= _FEW_VALUES:
                distinct = _count_distinct(column)
            if distinct <= _FEW_VALUES < len(column):
                few[field.array] = distinct
    return few


def build(
    source: Source, encoding: str, workers: int, piece_bytes: int, lap: Callable[[str], None]
) -> Tuple[Built, str]:
    """Read the JSON and pack the NPZ; return it and the JSON's SHA-256.

    Args:
        source: the open JSON.
        encoding: `registry` or `legacy`.
        workers: processes that parse, threads that pack. The bytes don't depend on it.
        piece_bytes: how much is parsed at once. The bytes don't depend on it.

    Raises:
        ConvertError: the JSON is refused (contract, sections 2 and 3), or changed while it was read.
    """
    collecting = gc.isenabled()
    gc.disable()
    try:
        span = find_span(source)
        piece_bytes = max(1, min(piece_bytes, MAX_RECORD))
        digest = _Digest(source)
        slices: List[_Slice] = []
        tally = Tally()
        if span:
            separator = records.find_separator(source, span)
            how = Reading(source, separator, Splitter(separator), encoding, piece_bytes)
            slices, tally = _read_all(how, span, workers, digest)
        digest.compute()
        source.check_unchanged()
        lap("read")
        from_counts = judge(source.path, tally, encoding)
        columns = Columns(slices, from_counts)
        duplicates, unordered = _count_duplicates(columns(schema.BY_ARRAY["seeds"]))
        members = pack_columns(columns, workers)
        built = Built(
            assemble(members),
            tally.records,
            {name: (member.low, member.high) for name, member in members.items()},
            tally,
            from_counts,
            duplicates,
            unordered,
            _few_values(columns),
        )
        lap("pack")
        return built, digest.value
    except MemoryError as error:
        fewer = ", or run with workers: 1" if workers > 1 else ""
        raise ConvertError(
            "no_memory", f"{source.path}: out of memory. Nothing was replaced. Free some{fewer}."
        ) from error
    finally:
        if collecting:
            gc.enable()
