# SPDX-License-Identifier: MIT
"""The 22 arrays of schema 3, in one table from which everything else derives.

Standard library only: rigs need no numpy.
"""

from __future__ import annotations

from typing import NamedTuple

SCHEMA_VERSION = 3
CONVERTER_VERSION = "4.0.0"

# Kinds of columns: how an array is made from its key.
SEED, RATE, INT, RANGE, NUMBER, MODE, PRNG = "seed", "rate", "int", "range", "number", "mode", "prng"


class Field(NamedTuple):
    """One array of the NPZ: its name, numpy dtype string, JSON key, kind, and group in the sidecar."""

    array: str
    dtype: str
    key: str
    kind: str
    group: str

    @property
    def itemsize(self) -> int:
        """Bytes of one element."""
        return int(self.dtype[2:])


def _same_name(names: str, dtype: str, kind: str, group: str) -> tuple[Field, ...]:
    return tuple(Field(name, dtype, name, kind, group) for name in names.split())


FIELDS: tuple[Field, ...] = (
    Field("seeds", "<u4", "seed", SEED, "core"),
    Field("forward_matches", "<f4", "forward_match_rate", RATE, "core"),
    Field("reverse_matches", "<f4", "reverse_match_rate", RATE, "core"),
    *_same_name("window_size offset trial_number skip_min skip_max", "<i4", INT, "metadata_int"),
    *_same_name("skip_range", "<i4", RANGE, "metadata_int"),
    *_same_name("forward_count reverse_count bidirectional_count", "<f4", NUMBER, "metadata_float"),
    *_same_name("intersection_count intersection_ratio", "<f4", NUMBER, "metadata_float"),
    *_same_name("intersection_weight bidirectional_selectivity", "<f4", NUMBER, "metadata_float"),
    *_same_name("forward_only_count reverse_only_count", "<f4", NUMBER, "metadata_float"),
    *_same_name("survivor_overlap_ratio score", "<f4", NUMBER, "metadata_float"),
    *_same_name("skip_mode", "|u1", MODE, "categorical"),
    *_same_name("prng_type", "|u1", PRNG, "categorical"),
)
BYTES_PER_SURVIVOR = sum(field.itemsize for field in FIELDS)

# Used instead of match rates if no record of the file has one (shape A).
COUNT_FOR_RATE: dict[str, str] = {
    "forward_match_rate": "forward_count",
    "reverse_match_rate": "reverse_count",
}
# A record that lacks one rate gets the other direction's.
OTHER_RATE: dict[str, str] = {
    "forward_match_rate": "reverse_match_rate",
    "reverse_match_rate": "forward_match_rate",
}

# Keys that Step 1 writes and no array holds. The sidecar lists them.
LEFT_OUT = ("sessions", "prng_base")
KNOWN_KEYS = frozenset(field.key for field in FIELDS)

SKIP_MODES: dict[str, int] = {"constant": 0, "variable": 1}

_FAMILIES = (
    *("java_lcg", "lcg32", "minstd", "mt19937", "pcg32", "philox4x32"),
    *("sfc64", "xorshift128", "xorshift32", "xorshift64", "xoshiro256pp"),
)
_VARIANTS = ("", "_hybrid", "_hybrid_reverse", "_reverse")
_LEGACY_FAMILIES = ("java_lcg", "mt19937", "xorshift128", "lcg32", "minstd", "randu")

HYBRID = "_hybrid"
REGISTRY: dict[str, int] = {
    family + variant: len(_VARIANTS) * i + j
    for i, family in enumerate(_FAMILIES)
    for j, variant in enumerate(_VARIANTS)
}
LEGACY: dict[str, int] = {
    family + variant: 2 * i + j
    for i, family in enumerate(_LEGACY_FAMILIES)
    for j, variant in enumerate(("", "_reverse"))
}
PRNG_TABLES: dict[str, dict[str, int]] = {"registry": REGISTRY, "legacy": LEGACY}
