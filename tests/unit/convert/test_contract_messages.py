# SPDX-License-Identifier: MIT
"""What an operator reads about a bad file: bad records counted, the right place, no raw control character."""

import json
import re
from pathlib import Path
from typing import Any, List

import pytest
from ansible.module_utils.survivor_npz.common.errors import ConvertError
from shapes import Bench, shape_c, without

BAD: dict[str, Any] = {
    "score": "x",
    "offset": None,
    "window_size": 1.5,
    "skip_min": True,
    "skip_max": "a",
    "trial_number": [],
}


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


def refusal(bench: Bench, survivors: Any, code: str, **more: Any) -> str:
    with pytest.raises(ConvertError) as caught:
        bench.convert(survivors, **more)
    assert caught.value.code == code, caught.value.message
    message = caught.value.message.replace(str(bench.json), "")
    assert re.fullmatch(r"[ -~]+", message)
    return message


def listing(*texts: str) -> bytes:
    return ("[" + ", ".join(texts) + "]").encode()


ONE = json.dumps(shape_c(1))
# More than a piece, and than 16 MiB, between two records or behind the last.
STRANGERS = {
    "numbers at the end": ([ONE, *map(str, range(300_000))], 300_000),
    "numbers between": ([ONE, *map(str, range(300_000)), ONE], 300_000),
    "numbers past 16 MiB": ([ONE, *["1234567"] * 2_000_000], 2_000_000),
    "a long string at the end": ([ONE] * 3000 + ['"' + "x" * 2_000_000 + '"'], 1),
    "strings of brackets": ([ONE, *['"}],{\\""'] * 200_000, ONE], 200_000),
    "lists": ([ONE] * 3000 + ["[1, [2]]"] * 3, 3),
    "words": ([ONE, "null", "true", ONE, "false"], 3),
}


@pytest.mark.parametrize("case", sorted(STRANGERS))
def test_a_quiet_file_with_strangers_is_never_called_changed(bench: Bench, case: str) -> None:
    texts, number = STRANGERS[case]
    first = next(i for i, text in enumerate(texts) if text != ONE)
    message = refusal(bench, listing(*texts), "bad_field")
    assert f"{number:,} record" in message
    assert f": record {first}: " in message
    assert "is not an object" in message


@pytest.mark.parametrize("piece_bytes", [1, 300, 1 << 20])
def test_bad_fields_beside_a_stranger_are_counted_too(bench: Bench, piece_bytes: int) -> None:
    survivors = [shape_c(1), 5, shape_c(2, score="x"), 6]
    message = refusal(bench, survivors, "bad_field", piece_bytes=piece_bytes)
    assert "3 records can't be converted" in message
    assert "record 1: 5 is not an object; record 2 (seed 2): score" in message
    assert "more" not in message


def test_one_record_full_of_faults_does_not_hide_the_next(bench: Bench) -> None:
    message = refusal(bench, [shape_c(1, **BAD), shape_c(2, score=None)], "bad_field")
    assert "2 records can't be converted" in message
    assert "and 4 more of its fields; record 1 (seed 2): score = null" in message


def test_bad_records_that_are_not_listed_are_said_to_be_there(bench: Bench) -> None:
    message = refusal(bench, [shape_c(i, **BAD) for i in range(7)], "bad_field")
    assert "7 records" in message
    assert "record 4 (seed 4)" in message
    assert "record 5" not in message
    assert "; and 2 records more." in message


def test_a_bad_skip_mode_does_not_hide_a_missing_prng(bench: Bench) -> None:
    survivors = [
        shape_c(0, skip_mode="x"),
        without(shape_c(1), "prng_type", "prng_base"),
        shape_c(2, prng_type=5),
    ]
    assert "3 records can't be converted" in refusal(bench, survivors, "bad_field")


@pytest.mark.parametrize("key", ["seed", "skip_mode"])
def test_a_missing_field_is_called_missing_once(bench: Bench, key: str) -> None:
    message = refusal(bench, [shape_c(1), without(shape_c(2), key)], "bad_field")
    assert message.count("missing") == 1
    assert f"{key} is missing: " in message
    assert "1 record can't" in message


@pytest.mark.parametrize("value", [[-3_000_000_000, 5], [5, 2**40], "0-3000000000", 2**31])
def test_a_range_out_of_range_is_shown_as_the_file_has_it(bench: Bench, value: Any) -> None:
    message = refusal(bench, [shape_c(1), shape_c(2, skip_range=value)], "bad_field")
    assert f"skip_range = {json.dumps(value)}: out of range" in message


def test_a_range_in_falling_order_is_counted(bench: Bench) -> None:
    ranges: List[Any] = ["56-5", [5, 3], -3, "5-56", 7]
    outcome = bench.convert([shape_c(i, skip_range=value) for i, value in enumerate(ranges)])
    assert bench.arrays()["skip_range"].tolist() == [-51, -2, -3, 51, 7]
    assert [warning for warning in outcome.warnings if "skip_range: 2 records" in warning]


def test_every_unknown_name_is_listed_or_counted(bench: Bench) -> None:
    survivors = [shape_c(i, prng_type=f"n{i % 70}") for i in range(100)]
    message = refusal(bench, survivors, "unknown_prng")
    assert message.count(" record") == 50
    assert '"n29" (2 records, the first is 29)' in message
    assert message.index('"n9" (2') < message.index('"n10" (2') < message.index('"n30" (1')
    assert ", and 20 more names." in message
    assert '"n69" (1 record, ' in refusal(bench, survivors[60:], "unknown_prng")
    assert ", and 1 more name." in refusal(bench, survivors[:51], "unknown_prng")


RAW = "a\nPLAY RECAP\x1b[2J\x07\x9b\u2028"


@pytest.mark.parametrize("key", ["seed", "score", "skip_range", "skip_mode", "forward_match_rate"])
@pytest.mark.parametrize("value", [RAW, [RAW], {RAW: RAW}], ids=["text", "list", "object"])
def test_control_characters_of_the_json_never_reach_the_screen(bench: Bench, key: str, value: Any) -> None:
    assert "PLAY RECAP" in refusal(bench, [{**shape_c(1), key: value}], "bad_field")


def test_control_characters_of_names_and_keys_never_reach_the_screen(bench: Bench) -> None:
    assert "java_lcg\\n" in refusal(bench, [shape_c(1, prng_type="java_lcg\n")], "unknown_prng")
    refusal(bench, [RAW, shape_c(1)], "shape_unknown")
    refusal(bench, {RAW: 1}, "shape_unknown")
    refusal(bench, {"survivor_count": RAW}, "shape_summary")
    refusal(bench, {"final_row_count": {RAW: [RAW]}}, "shape_finalizer")
    refusal(bench, b"[1\x1b[2J]", "shape_ints")
    refusal(bench, b'"' + b"\x1b[2J\xff" * (4 << 20) + b'"', "shape_unknown")


SIX = json.dumps([shape_c(i) for i in range(6)]).encode()[:-1]
CUT = {
    "after a record": (SIX, "after record 5,"),
    "after a comma": (SIX + b" ,\n", "after record 5,"),
    "in a record": (SIX[:-30], "in record 5,"),
    "after a stranger": (SIX + b", 5, 6, tr", "in record 8,"),
    "before all": (b"[ ", "before the first record,"),
}


@pytest.mark.parametrize("case", sorted(CUT))
def test_half_a_file_names_the_record_in_which_it_ends(bench: Bench, case: str) -> None:
    data, where = CUT[case]
    assert f" {where} " in refusal(bench, data, "json_truncated")


def test_a_fault_after_strangers_has_the_right_number(bench: Bench) -> None:
    data = SIX + b', 5, "a,b", {"a": tru}]'
    message = refusal(bench, data, "json_invalid")
    assert f"byte {data.index(b'tru')}" in message
    assert "(record 8)" in message


@pytest.mark.parametrize("word", ["Infinity", "-Infinity", "NaN"])
def test_a_word_that_is_no_number_is_named_with_its_sign(bench: Bench, word: str) -> None:
    data = SIX.replace(b"0.25", word.encode(), 1) + b"]"
    message = refusal(bench, data, "json_nan")
    assert f": {word} is not a JSON number at byte {data.index(word.encode())} " in message


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be"])
def test_utf_16_without_its_mark_is_named(bench: Bench, encoding: str) -> None:
    assert "UTF-16" in refusal(bench, SIX.decode().encode(encoding), "json_utf8")


def test_one_record_is_not_called_one_records(bench: Bench) -> None:
    record = without(shape_c(1, forward_count=2**24 + 1, intersection_weight=1e-60), "prng_type")
    outcome = bench.convert([record])
    told = " ".join(outcome.warnings + outcome.notes)
    assert told.count("1 record ") + told.count("1 record.") == 3
    assert "1 record hold" not in told
    assert "1 records" not in told
