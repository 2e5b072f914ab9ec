# SPDX-License-Identifier: MIT
"""Turn the columns of a piece into the 22 arrays, strictly: contract, section 3, line by line.

Types are checked for a whole column at once, at C speed; only a column that fails is searched.
"""

from __future__ import annotations

from typing import Any, Callable

import numpy as np
from ansible.module_utils.survivor_npz.arrays.checker import Checker
from ansible.module_utils.survivor_npz.arrays.findings import Seen, Tally
from ansible.module_utils.survivor_npz.arrays.integers import integers, ranges, seeds
from ansible.module_utils.survivor_npz.arrays.prng import prng_ids
from ansible.module_utils.survivor_npz.npz import schema
from ansible.module_utils.survivor_npz.npz.schema import FIELDS, Field
from ansible.module_utils.survivor_npz.survivors.table import Column, Table
from numpy.typing import NDArray

Arrays = dict[str, NDArray[Any]]

_EXACT_IN_FLOAT32 = float(1 << 24)
_EXACT_IN_FLOAT64 = float(1 << 53)
_NUMBERS = {int, float}


def make_arrays(table: Table, encoding: str) -> tuple[Arrays, Tally]:
    """The arrays of one piece, by name, and what was noticed.

    Args:
        encoding: `registry` or `legacy`, the table for `prng_type`.

    Returns:
        Arrays of `table.length` elements each, in the schema's dtypes. An array is missing if the tally has
        a fault in its column. Match arrays are 0 for a record that has neither rate (`tally.unrated`).
    """
    checker = Checker(table)
    arrays = _rates(checker)
    for field in FIELDS:
        array = _MAKERS[field.kind](checker, field) if field.kind in _MAKERS else None
        if array is not None:
            arrays[field.array] = array
    ids = prng_ids(checker, encoding, arrays.get("skip_mode"))
    if ids is not None:
        arrays["prng_type"] = ids
    checker.finish()
    for key, count in table.key_counts().items():
        if key not in schema.KNOWN_KEYS:
            checker.tally.other_keys.add(key, Seen(count, 0))
    return arrays, checker.tally


def _numbers(checker: Checker, field: Field) -> NDArray[np.float32] | None:
    """One float32 per record, 0 if it is missing; None if one is refused."""
    column = checker.default(field.key)
    types = set(map(type, column.values))
    if types <= _NUMBERS:
        double = np.fromiter(column.values, np.float64, len(column.values))
        with np.errstate(over="ignore"):
            single = double.astype(np.float32)
        if np.isfinite(single).all():
            _note_losses(checker.tally, field.key, column, double, single, has_ints=int in types)
            return column.expand(single)

    def why(value: Any) -> str | None:
        if type(value) not in _NUMBERS:
            return "a number is needed"
        with np.errstate(over="ignore"):
            return None if np.isfinite(np.float32(float(value))) else "too large for float32"

    checker.refuse(field.key, column, why)
    return None


def _note_losses(
    tally: Tally,
    key: str,
    column: Column,
    double: NDArray[np.float64],
    single: NDArray[np.float32],
    *,
    has_ints: bool,
) -> None:
    """Count what float32 turned into 0, and the integers that it rounded."""
    if np.count_nonzero(double) != np.count_nonzero(single):
        tally.counts["vanished", key] = column.count((single == 0) & (double != 0))
    size = np.abs(double)
    if not has_ints or size.max() <= _EXACT_IN_FLOAT32:
        return
    # Above 2**53 the double has rounded already: compare those integers themselves.
    suspects = (size > _EXACT_IN_FLOAT32) & (
        (single.astype(np.float64) != double) | (size >= _EXACT_IN_FLOAT64)
    )
    lost = np.zeros(len(double), np.bool_)
    for i in np.flatnonzero(suspects).tolist():
        value = column.values[i]
        lost[i] = type(value) is int and int(single[i]) != value
    if lost.any():
        tally.counts["rounded", key] = column.count(lost)


def _rates(checker: Checker) -> Arrays:
    """Both match arrays: a record's own rate, or the other direction's, or 0 for neither."""
    table, tally = checker.table, checker.tally
    made: dict[str, NDArray[np.float32] | None] = {}
    present: dict[str, NDArray[np.bool_]] = {}
    fields = [field for field in FIELDS if field.kind == schema.RATE]
    for field in fields:
        column = table.column(field.key)
        present[field.key] = np.ones(table.length, np.bool_)
        if column.has_missing:
            present[field.key] = ~column.expand(column.missing())
            column = column.fill(0)
        made[field.key] = _rate(checker, field.key, column)
    rated = np.logical_or(*present.values())
    number = int(np.count_nonzero(rated))
    if number:
        tally.rated = Seen(number, int(np.argmax(rated)))
    if number < table.length:
        tally.unrated = Seen(table.length - number, int(np.argmin(rated)))
    arrays: Arrays = {}
    for field in fields:
        other_key = schema.OTHER_RATE[field.key]
        own, other, has_own = made[field.key], made[other_key], present[field.key]
        if own is None or other is None:
            continue
        tally.counts["borrowed", field.key] = int(np.count_nonzero(present[other_key] & ~has_own))
        arrays[field.array] = own if has_own.all() else np.where(has_own, own, other)
    return arrays


def _rate(checker: Checker, key: str, column: Column) -> NDArray[np.float32] | None:
    """One rate per record; None if one is not a number from 0 to 1."""
    if set(map(type, column.values)) <= _NUMBERS:
        double = np.fromiter(column.values, np.float64, len(column.values))
        if double.min() >= 0 and double.max() <= 1:
            single = double.astype(np.float32)
            _note_losses(checker.tally, key, column, double, single, has_ints=False)
            return column.expand(single)

    def why(value: Any) -> str | None:
        good = type(value) in _NUMBERS and 0 <= value <= 1
        return None if good else "a match rate is a number from 0 to 1"

    checker.refuse(key, column, why)
    return None


def _modes(checker: Checker, field: Field) -> NDArray[np.uint8] | None:
    """One code per record; None if one is refused."""
    column, codes = checker.table.column(field.key), schema.SKIP_MODES
    if set(map(type, column.values)) == {str} and set(column.values) <= codes.keys():
        return column.expand(np.fromiter(map(codes.__getitem__, column.values), np.uint8, len(column.values)))
    why = " or ".join(f'"{mode}"' for mode in codes) + " is needed"
    checker.refuse(field.key, column, lambda value: None if type(value) is str and value in codes else why)
    return None


_MAKERS: dict[str, Callable[[Checker, Field], NDArray[Any] | None]] = {
    schema.SEED: seeds,
    schema.INT: integers,
    schema.RANGE: ranges,
    schema.NUMBER: _numbers,
    schema.MODE: _modes,
}
