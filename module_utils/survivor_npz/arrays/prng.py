"""The `prng_type` column: names to ids, by one of the two tables of the contract."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Callable, Dict, Optional

import numpy as np
from ansible.module_utils.survivor_npz.arrays.findings import FAULTS_KEPT, Seen
from ansible.module_utils.survivor_npz.npz.schema import HYBRID, PRNG_TABLES, SKIP_MODES
from ansible.module_utils.survivor_npz.survivors.table import MISSING, Column
from numpy.typing import NDArray

if TYPE_CHECKING:
    from ansible.module_utils.survivor_npz.arrays.arrays import Maker

_UNKNOWN = -1
_BASE_STEP = 2


class _Names:
    """Every name met in a piece, by a small number."""

    def __init__(self) -> None:
        self.numbers: Dict[Any, int] = {}

    def numbers_of(self, column: Column) -> NDArray[np.int32]:
        """A number per record; -1 where the key is missing."""
        for value in dict.fromkeys(column.values):
            if value is not MISSING:
                self.numbers.setdefault(value, len(self.numbers))
        lookup = {**self.numbers, MISSING: _UNKNOWN}
        return column.expand(
            np.fromiter(map(lookup.__getitem__, column.values), np.int32, len(column.values))
        )


def id_of(name: str, encoding: str) -> Optional[int]:
    """The id of a PRNG name in the table, None where it has none."""
    table = PRNG_TABLES[encoding]
    if encoding == "legacy" and name.endswith(HYBRID):
        name = name[: -len(HYBRID)]
    return table.get(name)


def make_prng(maker: Maker) -> None:
    """Fill `maker.arrays["prng_type"]` from `prng_type`, where it is missing from `prng_base`."""
    column, base = maker.table.column("prng_type"), None
    by_base = np.zeros(maker.table.length, np.bool_)
    is_good = _are_names(maker, "prng_type", column)
    if column.has_missing:
        by_base = column.expand(_mask(column, lambda value: value is MISSING))
        base = _bases(maker, maker.table.column("prng_base"), by_base)
        is_good = is_good and base is not None
        maker.tally.from_base = int(np.count_nonzero(by_base))
    modes = maker.arrays.get("skip_mode")
    if not is_good or modes is None:
        return
    names = _Names()
    chosen = names.numbers_of(column)
    if base is not None:
        chosen = np.where(by_base, names.numbers_of(base), chosen)
    _encode(maker, list(names.numbers), chosen, modes, by_base)


def _mask(column: Column, is_so: Callable[[Any], bool]) -> NDArray[np.bool_]:
    return np.fromiter(map(is_so, column.values), np.bool_, len(column.values))


def _are_names(maker: Maker, key: str, column: Column) -> bool:
    if set(map(type, column.values)) <= {str, type(MISSING)}:
        return True
    maker.refuse(
        key,
        column,
        lambda value: None if type(value) is str or value is MISSING else "a PRNG's name is needed",
    )
    return False


def _bases(maker: Maker, base: Column, by_base: NDArray[np.bool_]) -> Optional[Column]:
    """The names in `prng_base`; None where a record that lacks `prng_type`, which alone count, has none."""
    wrong = np.flatnonzero(by_base & base.expand(_mask(base, lambda value: type(value) is not str)))
    if len(wrong):
        maker.bad[wrong] = True
        for record in wrong[:FAULTS_KEPT].tolist():
            value = base.values[base.place(record)]
            if value is MISSING:
                maker.fault(record, "prng_type", value, "and so is prng_base")
            else:
                maker.fault(record, "prng_base", value, "a PRNG's name is needed")
        return None
    return Column([value if type(value) is str else MISSING for value in base.values], base.index, True)


def _encode(
    maker: Maker,
    names: list[str],
    chosen: NDArray[np.int32],
    modes: NDArray[np.uint8],
    by_base: NDArray[np.bool_],
) -> None:
    """Each combination of name, skip mode and source is looked up once."""
    variable = SKIP_MODES["variable"]
    combined = (chosen.astype(np.int64) * _BASE_STEP + modes) * _BASE_STEP + by_base
    ids = np.zeros(maker.table.length, np.uint8)
    kinds = np.flatnonzero(np.bincount(combined)).tolist()
    for kind in kinds:
        rest, from_base = divmod(kind, _BASE_STEP)
        number, mode = divmod(rest, _BASE_STEP)
        name = names[number] + (HYBRID if from_base and mode == variable else "")
        mask = combined == kind
        found = id_of(name, maker.encoding)
        seen = Seen(int(np.count_nonzero(mask)), int(np.argmax(mask)))
        if found is None:
            _note_unknown(maker, name, seen)
            continue
        ids[mask] = found
        if maker.encoding == "legacy" and name.endswith(HYBRID):
            maker.tally.hybrid_as_base[name] = maker.tally.hybrid_as_base.get(name, 0) + seen.count
        if (HYBRID in name) != (mode == variable):
            maker.tally.disagreeing += seen.count
    maker.arrays["prng_type"] = ids


def _note_unknown(maker: Maker, name: str, seen: Seen) -> None:
    unknown = maker.tally.unknown_prng
    before = unknown.get(name)
    if before is None:
        unknown[name] = seen
    else:
        unknown[name] = Seen(before.count + seen.count, min(before.first, seen.first))
