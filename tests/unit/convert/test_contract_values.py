# SPDX-License-Identifier: MIT
"""Contract, section 3: what each value becomes, what is counted, what is refused."""

from pathlib import Path
from typing import Any, Dict

import numpy as np
import pytest
from ansible.module_utils.survivor_npz.common.errors import ConvertError
from ansible.module_utils.survivor_npz.npz.schema import FIELDS, LEGACY, REGISTRY
from shapes import INTERSECTION, Bench, shape_a, shape_c, without


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


def refused(bench: Bench, survivors: Any, code: str, *words: str, **more: Any) -> str:
    with pytest.raises(ConvertError) as caught:
        bench.convert(survivors, **more)
    assert caught.value.code == code, caught.value.message
    for word in words:
        assert word in caught.value.message
    assert bench.names() == ["s.json"]
    return caught.value.message


def test_shape_c_gives_all_22_arrays_and_no_warning(bench: Bench) -> None:
    record = shape_c()
    outcome = bench.convert([record, shape_c(8)])
    arrays = bench.arrays()
    assert list(arrays) == [field.array for field in FIELDS]
    for field in FIELDS:
        assert arrays[field.array].dtype.str == field.dtype
        value = {"skip_mode": 0, "prng_type": 0}.get(field.key, record[field.key])
        assert arrays[field.array][0] == np.dtype(field.dtype).type(value)
    assert outcome.warnings == []
    assert outcome.defaulted == {}


def test_forward_matches_equal_for_every_seed_of_a_trial(bench: Bench) -> None:
    bench.convert([shape_c(i, forward_match_rate=i / 8, reverse_match_rate=i / 16) for i in range(8)])
    arrays = bench.arrays()
    assert arrays["forward_matches"].tolist() == [i / 8 for i in range(8)]
    assert arrays["reverse_matches"].tolist() == [i / 16 for i in range(8)]
    assert bench.sidecar()["forward_matches_source"] == "forward_match_rate"


def test_shape_a_takes_counts_for_rates_and_warns(bench: Bench) -> None:
    outcome = bench.convert([shape_a(1), shape_a(2)])
    arrays = bench.arrays()
    assert arrays["forward_matches"].tolist() == [32053.0, 32053.0]
    assert arrays["reverse_matches"].tolist() == [32044.0, 32044.0]
    assert any("forward_count" in warning and "2 records" in warning for warning in outcome.warnings)
    assert bench.sidecar()["reverse_matches_source"] == "reverse_count"


def test_shape_b_defaults_the_seven_fields_and_counts_them(bench: Bench) -> None:
    outcome = bench.convert([without(shape_c(1), *INTERSECTION), shape_c(2)])
    assert outcome.defaulted == dict.fromkeys(INTERSECTION, 1)
    arrays = bench.arrays()
    for name in INTERSECTION:
        assert arrays[name][0] == 0
        assert arrays[name][1] != 0
        assert any(name in warning for warning in outcome.warnings)
    assert bench.sidecar()["defaulted"] == outcome.defaulted


def test_shape_d_parses_the_range_that_became_a_string(bench: Bench) -> None:
    record = without(shape_c(skip_range="5-56", sessions="all"), "bidirectional_selectivity")
    outcome = bench.convert([record])
    assert bench.arrays()["skip_range"].tolist() == [51]
    assert outcome.defaulted == {"bidirectional_selectivity": 1}


@pytest.mark.parametrize(("value", "becomes"), [(51, 51), (-3, -3), ([5, 56], 51), ("0-0", 0), ("56-5", -51)])
def test_a_skip_range_in_each_of_its_forms(bench: Bench, value: Any, becomes: int) -> None:
    bench.convert([shape_c(1), shape_c(2, skip_range=value)])
    assert bench.arrays()["skip_range"].tolist() == [51, becomes]


@pytest.mark.parametrize(
    "value", ["5", "5-", "-5-9", "5 - 9", "a-b", [1], [1, 2, 3], [1, 2.0], [True, 2], {}, 1.0]
)
def test_a_skip_range_of_another_form_is_refused(bench: Bench, value: Any) -> None:
    refused(
        bench, [shape_c(1), shape_c(2, skip_range=value)], "bad_field", "record 1", "seed 2", "skip_range"
    )


def test_a_record_with_one_rate_takes_it_for_both(bench: Bench) -> None:
    outcome = bench.convert([shape_c(1), without(shape_c(2, reverse_match_rate=0.75), "forward_match_rate")])
    assert bench.arrays()["forward_matches"].tolist() == [0.5, 0.75]
    assert any("forward_match_rate" in warning and "1 record" in warning for warning in outcome.warnings)


def test_rates_and_counts_never_mix_in_one_array(bench: Bench) -> None:
    refused(bench, [shape_c(1), shape_a(2), shape_a(3)], "mixed_rates", "2 records", "first is 1")


@pytest.mark.parametrize("key", ["forward_count", "reverse_count"])
def test_shape_a_without_counts_is_refused(bench: Bench, key: str) -> None:
    refused(bench, [shape_a(1), without(shape_a(2), key)], "no_counts", key, "first is 1")


@pytest.mark.parametrize("rate", [-0.001, 1.001, 2, -1])
def test_a_rate_outside_0_to_1_is_refused(bench: Bench, rate: float) -> None:
    refused(bench, [shape_c(5, forward_match_rate=rate)], "bad_field", "record 0", "seed 5", repr(rate))


WRONG: Dict[str, Any] = {"null": None, "text": "3", "true": True, "list": [3], "object": {"a": 1}}


# Strings and lists belong to these; their values have tests of their own.
OF_OTHER_TYPES = {"skip_range", "skip_mode", "prng_type"}
WRONG_VALUES = [
    pytest.param(field, value, id=f"{field.array}-{kind}")
    for field in FIELDS
    for kind, value in WRONG.items()
    if not (field.key in OF_OTHER_TYPES and kind in ("text", "list"))
]


@pytest.mark.parametrize(("field", "value"), WRONG_VALUES)
def test_19_fields_never_vanish_again(bench: Bench, field: Any, value: Any) -> None:
    survivors = [shape_c(1), {**shape_c(2), field.key: value}, shape_c(3)]
    message = refused(bench, survivors, "bad_field", "record 1", field.key)
    if field.key != "seed":
        assert "seed 2" in message


@pytest.mark.parametrize("field", [field for field in FIELDS if field.kind in ("int", "seed", "range")])
def test_a_float_where_an_int_belongs_is_refused(bench: Bench, field: Any) -> None:
    refused(bench, [shape_c(1), {**shape_c(2), field.key: 3.0}], "bad_field", "record 1", field.key, "3.0")


@pytest.mark.parametrize("seed", [-1, 2**32, 2**63, 2**64, 10**30])
def test_a_seed_that_uint32_can_not_hold_never_wraps(bench: Bench, seed: int) -> None:
    refused(bench, [shape_c(seed)], "bad_field", "record 0", "seed")


def test_seeds_of_the_whole_range_are_kept(bench: Bench) -> None:
    bench.convert([shape_c(0), shape_c(2**32 - 1)])
    assert bench.arrays()["seeds"].tolist() == [0, 2**32 - 1]


@pytest.mark.parametrize("value", [2**31, -(2**31) - 1, 2**64])
def test_an_int_that_int32_can_not_hold_never_wraps(bench: Bench, value: int) -> None:
    refused(bench, [shape_c(1, offset=value)], "bad_field", "offset")


@pytest.mark.parametrize("value", [3.5e38, -1e300])
def test_a_number_that_float32_makes_infinite_is_refused(bench: Bench, value: float) -> None:
    refused(bench, [shape_c(1, score=value)], "bad_field", "score", "float32")


def test_an_int_above_2_to_24_is_rounded_and_counted(bench: Bench) -> None:
    counts = [2**24, 2**24 + 1, 2**53 + 1, 2**53]
    outcome = bench.convert([shape_c(i, forward_count=count) for i, count in enumerate(counts)])
    assert bench.arrays()["forward_count"].tolist() == [float(np.float32(count)) for count in counts]
    assert any("forward_count: 2 records" in warning for warning in outcome.warnings)


def test_a_float_that_rounds_is_no_loss_to_speak_of(bench: Bench) -> None:
    assert bench.convert([shape_c(1, score=0.1, forward_count=16777217.0)]).warnings == []


def test_a_positive_value_that_float32_makes_0_is_counted(bench: Bench) -> None:
    outcome = bench.convert([shape_c(1, intersection_weight=1e-60), shape_c(2)])
    assert any("intersection_weight: 1 record" in warning for warning in outcome.warnings)


@pytest.mark.parametrize("key", ["seed", "skip_mode"])
def test_a_required_field_that_is_missing_is_refused(bench: Bench, key: str) -> None:
    refused(bench, [shape_c(1), without(shape_c(2), key)], "bad_field", "record 1", key, "missing")


@pytest.mark.parametrize("mode", ["CONSTANT", "", "hybrid"])
def test_an_unknown_skip_mode_is_refused(bench: Bench, mode: str) -> None:
    refused(bench, [shape_c(1, skip_mode=mode)], "bad_field", "skip_mode", "variable")


@pytest.mark.parametrize("name", sorted(REGISTRY))
def test_every_name_of_the_registry_has_its_id(bench: Bench, name: str) -> None:
    mode = "variable" if "_hybrid" in name else "constant"
    outcome = bench.convert([shape_c(1, prng_type=name, skip_mode=mode)])
    assert bench.arrays()["prng_type"].tolist() == [REGISTRY[name]]
    assert outcome.warnings == []
    assert bench.sidecar()["encodings"]["prng_type"] == REGISTRY


def test_hybrids_are_never_labelled_java_lcg(bench: Bench) -> None:
    record = shape_c(1, prng_type="java_lcg_hybrid", skip_mode="variable")
    bench.convert([record])
    assert bench.arrays()["prng_type"].tolist() == [1]
    assert bench.arrays()["skip_mode"].tolist() == [1]


def test_a_missing_prng_type_comes_from_its_base_and_the_skip_mode(bench: Bench) -> None:
    records = [
        without(shape_c(1, prng_base="mt19937"), "prng_type"),
        without(shape_c(2, prng_base="mt19937", skip_mode="variable"), "prng_type"),
        shape_c(3, prng_base=None),
    ]
    bench.convert(records)
    assert bench.arrays()["prng_type"].tolist() == [12, 13, 0]


def test_both_prng_names_missing_is_refused(bench: Bench) -> None:
    refused(bench, [shape_c(1), without(shape_c(2), "prng_type", "prng_base")], "bad_field", "record 1")


def test_unknown_names_are_listed_each_with_its_records(bench: Bench) -> None:
    survivors = [
        shape_c(1),
        shape_c(2, prng_type="foo"),
        shape_c(3, prng_type="bar"),
        shape_c(4, prng_type="foo"),
    ]
    refused(bench, survivors, "unknown_prng", '"foo" (2 records', '"bar" (1 record', "first is 1")


def test_legacy_has_no_hybrids_and_says_how_many(bench: Bench) -> None:
    survivors = [
        shape_c(1, prng_type="minstd_hybrid", skip_mode="variable"),
        shape_c(2, prng_type="randu"),
    ]
    outcome = bench.convert(survivors, prng_encoding="legacy")
    assert bench.arrays()["prng_type"].tolist() == [LEGACY["minstd"], LEGACY["randu"]]
    assert any("minstd_hybrid: 1 record" in warning for warning in outcome.warnings)
    assert bench.sidecar()["encodings"]["prng_type"] == LEGACY
    refused_names = [shape_c(1, prng_type="pcg32")]
    with pytest.raises(ConvertError, match="pcg32"):
        bench.convert(refused_names, prng_encoding="legacy")


def test_a_prng_type_that_disagrees_with_its_skip_mode_is_counted(bench: Bench) -> None:
    outcome = bench.convert(
        [shape_c(1, skip_mode="variable"), shape_c(2), shape_c(3, prng_type="lcg32_hybrid")]
    )
    assert any("disagrees" in warning and "2 records" in warning for warning in outcome.warnings)


def test_duplicate_and_unordered_seeds_are_counted(bench: Bench) -> None:
    outcome = bench.convert([shape_c(seed) for seed in (3, 3, 1, 2, 3)])
    assert any("Duplicate seeds: 2" in warning for warning in outcome.warnings)
    assert any("out of order: 1 record" in warning for warning in outcome.warnings)
    assert bench.arrays()["seeds"].tolist() == [3, 3, 1, 2, 3]


def test_few_distinct_match_values_stay_a_note(bench: Bench) -> None:
    outcome = bench.convert([shape_c(i) for i in range(50)])
    assert outcome.warnings == []
    assert any("forward_matches has 1 distinct" in note for note in outcome.notes)


def test_a_key_twice_in_one_object_gives_the_last(bench: Bench) -> None:
    text = b'[{"seed": 1, "seed": 9, "score": 5, "forward_match_rate": 1, "score": 0.5, '
    bench.convert(
        text + b'"skip_mode": "constant", "skip_mode": "variable", "prng_type": "java_lcg_hybrid"}]'
    )
    arrays = bench.arrays()
    assert (arrays["seeds"][0], arrays["score"][0], arrays["skip_mode"][0]) == (9, 0.5, 1)


def test_what_the_npz_leaves_out_is_said(bench: Bench) -> None:
    outcome = bench.convert([shape_c(1, novelty={"a": [1]}), shape_c(2)])
    assert outcome.left_out == {"novelty": 1, "prng_base": 2, "sessions": 2}
    assert bench.sidecar()["left_out"] == outcome.left_out


def test_several_bad_records_are_counted_and_the_first_listed(bench: Bench) -> None:
    survivors = [shape_c(i, offset=None if i % 2 else 1) for i in range(40)]
    message = refused(bench, survivors, "bad_field", "20 records", "record 1 ", "record 9 ")
    assert "record 11 " not in message


def test_fewer_than_half_the_survivors_is_warned(bench: Bench) -> None:
    bench.convert([shape_c(i) for i in range(10)])
    assert any(
        "Fewer than half" in warning for warning in bench.convert([shape_c(i) for i in range(4)]).warnings
    )
    assert bench.convert([shape_c(i) for i in range(3)]).warnings == []


def test_a_column_that_became_constant_is_warned(bench: Bench) -> None:
    bench.convert([shape_c(i, score=i) for i in range(4)])
    warnings = bench.convert([shape_c(i, score=0) for i in range(4)]).warnings
    assert any("score varied before and is now 0" in warning for warning in warnings)


def test_zero_survivors_give_22_arrays_of_length_0(bench: Bench) -> None:
    outcome = bench.convert(b" [ ]\n")
    arrays = bench.arrays()
    assert outcome.survivor_count == 0
    assert [(name, array.shape, array.dtype.str) for name, array in arrays.items()] == [
        (field.array, (0,), field.dtype) for field in FIELDS
    ]
    assert bench.sidecar()["survivor_count"] == 0
