# SPDX-License-Identifier: MIT
"""From the JSON to the bytes of the NPZ and the content of its sidecar, in memory."""

from __future__ import annotations

import gc
from typing import Any, Callable

import numpy as np
from ansible.module_utils.survivor_npz.arrays.findings import Tally
from ansible.module_utils.survivor_npz.common.errors import ConvertError
from ansible.module_utils.survivor_npz.convert import checks
from ansible.module_utils.survivor_npz.convert.segments import (
    Reading,
    Result,
    Segment,
    Store,
    plan_segments,
    read_segment,
)
from ansible.module_utils.survivor_npz.convert.workers import MOST_TASKS, WORTH_A_FORK, run_tasks
from ansible.module_utils.survivor_npz.npz import schema, sidecar
from ansible.module_utils.survivor_npz.npz.schema import FIELDS
from ansible.module_utils.survivor_npz.npz.write import (
    Columns,
    Parts,
    assemble,
    is_rising,
    overlapping,
    pack_columns,
)
from ansible.module_utils.survivor_npz.survivors.diagnosis import MAX_RECORD
from ansible.module_utils.survivor_npz.survivors.document import Span, find_span
from ansible.module_utils.survivor_npz.survivors.file import Source
from ansible.module_utils.survivor_npz.survivors.pieces import Gap, find_gaps, find_separator, refuse
from ansible.module_utils.survivor_npz.survivors.repeats import Splitter
from numpy.typing import NDArray

_SEGMENT_BYTES = 64 << 20
_FEW_VALUES = 16
_KEPT_BYTES = 16 << 20


_Slice = dict[str, NDArray[Any]]


def _columns(slices: list[_Slice], from_counts: bool) -> Columns:
    """The columns of the whole file, in the parts that its segments gave; they are taken out of `slices`."""
    columns: Columns = {}
    for field in FIELDS:
        name = field.array
        if from_counts and field.key in schema.COUNT_FOR_RATE:
            name = schema.COUNT_FOR_RATE[field.key]
        columns[field.array] = [piece[name] for piece in slices if len(piece[name])]
    slices.clear()
    return columns


def _read_all(how: Reading, span: Span, workers: int) -> tuple[list[_Slice], Tally]:
    """All records between the brackets, by `workers` processes."""
    gaps: list[Gap] = []
    size = span.end - span.start
    if span.closed and workers > 1 and size > WORTH_A_FORK:
        step = max(size // (workers * 16), 1 << 20)
        step = max(min(step, _SEGMENT_BYTES), size // MOST_TASKS + 1)
        gaps = find_gaps(how.source, span, how.separator, step)
    segments = plan_segments(span.start, gaps, span.end)
    slices, total, broken = _read_plan(how, segments, workers)
    if broken is not None and gaps:
        # A guessed gap may have been wrong; what is before `broken` is proven.
        more, tally, broken = _read_plan(how, plan_segments(broken, [], span.end), 1)
        slices += more
        total.add(tally)
    if broken is not None or not span.closed:
        refuse(how.source, span.end if broken is None else broken, total.records)
    return slices, total


def _read_plan(how: Reading, segments: list[Segment], workers: int) -> tuple[list[_Slice], Tally, int | None]:
    """The segments in order, up to the first broken one, and where that is."""
    store, total = Store(segments), Tally()

    def task(number: int) -> Result:
        return read_segment(how, segments[number], store.columns(number))

    slices: list[_Slice] = []
    for number, result in enumerate(run_tasks(task, len(segments), workers)):
        total.add(result.tally)
        columns = store.columns(number)
        slices.append({name: array[: result.stored] for name, array in columns.items()})
        if result.broken is not None:
            return slices, total, result.broken
    return slices, total, None


def _count_duplicates(seeds: Parts) -> tuple[int, int]:
    """Count duplicate seeds, and seeds smaller than their predecessor."""
    if is_rising(seeds):
        return 0, 0
    unordered = sum(int(np.count_nonzero(part[1:] < part[:-1])) for part in overlapping(seeds))
    ordered = np.concatenate(seeds)
    ordered.sort()
    return int(np.count_nonzero(ordered[1:] == ordered[:-1])), unordered


def _few_values(columns: Columns) -> dict[str, int]:
    """Match arrays with few distinct values, and how many they have."""
    few: dict[str, int] = {}
    for field in FIELDS:
        if field.kind == schema.RATE:
            parts = columns[field.array]
            found = np.zeros(0, field.dtype)
            for part in parts:
                found = np.union1d(found, part)
                if len(found) > _FEW_VALUES:
                    break
            else:
                if sum(map(len, parts)) > _FEW_VALUES:
                    few[field.array] = len(found)
    return few


def build(
    source: Source,
    dest: str,
    *,
    digest: Callable[[], str],
    prng_encoding: str,
    workers: int,
    piece_bytes: int,
    former: sidecar.Sidecar | None,
    lap: Callable[[str], None],
) -> tuple[bytes, sidecar.Sidecar]:
    """Convert the JSON; return the bytes of the NPZ and the content of its sidecar.

    Args:
        digest: gives the JSON's SHA-256.
        workers: processes that parse, threads that deflate. The bytes don't depend on it.
        piece_bytes: how much is parsed at once. The bytes don't depend on it.
        former: the sidecar to compare with, None for none.
        lap: called with the name of each phase when it ends.

    Raises:
        ConvertError: the JSON is refused (contract, sections 2 and 3), or changed while it was read.
    """
    collecting = gc.isenabled()
    gc.disable()
    try:
        slices, tally = _read(source, prng_encoding, workers, piece_bytes)
        sha256 = digest()
        source.check_unchanged()
        lap("read")
        from_counts = checks.judge(source.path, tally, prng_encoding)
        columns = _columns(slices, from_counts)
        warnings, notes = _look_at(columns, tally, from_counts)
        members = pack_columns(columns, workers)
        ranges = {name: (member.low, member.high) for name, member in members.items()}
        data = assemble(members)
        lap("pack")
        source.check_unchanged()
        facts = {
            "path": source.path,
            "size": source.size,
            "mtime_ns": source.stamp.mtime_ns,
            "sha256": sha256,
        }
        content = sidecar.compose(
            data,
            source=facts,
            output=dest,
            survivor_count=tally.records,
            prng_encoding=prng_encoding,
            matches=checks.match_sources(from_counts),
            found={
                "left_out": checks.left_out(tally),
                "left_out_more": tally.other_keys.others(),
                "defaulted": checks.defaulted(tally),
                "warnings": warnings + checks.compare(former, tally.records, ranges),
                "notes": notes,
                "ranges": ranges,
            },
        )
        lap("digest")
        return data, content
    except MemoryError as error:
        fewer = ", or run with workers: 1" if workers > 1 else ""
        raise ConvertError(
            "no_memory", f"{source.path}: out of memory. Nothing was replaced. Free some memory{fewer}."
        ) from error
    finally:
        if collecting:
            gc.enable()


def _read(source: Source, encoding: str, workers: int, piece_bytes: int) -> tuple[list[_Slice], Tally]:
    """All records as slices of columns, and what was noticed."""
    span = find_span(source)
    if not span:
        return [], Tally()
    separator = find_separator(source, span)
    # glibc's malloc then keeps blocks of a piece's size, instead of returning and taking their pages each time.
    bytes(_KEPT_BYTES)
    piece_bytes = max(1, min(piece_bytes, MAX_RECORD))
    how = Reading(source, separator, Splitter(separator), encoding, piece_bytes)
    return _read_all(how, span, workers)


def _look_at(columns: Columns, tally: Tally, from_counts: bool) -> tuple[list[str], list[str]]:
    """Warnings and notes."""
    duplicates, unordered = _count_duplicates(columns["seeds"])
    warnings = checks.warnings(tally, from_counts, duplicates, unordered)
    return warnings, checks.notes(tally, _few_values(columns))
