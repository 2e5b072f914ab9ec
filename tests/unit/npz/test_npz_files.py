# SPDX-License-Identifier: MIT
"""The NPZ as a file: the same bytes always, no larger than numpy's own, readable with and without numpy."""

import io
import json
import random
import zipfile
from pathlib import Path
from typing import Any, Dict, List

import numpy as np
import pytest
from ansible.module_utils.survivor_npz.npz.inspect import read_info, read_whole
from ansible.module_utils.survivor_npz.npz.schema import FIELDS
from ansible.module_utils.survivor_npz.npz.write import assemble, pack_columns
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
    np.savez_compressed(out, **dict[str, Any](bench.arrays()))
    assert bench.npz.stat().st_size <= len(out.getvalue())


_RANDOM = random.Random(1)
SEEDS: Dict[str, List[int]] = {
    "spread over 32 bits": sorted(_RANDOM.sample(range(2**32), 60_000)),
    "spread, in disorder": _RANDOM.sample(range(2**32), 20_000),
    "dense": sorted(_RANDOM.sample(range(150_000), 60_000)),
    "one in ten": sorted(_RANDOM.sample(range(600_000), 60_000)),
    "sequential": list(range(10**9, 10**9 + 60_000)),
    "in large steps": list(range(0, 60_000 * 4096, 4096)),
    "dense in blocks": [i // 100 * 65_536 + i % 100 for i in range(60_000)],
    "constant": [7] * 60_000,
    "with many duplicates": sorted(_RANDOM.choices(range(1000), k=60_000)),
    "duplicates in disorder": _RANDOM.choices(range(3000), k=20_000),
}


@pytest.mark.parametrize("case", sorted(SEEDS))
def test_no_distribution_of_seeds_makes_it_larger_than_savez_compressed(case: str) -> None:
    seeds = np.array(SEEDS[case], "<u4")
    arrays = {f.array: seeds if f.array == "seeds" else np.zeros(len(seeds), f.dtype) for f in FIELDS}
    # In one part and in many: neither parts nor threads may change a byte.
    parts = [{name: np.array_split(array, n) for name, array in arrays.items()} for n in (1, 7)]
    members = [pack_columns(columns, threads) for threads, columns in enumerate(parts, 1)]
    ours = assemble(members[0])
    assert ours == assemble(members[1])
    out = io.BytesIO()
    np.savez_compressed(out, **dict[str, Any](arrays))
    assert len(ours) <= len(out.getvalue())
    with zipfile.ZipFile(out) as theirs:
        assert len(members[0]["seeds"].data) <= theirs.getinfo("seeds.npy").compress_size


def test_zipfile_finds_no_fault_and_the_arrays_in_order(bench: Bench) -> None:
    with zipfile.ZipFile(bench.npz) as archive:
        assert archive.testzip() is None
        assert archive.namelist() == [f"{field.array}.npy" for field in FIELDS]
        assert {entry.date_time for entry in archive.infolist()} == {(1980, 1, 1, 0, 0, 0)}


def test_npzinfo_agrees_with_numpy(bench: Bench) -> None:
    info = read_info(str(bench.npz))
    assert (info.schema_version, info.survivor_count, info.fault) == (3, 3000, None)
    assert info.arrays == {name: (array.dtype.str, array.shape) for name, array in bench.arrays().items()}
    assert read_whole(str(bench.npz)).fault is None


def test_every_flipped_or_missing_byte_of_the_data_is_found(bench: Bench) -> None:
    good = bench.npz.read_bytes()
    with zipfile.ZipFile(bench.npz) as archive:
        starts = [entry.header_offset + 60 for entry in archive.infolist()]
    for at in starts:
        bench.npz.write_bytes(good[:at] + bytes([good[at] ^ 0x55]) + good[at + 1 :])
        assert read_whole(str(bench.npz)).fault, f"a flipped byte at {at} went unseen"
    for length in (0, 1, 21, len(good) // 2, len(good) - 1):
        bench.npz.write_bytes(good[:length])
        assert read_whole(str(bench.npz)).fault, f"{length} of {len(good)} bytes went unseen"


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
        np.savez(file, **dict[str, Any](arrays))
    info = read_whole(str(bench.npz))
    assert (info.schema_version, info.fault) == (None, None)


def test_pickled_objects_are_no_npz_of_ours(bench: Bench) -> None:
    with bench.npz.open("wb") as file:
        np.savez(file, seeds=np.array([{"a": 1}], dtype=object))
    assert read_whole(str(bench.npz)).fault
