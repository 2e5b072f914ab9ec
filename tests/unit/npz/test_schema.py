# SPDX-License-Identifier: MIT
"""The one table against the data contract."""

import re

import pytest
from ansible.module_utils.survivor_npz.npz import schema


def test_the_22_arrays_stand_in_the_order_of_the_contract() -> None:
    expected = [
        "seeds",
        "forward_matches",
        "reverse_matches",
        "window_size",
        "offset",
        "trial_number",
        "skip_min",
        "skip_max",
        "skip_range",
        "forward_count",
        "reverse_count",
        "bidirectional_count",
        "intersection_count",
        "intersection_ratio",
        "intersection_weight",
        "bidirectional_selectivity",
        "forward_only_count",
        "reverse_only_count",
        "survivor_overlap_ratio",
        "score",
        "skip_mode",
        "prng_type",
    ]
    assert [field.array for field in schema.FIELDS] == expected


def test_dtypes_are_those_that_consumers_rely_on() -> None:
    by_dtype = {"<u4": 1, "<i4": 6, "<f4": 13, "|u1": 2}
    found = [field.dtype for field in schema.FIELDS]
    assert {dtype: found.count(dtype) for dtype in by_dtype} == by_dtype
    # Counts are float32 by contract.
    assert all(field.dtype == "<f4" for field in schema.FIELDS if re.search("count|score", field.array))


def test_registry_has_four_ids_per_family() -> None:
    assert sorted(schema.REGISTRY.values()) == list(range(44))
    for name, number in {
        "java_lcg": 0,
        "java_lcg_hybrid": 1,
        "java_lcg_hybrid_reverse": 2,
        "java_lcg_reverse": 3,
        "lcg32": 4,
        "minstd": 8,
        "mt19937": 12,
        "pcg32": 16,
        "philox4x32": 20,
        "sfc64": 24,
        "xorshift128": 28,
        "xorshift32": 32,
        "xorshift64": 36,
        "xoshiro256pp": 40,
        "xoshiro256pp_reverse": 43,
    }.items():
        assert schema.REGISTRY[name] == number


@pytest.mark.parametrize(
    ("name", "number"),
    [
        ("java_lcg", 0),
        ("mt19937_reverse", 3),
        ("xorshift128", 4),
        ("lcg32", 6),
        ("minstd", 8),
        ("randu_reverse", 11),
    ],
)
def test_legacy_is_the_first_table(name: str, number: int) -> None:
    assert schema.LEGACY[name] == number
    assert len(schema.LEGACY) == 12


def test_the_pipelines_tools_miss_a_group_of_arrays() -> None:
    groups: dict[str, int] = {}
    for field in schema.FIELDS:
        groups[field.group] = groups.get(field.group, 0) + 1
    assert groups == {"core": 3, "metadata_int": 6, "metadata_float": 11, "categorical": 2}
