# SPDX-License-Identifier: MIT
"""The columns of one table under check: refuse values, count findings, fill in defaults."""

from __future__ import annotations

from typing import Any, Callable

import numpy as np
from ansible.module_utils.survivor_npz.arrays.findings import FAULTS_KEPT, Fault, Seen, Tally
from ansible.module_utils.survivor_npz.common.quote import quote
from ansible.module_utils.survivor_npz.survivors.table import MISSING, Column, Table
from numpy.typing import NDArray

# How many of a bad record's fields a message names.
_FIELDS_NAMED = 2


class Checker:
    """What is checked, and what was found.

    Attributes:
        table: the records.
        tally: counts and faults; complete after `finish`.
    """

    def __init__(self, table: Table) -> None:
        self.table = table
        self.tally = Tally()
        self.tally.records = table.length
        self._bad: NDArray[np.bool_] = np.zeros(table.length, np.bool_)
        self._wrong: dict[int, list[str]] = {}

    def refuse(
        self,
        key: str,
        column: Column,
        why_of: Callable[[Any], str | None],
        among: NDArray[np.bool_] | None = None,
    ) -> bool:
        """Search a bad column, tell whether a record is refused.

        Args:
            why_of: what is wrong with a value, None for a good one.
            among: the records that count, one element per record; default: all.
        """
        whys = [why_of(value) for value in column.values]
        mask = column.expand(np.fromiter((why is not None for why in whys), np.bool_, len(whys)))
        found = np.flatnonzero(mask if among is None else mask & among)
        self._bad[found] = True
        for record in found[:FAULTS_KEPT].tolist():
            at = column.place(record)
            value = column.values[at]
            what = "is missing" if value is MISSING else f"= {quote(value)}"
            self._wrong.setdefault(record, []).append(f"{key} {what}: {whys[at]}")
        return len(found) > 0

    def default(self, key: str) -> Column:
        """The column of `key`, with 0 for each record that lacks it; these are counted."""
        column = self.table.column(key)
        if not column.has_missing:
            return column
        mask = column.missing()
        self.tally.missing[key] = Seen(column.count(mask), int(np.argmax(column.expand(mask))))
        return column.fill(0)

    def finish(self) -> None:
        """Count the bad records and describe the first ones."""
        self.tally.bad_records = int(np.count_nonzero(self._bad))
        for record in sorted(self._wrong)[:FAULTS_KEPT]:
            if record in self.table.strangers:
                stranger = quote(self.table.strangers[record])
                self.tally.fault(Fault(record, None, f"{stranger} is not an object"))
                continue
            wrong, seed = self._wrong[record], self.table.record(record).get("seed", MISSING)
            what = "; ".join(wrong[:_FIELDS_NAMED])
            if len(wrong) > _FIELDS_NAMED:
                what += f"; and {len(wrong) - _FIELDS_NAMED} more of its fields"
            self.tally.fault(Fault(record, None if seed is MISSING else quote(seed), what))
