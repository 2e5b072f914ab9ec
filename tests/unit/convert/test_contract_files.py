# SPDX-License-Identifier: MIT
"""Contract, section 2: files that are not a list of survivors, each refused with its place and a next step."""

import os
import time
from pathlib import Path

import pytest
from ansible.module_utils.survivor_npz.common.errors import ConvertError
from shapes import Bench, shape_c

OLD = 1_600_000_000_000_000_000
GIANT = 16 << 20


def text(*seeds: int, extra: bytes = b"") -> bytes:
    """Compact records without the list's brackets."""
    form = b'{"seed":%d,"forward_match_rate":0.5,"skip_mode":"constant","prng_type":"java_lcg"%s}'
    return b",".join(form % (seed, extra) for seed in seeds)


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


def refusal(bench: Bench, data: bytes) -> ConvertError:
    with pytest.raises(ConvertError) as caught:
        bench.convert(data)
    assert str(bench.json) in caught.value.message
    assert bench.names() == ["s.json"]
    return caught.value


ONE = text(1)
CASES = {
    "zero bytes": (b"", "json_truncated", "0 bytes"),
    "only spaces": (b"  \n", "json_truncated", "whitespace"),
    "half a list": (b"[", "json_truncated", "byte 1"),
    "half a key": (b"[" + ONE + b',{"see', "json_truncated", "record 1"),
    "half a text": (b"[" + ONE + b',{"seed":2,"x":"ab', "json_truncated", "record 1"),
    "no bracket": (b"[" + ONE, "json_truncated", f"byte {len(ONE) + 1}"),
    "a comma at the end": (b"[" + ONE + b",]", "json_invalid", f"byte {len(ONE) + 1}"),
    "two commas": (b"[" + ONE + b",," + ONE + b"]", "json_invalid", f"byte {len(ONE) + 2}"),
    "a missing comma": (b"[" + ONE + ONE + b"]", "json_invalid", f"byte {len(ONE) + 1}"),
    "not UTF-8": (b"[" + text(1, extra=b',"x":"\xff"') + b"]", "json_utf8", f"byte {len(ONE) + 6}"),
    "UTF-16": ("[]".encode("utf-16"), "json_bom", "byte 0"),
    "a BOM": (b"\xef\xbb\xbf[]", "json_bom", "byte 0"),
    "NaN": (b"[" + ONE.replace(b"0.5", b"NaN") + b"]", "json_nan", f"byte {1 + ONE.index(b'0.5')}"),
    "Infinity": (b"[" + ONE.replace(b"0.5", b"Infinity") + b"]", "json_nan", "Infinity"),
    "-Infinity": (b"[" + ONE.replace(b"0.5", b"-Infinity") + b"]", "json_nan", "Infinity"),
    "two documents": (b"[" + ONE + b"][" + ONE + b"]", "json_trailing", f"byte {len(ONE) + 2}"),
    "text behind": (b"[" + ONE + b"] x", "json_trailing", f"byte {len(ONE) + 3}"),
    "text behind nothing": (b"[] []", "json_trailing", "byte 3"),
    "too deep": (
        b"[" + text(1, extra=b',"x":' + b"[" * 2000 + b"]" * 2000) + b"]",
        "json_too_deep",
        "record 0",
    ),
    "half a summary": (b'{"survivor_count": 5', "json_truncated", "byte"),
}


@pytest.mark.parametrize("case", sorted(CASES))
def test_a_file_that_is_no_whole_json_is_refused_with_its_place(bench: Bench, case: str) -> None:
    data, code, place = CASES[case]
    error = refusal(bench, data)
    assert error.code == code, error.message
    assert place in error.message


@pytest.mark.parametrize("depth", [191, 500, 1000])
def test_half_a_deep_list_is_not_called_out_of_memory(bench: Bench, depth: int) -> None:
    error = refusal(bench, b"[" + ONE + b"," + b"[" * depth)
    assert error.code in ("json_too_deep", "json_truncated")  # as orjson's version will have it
    assert "record 1" in error.message


def test_a_byte_is_counted_in_bytes_behind_other_alphabets(bench: Bench) -> None:
    before = b"[" + text(1, extra=',"x":"日本é😀"'.encode()) + b","
    record = text(2, extra=b',"x":tru')
    error = refusal(bench, before + record + b"]")
    assert f"byte {len(before) + record.index(b'tru')}" in error.message
    assert "record 1" in error.message


def test_the_place_is_right_in_a_file_of_many_pieces(bench: Bench) -> None:
    before = b"[" + text(*range(5000)) + b","
    bad = text(5000).replace(b"0.5", b"0,5")
    with pytest.raises(ConvertError, match=f"byte {len(before) + bad.index(b',5') + 1} .record 5000"):
        bench.convert(before + bad + b"," + text(*range(5001, 9000)) + b"]", piece_bytes=10_000)


@pytest.mark.parametrize("newly", [True, False])
def test_half_a_file_written_just_now_hints_at_step_1(bench: Bench, newly: bool) -> None:
    bench.json.write_bytes(b"[" + ONE)
    written = time.time_ns() - 5 * 10**9 if newly else OLD
    os.utime(bench.json, ns=(written, written))
    with pytest.raises(ConvertError) as caught:
        bench.again()
    assert ("still be writing" in caught.value.message) == newly


SHAPES = {
    "summary": (
        b'{"survivor_count": 120000, "note": "too many"}',
        "shape_summary",
        ["120000", "survivor_npz_convert"],
    ),
    "finalizer": (
        b'{"generation_id": "g", "final_row_count": 45867, "artifact_sha256": "0"}',
        "shape_finalizer",
        ["45867", "survivor_npz_convert: never"],
    ),
    "ints": (b"[17, 18, 19]", "shape_ints", ["numbers", "17"]),
    "negative": (b"[-1]", "shape_ints", ["numbers"]),
    "strings": (b'["a"]', "shape_unknown", ["strings"]),
    "lists": (b"[[1]]", "shape_unknown", ["lists"]),
    "nulls": (b"[null]", "shape_unknown", ["null"]),
    "object": (b'{"seeds": [1]}', "shape_unknown", ["seeds"]),
    "text": (b'"survivors"', "shape_unknown", ['but "survivors"']),
    "null": (b"null", "shape_unknown", ["null"]),
}


@pytest.mark.parametrize("case", sorted(SHAPES))
def test_a_summary_or_a_list_of_ints_is_named_for_what_it_is(bench: Bench, case: str) -> None:
    data, code, words = SHAPES[case]
    error = refusal(bench, data)
    assert error.code == code
    for word in words:
        assert word in error.message


def test_an_int_among_the_survivors_is_refused_with_its_number(bench: Bench) -> None:
    error = refusal(bench, b"[" + ONE + b", 5, " + text(2) + b"]")
    assert error.code == "bad_field"
    assert "record 1" in error.message


@pytest.mark.parametrize(("more", "fits"), [(0, True), (1, False)])
def test_a_record_of_more_than_16_mib_is_refused(bench: Bench, more: int, fits: bool) -> None:
    filler = b',"x":"' + b"a" * (GIANT - len(text(2)) - len(b',"x":""') + more) + b'"'
    data = b"[" + ONE + b"," + text(2, extra=filler) + b"," + text(3) + b"]"
    if fits:
        assert bench.convert(data).survivor_count == 3
    else:
        error = refusal(bench, data)
        assert error.code == "record_too_big"
        assert "record 1" in error.message


def test_spaces_between_records_cost_nothing(bench: Bench) -> None:
    space = b" \t\r\n" * (2 << 20)
    outcome = bench.convert(
        space + b"[" + space + ONE + space + b"," + space + text(2) + space + b"]" + space
    )
    assert outcome.survivor_count == 2


def test_a_missing_json_is_an_error_even_beside_a_good_npz(bench: Bench) -> None:
    bench.convert([shape_c()])
    before = bench.npz.read_bytes()
    os.unlink(bench.json)
    with pytest.raises(ConvertError, match=r"window_optimizer\.py") as caught:
        bench.again()
    assert caught.value.code == "json_missing"
    assert bench.npz.read_bytes() == before
