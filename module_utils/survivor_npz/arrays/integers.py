"""Ints of a column, within limits, and the three forms of `skip_range`: contract, section 3."""

from __future__ import annotations

import re
from typing import Any, List, NamedTuple, Optional

import numpy as np
from numpy.typing import NDArray

_RANGE_TEXT = re.compile(r"([0-9]+)-([0-9]+)")
_RANGE_TEXT_LIMIT = 100


class Limits(NamedTuple):
    """The smallest and the largest int that a dtype holds, and both in words."""

    low: int
    high: int
    text: str


UINT32 = Limits(0, 2**32 - 1, "0 to 4294967295")
INT32 = Limits(-(2**31), 2**31 - 1, "-2147483648 to 2147483647")


def array_of(values: List[Any], limits: Limits, dtype: str) -> Optional[NDArray[Any]]:
    """An array of ints; None where one of the values is no int or out of range."""
    if set(map(type, values)) != {int}:
        return None
    try:
        array = np.fromiter(values, np.int64, len(values))
    except OverflowError:
        return None
    return array.astype(dtype) if array.min() >= limits.low and array.max() <= limits.high else None


def _difference(value: Any) -> Optional[int]:
    """`skip_range` in any of its three forms as max - min; None for anything else."""
    if type(value) is int:
        return value
    ends: List[Any] = []
    if type(value) is str and len(value) <= _RANGE_TEXT_LIMIT:
        match = _RANGE_TEXT.fullmatch(value)
        ends = [int(match[1]), int(match[2])] if match else []
    elif type(value) is list and len(value) == 2 and all(type(end) is int for end in value):
        ends = value
    return ends[1] - ends[0] if ends else None


def why_no_range(value: Any) -> Optional[str]:
    """What is wrong with a `skip_range`; None for a good one."""
    difference = _difference(value)
    if difference is None:
        return 'an int, "a-b" or [a, b] is needed'
    return None if INT32.low <= difference <= INT32.high else f"out of range, which is {INT32.text}"


def differences(values: List[Any]) -> List[Optional[int]]:
    """Each `skip_range` as max - min, None for a bad one. Each text is parsed once: shape D repeats few."""
    types = set(map(type, values))
    if types == {int}:
        return values
    if types == {str}:
        known = {value: _difference(value) for value in set(values)}
        return [known[value] for value in values]
    return [_difference(value) for value in values]
