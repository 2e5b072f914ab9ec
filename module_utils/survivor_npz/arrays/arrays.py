"""Turn the columns of a piece into the 22 arrays, strictly: contract, section 3, line by line.

Types are checked for a whole column at once, at C speed; only a column that fails is searched.
"""

from __future__ import annotations

from typing import Any, Callable, Dict, List, Optional, Tuple

import numpy as np
from ansible.module_utils.survivor_npz.arrays.findings import FAULTS_KEPT, Fault, Seen, Tally
from ansible.module_utils.survivor_npz.arrays.integers import (
    INT32,
    UINT32,
    Limits,
    array_of,
    differences,
    why_no_range,
)
from ansible.module_utils.survivor_npz.arrays.prng import make_prng
from ansible.module_utils.survivor_npz.common.quote import shown
from ansible.module_utils.survivor_npz.npz import schema
from ansible.module_utils.survivor_npz.npz.schema import FIELDS, Field
from ansible.module_utils.survivor_npz.survivors.table import MISSING, Column, Table
from numpy.typing import NDArray

Arrays = Dict[str, NDArray[Any]]

_EXACT_IN_FLOAT32 = float(1 << 24)
_EXACT_IN_FLOAT64 = float(1 << 53)
# How many of a bad record's fields a message names.
_FIELDS_SHOWN = 2


_NUMBERS = {int, float}


class Maker:
    """Makes the arrays of one table and keeps the tally of what was noticed."""

    def __init__(self, table: Table, encoding: str) -> None:
        self.table = table
        self.encoding = encoding
        self.tally = Tally()
        self.tally.records = table.length
        self.bad: NDArray[np.bool_] = np.zeros(table.length, np.bool_)
        self._wrong: Dict[int, List[str]] = {}
        self.arrays: Arrays = {}

    def make(self) -> None:
        """Fill `arrays` (one element per record, dtypes of the schema) and `tally`.

        Where the tally has faults, the arrays of the faulty columns are left out.
        """
        self._rates()
        makers: Dict[str, Callable[[Field], None]] = {
            schema.SEED: self._seed,
            schema.INT: self._int,
            schema.RANGE: self._range,
            schema.NUMBER: self._number,
            schema.MODE: self._mode,
        }
        for field in FIELDS:
            if field.kind in makers:
                makers[field.kind](field)
        make_prng(self)
        self._tell_faults()
        for key, count in self.table.key_counts().items():
            if key not in schema.KNOWN_KEYS:
                self.tally.other_keys[key] = count

    def refuse(self, key: str, column: Column, why_of: Callable[[Any], Optional[str]]) -> None:
        """Search a bad column: `why_of` tells what is wrong with a value, None for a good one."""
        whys = [why_of(value) for value in column.values]
        mask = np.fromiter((why is not None for why in whys), np.bool_, len(whys))
        found = column.records(mask)
        self.bad[found] = True
        for record in found[:FAULTS_KEPT].tolist():
            at = column.place(record)
            self.fault(record, key, column.values[at], whys[at] or "")

    def fault(self, record: int, key: str, value: Any, why: str) -> None:
        """Note one value that is refused, in one of the first records that are refused for its key."""
        self.bad[record] = True
        what = "is missing" if value is MISSING else f"= {shown(value)}"
        self._wrong.setdefault(record, []).append(f"{key} {what}: {why}")

    def _tell_faults(self) -> None:
        """Describe the first bad records. `fault` was told of all that is wrong with these."""
        self.tally.bad_records = int(np.count_nonzero(self.bad))
        for record in sorted(self._wrong)[:FAULTS_KEPT]:
            if record in self.table.strangers:
                stranger = shown(self.table.strangers[record])
                self.tally.fault(Fault(record, None, f"{stranger} is no object"))
                continue
            wrong, seed = self._wrong[record], self.table.record(record).get("seed", MISSING)
            what = "; ".join(wrong[:_FIELDS_SHOWN])
            if len(wrong) > _FIELDS_SHOWN:
                what += f"; and {len(wrong) - _FIELDS_SHOWN} more of its fields"
            self.tally.fault(Fault(record, None if seed is MISSING else shown(seed), what))

    def fill(self, key: str, column: Column, default: Any = 0) -> Column:
        """Put the default where the key is missing, and count."""
        if not column.has_missing:
            return column
        mask = np.fromiter((value is MISSING for value in column.values), np.bool_, len(column.values))
        self.tally.missing[key] = Seen(column.count(mask), int(column.records(mask)[0]))
        values = [default if value is MISSING else value for value in column.values]
        return Column(values, column.index, False)

    def _ints(self, key: str, column: Column, limits: Limits, dtype: str) -> Optional[NDArray[Any]]:
        """An array over `column.values`; None where one of them is no int or out of range."""
        array = array_of(column.values, limits, dtype)
        if array is not None:
            return array

        def why(value: Any) -> Optional[str]:
            if type(value) is not int:
                return f"an int is needed, from {limits.text}"
            return None if limits.low <= value <= limits.high else f"out of range, which is {limits.text}"

        self.refuse(key, column, why)
        return None

    def _seed(self, field: Field) -> None:
        column = self.table.column(field.key)
        array = self._ints(field.key, column, UINT32, field.dtype)
        if array is not None:
            self.arrays[field.array] = column.expand(array)

    def _int(self, field: Field) -> None:
        column = self.fill(field.key, self.table.column(field.key))
        array = self._ints(field.key, column, INT32, field.dtype)
        if array is not None:
            self.arrays[field.array] = column.expand(array)

    def _range(self, field: Field) -> None:
        column = self.fill(field.key, self.table.column(field.key))
        array = array_of(differences(column.values), INT32, field.dtype)
        if array is None:
            self.refuse(field.key, column, why_no_range)
            return
        self.arrays[field.array] = column.expand(array)
        falling = array < 0
        if falling.any():
            falling &= np.fromiter((type(value) is not int for value in column.values), np.bool_, len(array))
            if falling.any():
                self.tally.falling[field.key] = column.count(falling)

    def _floats(self, key: str, column: Column) -> Optional[Tuple[NDArray[np.float64], NDArray[np.float32]]]:
        """The values as float64 and as float32; None where one is no number or infinite in float32."""
        types = set(map(type, column.values))
        if types <= _NUMBERS:
            double = np.fromiter(column.values, np.float64, len(column.values))
            with np.errstate(over="ignore"):
                single = double.astype(np.float32)
            if np.isfinite(single).all():
                self._note_losses(key, column, double, single, int in types)
                return double, single

        def why(value: Any) -> Optional[str]:
            if type(value) not in _NUMBERS:
                return "a number is needed"
            with np.errstate(over="ignore"):
                return None if np.isfinite(np.float32(float(value))) else "too large for float32"

        self.refuse(key, column, why)
        return None

    def _note_losses(
        self,
        key: str,
        column: Column,
        double: NDArray[np.float64],
        single: NDArray[np.float32],
        has_ints: bool,
    ) -> None:
        if np.count_nonzero(double) != np.count_nonzero(single):
            self.tally.vanished[key] = column.count((single == 0) & (double != 0))
        size = np.abs(double)
        if not has_ints or size.max() <= _EXACT_IN_FLOAT32:
            return
        # Above 2**53 the double has rounded already: compare those ints themselves.
        suspects = (size > _EXACT_IN_FLOAT32) & (
            (single.astype(np.float64) != double) | (size >= _EXACT_IN_FLOAT64)
        )
        lost = np.zeros(len(double), np.bool_)
        for i in np.flatnonzero(suspects).tolist():
            value = column.values[i]
            lost[i] = type(value) is int and int(single[i]) != value
        if lost.any():
            self.tally.rounded[key] = column.count(lost)

    def _number(self, field: Field) -> None:
        column = self.fill(field.key, self.table.column(field.key))
        made = self._floats(field.key, column)
        if made is not None:
            self.arrays[field.array] = column.expand(made[1])

    def _rates(self) -> None:
        """Both match arrays: a record's own rate, else the other direction's, else left to the caller."""
        found: Dict[str, Tuple[Optional[NDArray[Any]], NDArray[np.bool_]]] = {}
        rates = [field for field in FIELDS if field.kind == schema.RATE]
        for field in rates:
            column = self.table.column(field.key)
            have = np.ones(self.table.length, np.bool_)
            if column.has_missing:
                mask = np.fromiter(
                    (value is MISSING for value in column.values), np.bool_, len(column.values)
                )
                have = ~column.expand(mask)
                column = Column(
                    [0 if value is MISSING else value for value in column.values], column.index, False
                )
            found[field.key] = self._rate(field.key, column), have
        rated = found[rates[0].key][1] | found[rates[1].key][1]
        number = int(np.count_nonzero(rated))
        if number:
            self.tally.rated = Seen(number, int(np.argmax(rated)))
        if number < self.table.length:
            self.tally.unrated = Seen(self.table.length - number, int(np.argmin(rated)))
        for field in rates:
            own, have = found[field.key]
            other, other_have = found[schema.OTHER_RATE[field.key]]
            if own is None or other is None:
                continue
            borrowed = int(np.count_nonzero(other_have & ~have))
            if borrowed:
                self.tally.borrowed[field.key] = borrowed
            self.arrays[field.array] = own if have.all() else np.where(have, own, other)

    def _rate(self, key: str, column: Column) -> Optional[NDArray[np.float32]]:
        """Rates over records; None where one is no number from 0 to 1."""
        if set(map(type, column.values)) <= _NUMBERS:
            double = np.fromiter(column.values, np.float64, len(column.values))
            if double.min() >= 0 and double.max() <= 1:
                single = double.astype(np.float32)
                self._note_losses(key, column, double, single, False)
                return column.expand(single)

        def why(value: Any) -> Optional[str]:
            good = type(value) in _NUMBERS and 0 <= value <= 1
            return None if good else "a match rate is a number from 0 to 1"

        self.refuse(key, column, why)
        return None

    def _mode(self, field: Field) -> None:
        column = self.table.column(field.key)
        modes = schema.SKIP_MODES
        if set(map(type, column.values)) == {str} and set(column.values) <= modes.keys():
            codes = np.fromiter(map(modes.__getitem__, column.values), np.uint8, len(column.values))
            self.arrays[field.array] = column.expand(codes)
            return
        needed = " or ".join(f'"{mode}"' for mode in modes)
        self.refuse(
            field.key,
            column,
            lambda value: None if type(value) is str and value in modes else f"{needed} is needed",
        )


def make_arrays(table: Table, encoding: str) -> Tuple[Arrays, Tally]:
    """The arrays of one piece, by name, and what was noticed.

    Args:
        encoding: `registry` or `legacy`, the table for `prng_type`.

    Returns:
        Arrays of `table.length` elements each, in the schema's dtypes. Columns that the tally has faults for
        are missing; those of match rates are zero where a record has neither rate (`tally.unrated`).
    """
    maker = Maker(table, encoding)
    maker.make()
    return maker.arrays, maker.tally
