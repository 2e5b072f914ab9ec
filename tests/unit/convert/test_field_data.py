# SPDX-License-Identifier: MIT
"""The pipeline's own data, rebuilt as JSON, comes back value for value."""

import subprocess
import sys
from pathlib import Path
from typing import Any, Dict, List

import numpy as np
import pytest
from ansible.module_utils.survivor_npz.npz.inspect import read_info, read_whole
from ansible.module_utils.survivor_npz.npz.schema import FIELDS
from numpy.typing import NDArray
from shapes import Bench

SHARED = Path(__file__).resolve().parents[3] / "shared"
DATA, REBUILD = SHARED / "data", SHARED / "tools" / "rebuild_survivors.py"

pytestmark = pytest.mark.skipif(not DATA.is_dir(), reason="the field data in ../shared is not at hand")

OLD_NAMES = {"score": "scores", "skip_mode": "skip_mode_idx"}
FROM_COUNTS = {"forward_matches": "forward_count", "reverse_matches": "reverse_count"}


def columns_of(path: Path) -> Dict[str, NDArray[Any]]:
    """The arrays of a field NPZ under the names of schema 3, as far as it has them."""
    with np.load(path, allow_pickle=False) as npz:
        found = {name: npz[name] for name in npz.files}
    for new, old in OLD_NAMES.items():
        if old in found:
            found[new] = found[old]
    for new, old in FROM_COUNTS.items():
        found.setdefault(new, found[old])
    return found


@pytest.mark.parametrize(
    ("name", "layout"),
    [
        ("field-0-v3", []),
        ("field-47914-v3-rates", []),
        ("field-47914-v3-rates", ["--compact"]),
        ("field-98172-v3", []),
        ("field-379702-v0", ["--compact"]),
    ],
)
def test_field_data_comes_back_value_for_value(tmp_path: Path, name: str, layout: List[str]) -> None:
    bench = Bench(tmp_path)
    argv = [sys.executable, str(REBUILD), str(DATA / f"{name}.npz"), str(bench.json), *layout]
    subprocess.run(argv, check=True)
    outcome = bench.again(workers=2)
    expected, found = columns_of(DATA / f"{name}.npz"), bench.arrays()
    assert outcome.survivor_count == len(expected["seeds"])
    for field in FIELDS:
        # The old converter called hybrids java_lcg.
        want = expected["skip_mode" if field.array == "prng_type" else field.array]
        assert found[field.array].dtype.str == field.dtype
        assert np.array_equal(found[field.array], want.astype(field.dtype)), field.array


@pytest.mark.parametrize(
    ("name", "version", "count"),
    [
        ("field-0-v3", 3, 0),
        ("field-98172-v3", 3, 98172),
        ("field-98172-lossy-3-arrays", 1, 98172),
        ("field-379702-v0", 0, 379702),
    ],
)
def test_headers_of_every_field_version_are_read_without_numpy(name: str, version: int, count: int) -> None:
    info = read_info(str(DATA / f"{name}.npz"))
    assert (info.schema_version, info.survivor_count, info.fault) == (version, count, None)
    assert read_whole(str(DATA / f"{name}.npz")).fault is None
