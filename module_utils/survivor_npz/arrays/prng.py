# SPDX-License-Identifier: MIT
"""The `prng_type` column: names to ids, by one of the two tables of the contract."""

from __future__ import annotations

from typing import Any

import numpy as np
from ansible.module_utils.survivor_npz.arrays.checker import Checker
from ansible.module_utils.survivor_npz.arrays.findings import Seen
from ansible.module_utils.survivor_npz.npz.schema import HYBRID, PRNG_TABLES, SKIP_MODES
from ansible.module_utils.survivor_npz.survivors.table import MISSING, Column
from numpy.typing import NDArray

_UNKNOWN = -1
_BASE_STEP = 2


def prng_ids(checker: Checker, encoding: str, modes: NDArray[np.uint8] | None) -> NDArray[np.uint8] | None:
    """One id per record, from `prng_type`, or from `prng_base` if that is missing; None if one is refused.

    Args:
        encoding: `registry` or `legacy`.
        modes: the `skip_mode` array; None if it was refused.
    """
    column, base = checker.table.column("prng_type"), None
    by_base = np.zeros(checker.table.length, np.bool_)
    is_bad = checker.refuse("prng_type", column, _why_not_a_name) if _has_others(column) else False
    if column.has_missing:
        by_base = column.expand(column.missing())
        base = _bases(checker, by_base)
        checker.tally.counts["from_base", "prng_type"] = int(np.count_nonzero(by_base))
        is_bad = is_bad or base is None
    if is_bad or modes is None:
        return None
    numbers: dict[Any, int] = {}
    chosen = _number_names(column, numbers)
    if base is not None:
        chosen = np.where(by_base, _number_names(base, numbers), chosen)
    return _encode(checker, encoding, list(numbers), chosen, modes, by_base=by_base)


def _has_others(column: Column) -> bool:
    """Whether there is a value that is neither text nor missing."""
    return not set(map(type, column.values)) <= {str, type(MISSING)}


def _why_not_a_name(value: Any) -> str | None:
    return None if type(value) is str or value is MISSING else "the name of a PRNG is needed"


def _bases(checker: Checker, by_base: NDArray[np.bool_]) -> Column | None:
    """The names in `prng_base`; None if one of the records that lack `prng_type` has none."""
    base = checker.table.column("prng_base")
    missing = checker.refuse(
        "prng_type", base, lambda value: "and so is prng_base" if value is MISSING else None, by_base
    )
    if checker.refuse("prng_base", base, _why_not_a_name, by_base) or missing:
        return None
    return Column([value if type(value) is str else MISSING for value in base.values], base.index, True)


def _number_names(column: Column, numbers: dict[Any, int]) -> NDArray[np.int32]:
    """A number per record for its name, -1 if it is missing; `numbers` gains the names that are new."""
    for value in dict.fromkeys(column.values):
        if value is not MISSING:
            numbers.setdefault(value, len(numbers))
    lookup = {**numbers, MISSING: _UNKNOWN}
    return column.expand(np.fromiter(map(lookup.__getitem__, column.values), np.int32, len(column.values)))


def id_of(name: str, encoding: str) -> int | None:
    """The id of a PRNG's name in the table, None if it has none."""
    table = PRNG_TABLES[encoding]
    if encoding == "legacy" and name.endswith(HYBRID):
        name = name[: -len(HYBRID)]
    return table.get(name)


def _encode(
    checker: Checker,
    encoding: str,
    names: list[str],
    chosen: NDArray[np.int32],
    modes: NDArray[np.uint8],
    *,
    by_base: NDArray[np.bool_],
) -> NDArray[np.uint8]:
    """Look up each combination of name, skip mode and source once."""
    tally, variable = checker.tally, SKIP_MODES["variable"]
    combined = (chosen.astype(np.int64) * _BASE_STEP + modes) * _BASE_STEP + by_base
    ids = np.zeros(checker.table.length, np.uint8)
    for kind in np.flatnonzero(np.bincount(combined)).tolist():
        rest, from_base = divmod(kind, _BASE_STEP)
        number, mode = divmod(rest, _BASE_STEP)
        name = names[number] + (HYBRID if from_base and mode == variable else "")
        mask = combined == kind
        count, found = int(np.count_nonzero(mask)), id_of(name, encoding)
        if found is None:
            tally.unknown_prng.add(name, Seen(count, int(np.argmax(mask))))
            continue
        ids[mask] = found
        if encoding == "legacy" and name.endswith(HYBRID):
            tally.counts["hybrid_as_base", name] += count
        if (HYBRID in name) != (mode == variable):
            tally.counts["disagreeing", "prng_type"] += count
    return ids
