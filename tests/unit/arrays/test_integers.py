# SPDX-License-Identifier: MIT
"""Columns at the edges of their types: what just fits is kept to the bit, what does not is refused with a reason."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from ansible.module_utils.survivor_npz.arrays.arrays import make_arrays
from ansible.module_utils.survivor_npz.arrays.findings import Tally
from ansible.module_utils.survivor_npz.arrays.prng import id_of
from shapes import shape_c, table_of, without


def made(key: str, *values: Any, encoding: str = "registry") -> tuple[Any, Tally]:
    """The array that these values of a key become, None if one is refused."""
    records = [{**shape_c(1), key: value} for value in values]
    arrays, tally = make_arrays(table_of(*records), encoding)
    array = {"seed": "seeds", "forward_match_rate": "forward_matches"}.get(key, key)
    return arrays.get(array), tally


@pytest.mark.parametrize(
    ("key", "low", "high"),
    [("seed", 0, 2**32 - 1), ("offset", -(2**31), 2**31 - 1), ("skip_range", -(2**31), 2**31 - 1)],
)
def test_an_integer_wraps_or_is_refused_too_early(key: str, low: int, high: int) -> None:
    array, tally = made(key, low, high, 0)
    assert array.tolist() == [low, high, 0]
    assert not tally.faults
    array, tally = made(key, low, high, {})
    assert (array, [fault.record for fault in tally.faults]) == (None, [2])
    for value in (low - 1, high + 1, 2**70, -(2**70)):
        array, tally = made(key, 0, value)
        assert array is None
        (fault,) = tally.faults
        assert (fault.record, fault.what.endswith(f"out of range, which is {low} to {high}")) == (1, True)
    others: tuple[Any, ...] = (1.0, True, None, "1", [])
    for odd in others:
        array, tally = made(key, 1, odd)
        if key == "skip_range":
            assert array is None
        else:
            assert (array, f"an integer from {low} to {high} is needed" in tally.faults[0].what) == (
                None,
                True,
            )


@pytest.mark.parametrize(
    ("value", "difference"),
    [
        ("5-56", 51),
        ("0-2147483647", 2**31 - 1),
        ([5, 56], 51),
        ([-5, 5], 10),
        ("0" * 97 + "5-9", 4),
        ("0" * 98 + "5-9", None),
        ("5-56-7", None),
        ("-5-6", None),
        ("5", None),
        ([5], None),
        ([5, 6, 7], None),
        ([5, 6.0], None),
        ([True, 5], None),
        ({}, None),
    ],
)
def test_a_range_is_read_as_another(value: Any, difference: int | None) -> None:
    for values, records in (((value,), [0]), ((7, value, "1-3"), [1])):
        array, tally = made("skip_range", *values)
        if difference is None:
            assert array is None
            assert [fault.record for fault in tally.faults] == records
            assert 'an integer, "a-b" or [a, b] is needed' in tally.faults[0].what
        else:
            assert array.tolist() == ([difference] if len(values) == 1 else [7, difference, 2])


def test_a_falling_range_is_not_counted_or_a_negative_number_is() -> None:
    _array, tally = made("skip_range", -5, "9-5", [9, 5], "5-9")
    assert tally.counts["falling", "skip_range"] == 2
    assert made("skip_range", "5-4")[1].counts["falling", "skip_range"] == 1
    for values in ((-5, 5), ("5-5", [7, 7])):
        assert made("skip_range", *values)[1].counts["falling", "skip_range"] == 0


@pytest.mark.parametrize(
    ("value", "noticed"),
    [
        (1 << 24, None),
        ((1 << 24) + 1, "rounded"),
        (-(1 << 24) - 1, "rounded"),
        ((1 << 24) + 2, None),
        (1 << 53, None),
        ((1 << 53) + 1, "rounded"),
        (float((1 << 24) + 1), None),
        (1e-46, "vanished"),
        (1e-45, None),
        (0, None),
    ],
)
def test_what_float32_loses_is_not_told(value: Any, noticed: str | None) -> None:
    array, tally = made("forward_count", value, 1)
    assert array[0] == np.float32(value)
    counts = {what: count for (what, key), count in tally.counts.items() if key == "forward_count"}
    assert counts == ({noticed: 1} if noticed else {})


@pytest.mark.parametrize(
    ("value", "says"),
    [
        (3.5e38, "too large for float32"),
        (-3.5e38, "too large for float32"),
        (10**39, "too large for float32"),
        ("1", "a number is needed"),
        (None, "a number is needed"),
        (True, "a number is needed"),
    ],
)
def test_a_number_becomes_infinite_or_text_one(value: Any, says: str) -> None:
    array, tally = made("score", 0.5, value)
    assert array is None
    assert says in tally.faults[0].what and tally.bad_records == 1
    assert made("score", 3.4e38)[0] is not None


@pytest.mark.parametrize(
    ("value", "good"),
    [(0, True), (1, True), (1.0, True), (1.0000001, False), (-1e-9, False), ("1", False), (True, False)],
)
def test_a_rate_past_one_is_kept(value: Any, good: bool) -> None:
    array, tally = made("forward_match_rate", 0.5, value)
    assert (array is not None) is good
    assert [fault.what.endswith("a match rate is a number from 0 to 1") for fault in tally.faults] == [
        True
    ] * (not good)


def test_a_rate_is_borrowed_that_is_there() -> None:
    both = {**shape_c(1), "forward_match_rate": 0.25, "reverse_match_rate": 0.5}
    records = [both, without(both, "forward_match_rate"), without(both, "reverse_match_rate")]
    records.append(without(records[1], "reverse_match_rate"))
    arrays, tally = make_arrays(table_of(*records), "registry")
    assert arrays["forward_matches"].tolist() == [0.25, 0.5, 0.25, 0]
    assert arrays["reverse_matches"].tolist() == [0.5, 0.5, 0.25, 0]
    assert (
        tally.counts["borrowed", "forward_match_rate"],
        tally.counts["borrowed", "reverse_match_rate"],
    ) == (1, 1)
    assert tally.rated and (tally.rated.count, tally.rated.first) == (3, 0)
    assert tally.unrated and (tally.unrated.count, tally.unrated.first) == (1, 3)


@pytest.mark.parametrize(
    ("name", "encoding", "number"),
    [
        ("java_lcg_hybrid", "registry", 1),
        ("java_lcg_hybrid", "legacy", 0),
        ("xorshift128_reverse", "legacy", 5),
        ("java_lcg_hybrid_reverse", "legacy", None),
        ("randu", "registry", None),
    ],
)
def test_a_hybrid_gets_another_id(name: str, encoding: str, number: int | None) -> None:
    assert id_of(name, encoding) == number


def test_a_base_that_nobody_asks_for_is_an_error() -> None:
    whole = {**shape_c(1), "skip_mode": "constant", "prng_type": "lcg32"}
    records: list[dict[str, Any]] = [
        {**whole, "prng_base": [1]},
        {**without(whole, "prng_type"), "prng_base": "lcg32"},
    ]
    arrays, tally = make_arrays(table_of(*records), "registry")
    assert (arrays["prng_type"].tolist(), tally.faults) == ([4, 4], [])
    arrays, tally = make_arrays(table_of(*records, without(records[0], "prng_type")), "registry")
    assert "prng_type" not in arrays
    (fault,) = tally.faults
    assert (fault.record, fault.what) == (2, "prng_base = [1]: the name of a PRNG is needed")
    arrays, tally = make_arrays(table_of(*records, without(records[0], "prng_type", "prng_base")), "registry")
    assert [fault.what for fault in tally.faults] == ["prng_type is missing: and so is prng_base"]
    arrays, tally = make_arrays(table_of({**whole, "prng_type": 5}, records[1]), "registry")
    assert "prng_type" not in arrays
    assert [str(fault) for fault in tally.faults] == [
        "record 0 (seed 1): prng_type = 5: the name of a PRNG is needed"
    ]


def test_a_name_that_disagrees_or_is_derived_is_not_told() -> None:
    constant, variable = (
        {**shape_c(1), "skip_mode": mode, "prng_base": "lcg32"} for mode in ("constant", "variable")
    )
    records = [
        {**constant, "prng_type": "lcg32"},
        {**variable, "prng_type": "lcg32"},
        {**constant, "prng_type": "lcg32_hybrid"},
        {**variable, "prng_type": "lcg32_hybrid"},
        without(constant, "prng_type"),
        without(variable, "prng_type"),
        {**constant, "prng_type": "strange"},
    ]
    arrays, tally = make_arrays(table_of(*records), "registry")
    assert arrays["prng_type"].tolist() == [4, 4, 5, 5, 4, 5, 0]
    assert tally.counts["disagreeing", "prng_type"] == 2
    assert tally.counts["from_base", "prng_type"] == 2
    assert {name: (one.count, one.first) for name, one in tally.unknown_prng.kept().items()} == {
        "strange": (1, 6)
    }
    _arrays, legacy = make_arrays(table_of(*records[:6]), "legacy")
    assert legacy.counts["hybrid_as_base", "lcg32_hybrid"] == 3
