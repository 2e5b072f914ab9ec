# SPDX-License-Identifier: MIT
"""Unknown keys of the JSON: named as far as fits into the sidecar, and all of them counted."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from ansible.module_utils.survivor_npz.common import json_object
from ansible.module_utils.survivor_npz.common.errors import ConvertError
from ansible.module_utils.survivor_npz.convert import build
from ansible.module_utils.survivor_npz.switch.names import Names
from pieces import pieces_of
from shapes import Bench, shape_c

KEPT = 1000


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


def with_unknown_keys(count: int, per_record: int, length: int = 0) -> list[dict[str, Any]]:
    """Records with `count` distinct unknown keys in no order; every third of them is in two records."""
    keys = [f"{i * 7919 % count:06d}".ljust(length, "k") for i in range(count)]
    return [
        shape_c(at, **dict.fromkeys([*keys[at : at + per_record], *keys[at - 1 :: -3][:1]], 0))
        for at in range(0, count, per_record)
    ]


def test_a_json_with_over_16_mib_of_unknown_keys_could_not_be_activated(bench: Bench) -> None:
    survivors = with_unknown_keys(20_000, 100, length=900)
    outcome = bench.convert(survivors)
    assert len(outcome.left_out) == KEPT
    assert outcome.left_out_more == 20_000 + 2 - KEPT  # and sessions, prng_base
    sidecar = json_object.load(Names(str(bench.npz)).sidecar)
    assert sidecar and sidecar["npz_sha256"] == outcome.sha256
    assert sidecar["left_out_more"] == outcome.left_out_more
    assert any(f"{outcome.left_out_more:,} more" in warning for warning in outcome.warnings)
    again = bench.again()
    assert (again.reason, again.foreign) == ("fresh", False)


def test_left_out_depended_on_the_number_of_workers(bench: Bench) -> None:
    survivors = with_unknown_keys(5000, 7)
    counts = Counter(key for record in survivors for key in record if key[0].isdigit())
    expected = {key: counts[key] for key in sorted(counts)[:KEPT]}
    for workers, size in ((1, 1 << 20), (1, 3000), (3, 5000), (2, 100_000)):
        with pieces_of(size):
            assert build.WORTH_A_FORK == 0
            outcome = bench.convert(survivors, workers=workers, piece_bytes=size)
        assert outcome.left_out == expected, f"{workers} workers, pieces of {size}"
        assert outcome.left_out_more == 5002 - KEPT


def test_two_long_keys_that_begin_alike_are_told_apart(bench: Bench) -> None:
    first, second = "k" * 100_000 + "a", "k" * 100_000 + "b"
    outcome = bench.convert([shape_c(1, **{first: 0, second: 0}), shape_c(2, **{first: 0})])
    named = {key: count for key, count in outcome.left_out.items() if key.startswith("kkk")}
    assert sorted(named.values()) == [1, 2]
    assert all(len(key) < 300 for key in named)
    assert outcome.left_out_more == 0


def test_every_unknown_prng_is_counted_beyond_a_thousand(bench: Bench) -> None:
    survivors = [shape_c(i, prng_type=f"n{i}") for i in range(3000)]
    for workers in (1, 3):
        with pieces_of(10_000), pytest.raises(ConvertError, match="and 2,950 more names") as caught:
            bench.convert(survivors, workers=workers)
        assert '"n0" (1 record, the first is 0)' in caught.value.message
