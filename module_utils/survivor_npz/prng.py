"""The `prng_type` column: names to ids, by one of the two tables of the contract."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Dict, Optional

import numpy as np
from ansible.module_utils.survivor_npz.schema import HYBRID, PRNG_TABLES, SKIP_MODES
from ansible.module_utils.survivor_npz.table import MISSING, Column
from ansible.module_utils.survivor_npz.tally import Seen
from numpy.typing import NDArray

if TYPE_CHECKING:
    from ansible.module_utils.survivor_npz.columns import Maker

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
    column = maker.table.column("prng_type")
    names = _Names()
    if not _are_names(maker, "prng_type", column):
        return
    chosen = names.numbers_of(column)
    modes = maker.arrays.get("skip_mode")
    if modes is None:
        return
    by_base = np.zeros(maker.table.length, np.bool_)
    if column.has_missing:
        by_base = chosen == _UNKNOWN
        base = maker.table.column("prng_base")
        base_numbers = _base_numbers(maker, base, by_base, names)
        if base_numbers is None:
            return
        chosen = np.where(by_base, base_numbers, chosen)
        maker.tally.from_base = int(np.count_nonzero(by_base))
    _encode(maker, list(names.numbers), chosen, modes, by_base)


def _are_names(maker: Maker, key: str, column: Column) -> bool:
    if set(map(type, column.values)) <= {str, type(MISSING)}:
        return True
    maker.refuse(
        key,
        column,
        lambda value: None if type(value) is str or value is MISSING else "a PRNG's name is needed",
    )
    return False


def _base_numbers(
    maker: Maker, base: Column, by_base: NDArray[np.bool_], names: _Names
) -> Optional[NDArray[np.int32]]:
    """Numbers of `prng_base`; only records that lack `prng_type` count."""
    good = np.fromiter((type(value) is str for value in base.values), np.bool_, len(base.values))
    wrong = np.flatnonzero(by_base & ~base.expand(good)).tolist()
    if wrong:
        for record in wrong:
            maker.bad.add(record)
        for record in wrong[:5]:
            value = base.values[record if base.index is None else int(base.index[record])]
            if value is MISSING:
                maker.fault(record, "prng_type", value, "prng_type and prng_base are both missing")
            else:
                maker.fault(record, "prng_base", value, "a PRNG's name is needed")
        return None
    values = [value if type(value) is str else MISSING for value in base.values]
    return names.numbers_of(Column(values, base.index, True))


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
