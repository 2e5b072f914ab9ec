# SPDX-License-Identifier: MIT
"""The records of one piece as columns of Python values, at C speed.

A table holds groups of dicts. In a group with an index each dict represents many records: record i has the
values of `dicts[index[i]]`. Each key belongs to one group only.
"""

from __future__ import annotations

from collections import Counter
from itertools import chain
from typing import Any, Callable, NamedTuple

import numpy as np
import orjson
from numpy.typing import NDArray

Record = dict[str, Any]


class _Missing:
    """The value of a key that a record lacks."""

    def __repr__(self) -> str:
        return "missing"


MISSING = _Missing()


class Column:
    """The values of one key: record i has `values[index[i]]`, or `values[i]` without an index.

    Attributes:
        values: Python values, MISSING where a record lacks the key.
        index: one element per record, or None.
        has_missing: whether MISSING is among the values.
    """

    def __init__(self, values: list[Any], index: NDArray[np.intp] | None, has_missing: bool) -> None:
        self.values = values
        self.index = index
        self.has_missing = has_missing
        self._weights: NDArray[np.int64] | None = None

    def expand(self, array: NDArray[Any]) -> NDArray[Any]:
        """An array over `values` as an array over records."""
        return array if self.index is None else array.take(self.index)

    def count(self, mask: NDArray[np.bool_]) -> int:
        """Number of records for which a mask over `values` is true."""
        if self.index is None:
            return int(np.count_nonzero(mask))
        if self._weights is None:
            self._weights = np.bincount(self.index, minlength=len(self.values))
        return int(self._weights[mask].sum())

    def place(self, record: int) -> int:
        """Index into `values` of a record's value."""
        return record if self.index is None else int(self.index[record])

    def mask(self, holds: Callable[[Any], bool]) -> NDArray[np.bool_]:
        """A mask over `values`."""
        return np.fromiter(map(holds, self.values), np.bool_, len(self.values))

    def missing(self) -> NDArray[np.bool_]:
        """A mask over `values`: where the key is missing."""
        return self.mask(lambda value: value is MISSING)

    def fill(self, default: Any) -> Column:
        """The column with a default where the key is missing."""
        return Column([default if value is MISSING else value for value in self.values], self.index, False)


class Group(NamedTuple):
    """Dicts, the keys that all of them have in this order (None: they differ), and each record's dict."""

    dicts: list[Record]
    keys: list[str] | None
    values: list[Any]
    which: NDArray[np.intp] | None


def make_group(dicts: list[Record], index: NDArray[np.intp] | None = None) -> Group:
    """Check once whether all dicts have the same keys in the same order: then columns are plain slices."""
    keys = list(dicts[0])
    found = list(chain.from_iterable(dicts))
    # If n dicts repeat `keys` n times, none has more or fewer: it would have to hold one key twice.
    if found == keys * len(dicts):
        return Group(dicts, keys, list(chain.from_iterable(map(dict.values, dicts))), index)
    return Group(dicts, None, [], index)


class Table:
    """All records of one piece. Never empty.

    Attributes:
        length: number of records.
        strangers: items of the list that are not objects, by record number; each counts as an empty record.
    """

    def __init__(self, groups: list[Group], length: int, strangers: dict[int, Any] | None = None) -> None:
        self.groups = groups
        self.length = length
        self.strangers = strangers or {}

    def column(self, key: str) -> Column:
        """The values of `key` in the order of the records."""
        for group in self.groups:
            if group.keys is not None and key in group.keys:
                values = group.values[group.keys.index(key) :: len(group.keys)]
                return Column(values, group.which, False)
        for group in self.groups:
            if group.keys is None:
                values = [record.get(key, MISSING) for record in group.dicts]
                missing = values.count(MISSING)
                if missing < len(values):
                    return Column(values, group.which, missing > 0)
        return Column([MISSING], np.zeros(self.length, np.intp), True)

    def record(self, number: int) -> Record:
        """One record, from all groups."""
        merged: Record = {}
        for group in self.groups:
            merged.update(group.dicts[number if group.which is None else int(group.which[number])])
        return merged

    def key_counts(self) -> dict[str, int]:
        """How many records have each key."""
        counts: dict[str, int] = {}
        for group in self.groups:
            if group.keys is not None:
                counts.update(dict.fromkeys(group.keys, self.length))
            elif group.which is None:
                counts.update(Counter(chain.from_iterable(group.dicts)))
            else:
                weights = np.bincount(group.which, minlength=len(group.dicts)).tolist()
                for record, weight in zip(group.dicts, weights):
                    for key in record:
                        counts[key] = counts.get(key, 0) + weight
        return counts


def parse_table(text: bytes) -> Table:
    """Parse a piece: records without the brackets of the list.

    Raises:
        ValueError: it is not valid JSON by itself.
    """
    records = orjson.loads(b"[" + text + b"]")
    types = set(map(type, records))
    if types == {dict}:
        return Table([make_group(records)], len(records))
    if not types:
        raise ValueError("an empty piece")
    strangers = {i: value for i, value in enumerate(records) if type(value) is not dict}
    empty: Record = {}
    objects = [value if type(value) is dict else empty for value in records]
    return Table([make_group(objects)], len(records), strangers)
