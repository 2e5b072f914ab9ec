# SPDX-License-Identifier: MIT
"""The oracle's tables: the arrays and the PRNG ids of the data contract, written down a second time."""

from __future__ import annotations

from typing import Tuple

# (array, dtype, key of the record), in the order of the NPZ.
TABLE: Tuple[Tuple[str, str, str], ...] = (
    ("seeds", "uint32", "seed"),
    ("forward_matches", "float32", "forward_match_rate"),
    ("reverse_matches", "float32", "reverse_match_rate"),
    ("window_size", "int32", "window_size"),
    ("offset", "int32", "offset"),
    ("trial_number", "int32", "trial_number"),
    ("skip_min", "int32", "skip_min"),
    ("skip_max", "int32", "skip_max"),
    ("skip_range", "int32", "skip_range"),
    ("forward_count", "float32", "forward_count"),
    ("reverse_count", "float32", "reverse_count"),
    ("bidirectional_count", "float32", "bidirectional_count"),
    ("intersection_count", "float32", "intersection_count"),
    ("intersection_ratio", "float32", "intersection_ratio"),
    ("intersection_weight", "float32", "intersection_weight"),
    ("bidirectional_selectivity", "float32", "bidirectional_selectivity"),
    ("forward_only_count", "float32", "forward_only_count"),
    ("reverse_only_count", "float32", "reverse_only_count"),
    ("survivor_overlap_ratio", "float32", "survivor_overlap_ratio"),
    ("score", "float32", "score"),
    ("skip_mode", "uint8", "skip_mode"),
    ("prng_type", "uint8", "prng_type"),
)
SPECIAL = {"seeds", "forward_matches", "reverse_matches", "skip_range", "skip_mode", "prng_type"}

_FAMILIES = (
    *("java_lcg", "lcg32", "minstd", "mt19937", "pcg32", "philox4x32", "sfc64"),
    *("xorshift128", "xorshift32", "xorshift64", "xoshiro256pp"),
)
REGISTRY = {
    family + suffix: 4 * i + j
    for i, family in enumerate(_FAMILIES)
    for j, suffix in enumerate(("", "_hybrid", "_hybrid_reverse", "_reverse"))
}
LEGACY = {
    family + suffix: 2 * i + j
    for i, family in enumerate(("java_lcg", "mt19937", "xorshift128", "lcg32", "minstd", "randu"))
    for j, suffix in enumerate(("", "_reverse"))
}
