"""The records of one piece as columns of Python values, at C speed.

A table holds groups of dicts. In a group with an `index` each dict stands for many records: record i has
the values of `dicts[index[i]]`. Each key belongs to one group only.
"""

from __future__ import annotations

from collections import Counter
from itertools import chain
from typing import Any, Dict, List, NamedTuple, Optional

import numpy as np
import orjson
from numpy.typing import NDArray

Record = Dict[str, Any]


class _Missing:
    """Stands where a record lacks the key."""

    def __repr__(self) -> str:
        return "missing"


MISSING = _Missing()


class Column:
    """The values of one key: `values[index[i]]`, or `values[i]` without an index, is that of record i.

    Attributes:
        values: Python values, MISSING where a record lacks the key.
        index: int32 of one element per record, or None.
        has_missing: whether MISSING is among the values.
    """

    def __init__(self, values: List[Any], index: Optional[NDArray[np.int32]], has_missing: bool) -> None:
        self.values = values
        self.index = index
        self.has_missing = has_missing
        self._weights: Optional[NDArray[np.int64]] = None

    def expand(self, array: NDArray[Any]) -> NDArray[Any]:
        """An array over `values` as an array over records."""
        return array if self.index is None else array[self.index]

    def count(self, mask: NDArray[np.bool_]) -> int:
        """How many records have a value at which the mask over `values` is true."""
        if self.index is None:
            return int(np.count_nonzero(mask))
        if self._weights is None:
            self._weights = np.bincount(self.index, minlength=len(self.values))
        return int(self._weights[mask].sum())

    def place(self, record: int) -> int:
        """Where in `values` the value of a record is."""
        return record if self.index is None else int(self.index[record])

    def records(self, mask: NDArray[np.bool_]) -> NDArray[np.intp]:
        """Those records, by their number in the piece."""
        return np.flatnonzero(self.expand(mask))


class Group(NamedTuple):
    """Dicts, the keys that all have in this order (None: they differ), and which of them each record is."""

    dicts: List[Record]
    keys: Optional[List[str]]
    values: List[Any]
    which: Optional[NDArray[np.int32]]


def make_group(dicts: List[Record], index: Optional[NDArray[np.int32]] = None) -> Group:
    """Look once whether all dicts have the same keys in the same order: then columns are mere slices."""
    keys = list(dicts[0])
    found = list(chain.from_iterable(dicts))
    # n dicts with n * len(keys) keys in all that repeat `keys`: no dict can have more or fewer of them,
    # since it would hold one key twice.
    if found == keys * len(dicts):
        return Group(dicts, keys, list(chain.from_iterable(map(dict.values, dicts))), index)
    return Group(dicts, None, [], index)


class Table:
    """All records of one piece. Never empty.

    Attributes:
        length: number of records.
        strangers: what stands in the list and is no object, by its number; an empty record is in its place.
    """

    def __init__(self, groups: List[Group], length: int, strangers: Optional[Dict[int, Any]] = None) -> None:
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
        return Column([MISSING], np.zeros(self.length, np.int32), True)

    def record(self, number: int) -> Record:
        """One record, put together."""
        merged: Record = {}
        for group in self.groups:
            merged.update(group.dicts[number if group.which is None else int(group.which[number])])
        return merged

    def key_counts(self) -> Dict[str, int]:
        """How many records have each key."""
        counts: Dict[str, int] = {}
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
        ValueError: it is no JSON by itself.
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
