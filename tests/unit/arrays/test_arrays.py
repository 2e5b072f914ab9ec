# SPDX-License-Identifier: MIT
"""Columns of numbers at the edges of float32: what it changes is counted, what it can't hold is refused quietly."""

from __future__ import annotations

import warnings
from typing import Any

import pytest
from ansible.module_utils.survivor_npz.arrays.arrays import make_arrays
from ansible.module_utils.survivor_npz.survivors.table import Table
from shapes import shape_c, table_of


def table(key: str, *values: Any) -> Table:
    """Records that differ in one value."""
    records = [{**shape_c(number), key: value} for number, value in enumerate(values)]
    return table_of(*records)


def test_numpy_warns_on_the_screen_of_a_number_that_is_refused() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        arrays, tally = make_arrays(table("score", 1.0, 1e39), "registry")
    assert (tally.bad_records, "score" in arrays) == (1, False)
    assert "too large for float32" in tally.faults[0].what


def test_zeros_count_as_vanished() -> None:
    arrays, tally = make_arrays(table("score", 1e-50, 0.0, 0, 1.0, -1e-50, 1e-45), "registry")
    assert tally.counts["vanished", "score"] == 2
    assert [bool(value) for value in arrays["score"]] == [False, False, False, True, False, True]


def test_a_rate_vanishes_unseen_or_a_good_one_is_refused_with_a_bad_one() -> None:
    arrays, tally = make_arrays(table("forward_match_rate", 1e-50, 0.0, 1), "registry")
    assert tally.counts["vanished", "forward_match_rate"] == 1
    assert arrays["forward_matches"].tolist() == [0.0, 0.0, 1.0]
    tally = make_arrays(table("forward_match_rate", 0, 1, 0.0, 1.0, 1.5), "registry")[1]
    assert [fault.record for fault in tally.faults] == [4]


def test_a_plain_name_counts_as_a_hybrid() -> None:
    tally = make_arrays(table("prng_type", "lcg32", "lcg32_hybrid"), "legacy")[1]
    found = {name: count for (what, name), count in tally.counts.items() if what == "hybrid_as_base"}
    assert found == {"lcg32_hybrid": 1}


def test_fields_that_are_not_wrong_are_counted_as_more_of_them() -> None:
    record = {**shape_c(1), "score": "x", "offset": "y"}
    for more, expected in (({}, False), ({"bidirectional_count": "z"}, True)):
        found = make_arrays(table_of({**record, **more}), "registry")[1]
        assert ("; and 1 more of its fields" in found.faults[0].what) == expected
        assert ("more of its fields" in found.faults[0].what) == expected


@pytest.mark.parametrize("key", ["forward_match_rate", "reverse_match_rate"])
def test_a_match_array_is_made_without_the_one_that_it_borrows_from(key: str) -> None:
    arrays, tally = make_arrays(table(key, 0.5, "0.5"), "registry")
    assert (tally.bad_records, {"forward_matches", "reverse_matches"} & arrays.keys()) == (1, set())
