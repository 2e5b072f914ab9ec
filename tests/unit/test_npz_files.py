"""The NPZ as a file: the same bytes always, no larger than numpy's own, readable with and without numpy."""

import io
import json
import zipfile
from pathlib import Path

import numpy as np
import pytest
from ansible.module_utils.survivor_npz import npzinfo
from ansible.module_utils.survivor_npz.schema import FIELDS
from shapes import Bench
from survivors import records


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    made = Bench(tmp_path)
    made.convert(list(records(3000, seed=3)))
    return made


def test_neither_path_nor_clock_nor_piece_size_gets_into_the_bytes(bench: Bench, tmp_path: Path) -> None:
    other = tmp_path / "elsewhere"
    other.mkdir()
    again = Bench(other)
    again.convert(json.dumps(list(records(3000, seed=3))).encode(), piece_bytes=3000, workers=3)
    assert again.npz.read_bytes() == bench.npz.read_bytes()


def test_it_is_no_larger_than_savez_compressed_makes_it(bench: Bench) -> None:
    out = io.BytesIO()
    np.savez_compressed(out, **bench.arrays())
    assert bench.npz.stat().st_size <= len(out.getvalue())


def test_zipfile_finds_no_fault_and_the_arrays_in_order(bench: Bench) -> None:
    with zipfile.ZipFile(bench.npz) as archive:
        assert archive.testzip() is None
        assert archive.namelist() == [f"{field.array}.npy" for field in FIELDS]
        assert {entry.date_time for entry in archive.infolist()} == {(1980, 1, 1, 0, 0, 0)}


def test_npzinfo_agrees_with_numpy(bench: Bench) -> None:
    info = npzinfo.read_info(str(bench.npz))
    assert (info.schema_version, info.survivor_count, info.fault) == (3, 3000, None)
    assert info.arrays == {name: (array.dtype.str, array.shape) for name, array in bench.arrays().items()}
    assert npzinfo.check_whole(str(bench.npz)) is None


def test_every_flipped_or_missing_byte_of_the_data_is_found(bench: Bench) -> None:
    good = bench.npz.read_bytes()
    with zipfile.ZipFile(bench.npz) as archive:
        starts = [entry.header_offset + 60 for entry in archive.infolist()]
    for at in starts:
        bench.npz.write_bytes(good[:at] + bytes([good[at] ^ 0x55]) + good[at + 1 :])
        assert npzinfo.check_whole(str(bench.npz)), f"a flipped byte at {at} went unseen"
    for length in (0, 1, 21, len(good) // 2, len(good) - 1):
        bench.npz.write_bytes(good[:length])
        assert npzinfo.check_whole(str(bench.npz)), f"{length} of {len(good)} bytes went unseen"


@pytest.mark.parametrize("change", ["dtype", "length", "dimensions", "extra", "less"])
def test_arrays_that_are_not_those_of_schema_3_are_told_apart(bench: Bench, change: str) -> None:
    arrays = bench.arrays()
    if change == "dtype":
        arrays["score"] = arrays["score"].astype("f8")
    elif change == "length":
        arrays["score"] = arrays["score"][:-1]
    elif change == "dimensions":
        arrays = {name: array.reshape(-1, 1) for name, array in arrays.items()}
    elif change == "extra":
        arrays["more"] = arrays["score"]
    else:
        del arrays["score"]
    with bench.npz.open("wb") as file:
        np.savez(file, **arrays)
    info = npzinfo.read_whole(str(bench.npz))
    assert (info.schema_version, info.fault) == (None, None)


def test_pickled_objects_are_no_npz_of_ours(bench: Bench) -> None:
    with bench.npz.open("wb") as file:
        np.savez(file, seeds=np.array([{"a": 1}], dtype=object))
    assert npzinfo.check_whole(str(bench.npz))
