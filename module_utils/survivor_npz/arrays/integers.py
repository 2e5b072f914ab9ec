# SPDX-License-Identifier: MIT
"""Columns of integers, and the three forms of `skip_range`: contract, section 3."""

from __future__ import annotations

import re
from typing import Any, NamedTuple

import numpy as np
from ansible.module_utils.survivor_npz.arrays.checker import Checker
from ansible.module_utils.survivor_npz.npz.schema import Field
from ansible.module_utils.survivor_npz.survivors.table import Column
from numpy.typing import NDArray

_RANGE_TEXT = re.compile(r"([0-9]+)-([0-9]+)")
_RANGE_TEXT_LIMIT = 100


class _Limits(NamedTuple):
    """The smallest and the largest integer that a dtype holds."""

    low: int
    high: int

    def __str__(self) -> str:
        return f"{self.low} to {self.high}"


_UINT32 = _Limits(0, 2**32 - 1)
_INT32 = _Limits(-(2**31), 2**31 - 1)


def seeds(checker: Checker, field: Field) -> NDArray[Any] | None:
    """One uint32 per record; None if one is refused."""
    return _integers(checker, field, checker.table.column(field.key), _UINT32)


def integers(checker: Checker, field: Field) -> NDArray[Any] | None:
    """One int32 per record, 0 if it is missing; None if one is refused."""
    return _integers(checker, field, checker.default(field.key), _INT32)


def _integers(checker: Checker, field: Field, column: Column, limits: _Limits) -> NDArray[Any] | None:
    array = _array_of(column.values, limits, field.dtype)
    if array is not None:
        return column.expand(array)

    def why(value: Any) -> str | None:
        if type(value) is not int:
            return f"an integer from {limits} is needed"
        return None if limits.low <= value <= limits.high else f"out of range, which is {limits}"

    checker.refuse(field.key, column, why)
    return None


def _array_of(values: list[Any], limits: _Limits, dtype: str) -> NDArray[Any] | None:
    """An array of integers; None if one of the values is not an integer or out of range."""
    if set(map(type, values)) != {int}:
        return None
    try:
        array = np.fromiter(values, np.int64, len(values))
    except OverflowError:
        return None
    return array.astype(dtype) if array.min() >= limits.low and array.max() <= limits.high else None


def ranges(checker: Checker, field: Field) -> NDArray[Any] | None:
    """`skip_range` as max - min, one int32 per record, 0 if it is missing; None if one is refused."""
    column = checker.default(field.key)
    array = _array_of(_differences(column.values), _INT32, field.dtype)
    if array is None:
        checker.refuse(field.key, column, _why_not_a_range)
        return None
    falling = array < 0
    if falling.any():
        falling &= column.mask(lambda value: type(value) is not int)
        checker.tally.counts["falling", field.key] = column.count(falling)
    return column.expand(array)


def _difference(value: Any) -> int | None:
    """`skip_range` in any of its three forms as max - min; None for anything else."""
    if type(value) is int:
        return value
    ends: list[Any] = []
    if type(value) is str and len(value) <= _RANGE_TEXT_LIMIT:
        match = _RANGE_TEXT.fullmatch(value)
        ends = [int(match[1]), int(match[2])] if match else []
    elif type(value) is list and len(value) == 2 and all(type(end) is int for end in value):
        ends = value
    return ends[1] - ends[0] if ends else None


def _why_not_a_range(value: Any) -> str | None:
    difference = _difference(value)
    if difference is None:
        return 'an integer, "a-b" or [a, b] is needed'
    return None if _INT32.low <= difference <= _INT32.high else f"out of range, which is {_INT32}"


def _differences(values: list[Any]) -> list[Any]:
    """Each `skip_range` as max - min, None for a bad one. Each text is parsed once: shape D repeats few."""
    types = set(map(type, values))
    if types == {int}:
        return values
    if types == {str}:
        known = {value: _difference(value) for value in set(values)}
        return [known[value] for value in values]
    return [_difference(value) for value in values]
