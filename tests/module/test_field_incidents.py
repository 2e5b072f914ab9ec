# SPDX-License-Identifier: MIT
"""What went wrong in the field with the converters before this one; docs/incidents.md lists them all."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Dict, List

import numpy as np
import pytest
from ansible.module_utils.survivor_npz.convert import build
from pieces import pieces_of
from place import Place, arrays_of
from survivors import records

ARRAYS = 22


def survivors(count: int = 6, **more: Any) -> List[Dict[str, Any]]:
    return [{**record, **more} for record in records(count)]


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path / "pipeline")


def convert(place: Place, document: Any) -> Dict[str, Any]:
    """Run the module on a document; a dry run must have told the same."""
    place.write(json.dumps(document).encode())
    told = place.run(check=True)
    done = place.run()
    assert told.get("sha256") == done.get("sha256"), (told.get("msg"), done.get("msg"))
    return done


def arrays(place: Place) -> Dict[str, Any]:
    return arrays_of(place.npz.read_bytes())


def test_no_field_is_dropped_in_silence(place: Place) -> None:
    rows = survivors()
    done = convert(place, rows)
    assert not done.get("failed"), done
    found = arrays(place)
    assert len(found) == ARRAYS
    numbers = [name for name, value in rows[0].items() if isinstance(value, (int, float)) and name in found]
    assert len(numbers) > ARRAYS / 2
    for name in numbers:
        want = np.array([row[name] for row in rows]).astype(found[name].dtype)
        assert found[name].tolist() == want.tolist(), name
    sidecar = place.sidecar()
    assert sidecar is not None
    assert "sessions" in json.dumps(sidecar) and "prng_base" in json.dumps(sidecar)


def test_a_hybrid_is_not_labelled_java_lcg(place: Place) -> None:
    rows = survivors(4)
    for row in rows:
        row.update(prng_base="java_lcg", prng_type="java_lcg_hybrid", skip_mode="variable")
    convert(place, rows)
    assert set(arrays(place)["prng_type"].tolist()) == {1}


def test_an_unknown_name_is_an_error_and_not_id_0(place: Place) -> None:
    rows = survivors(4)
    rows[2].update(prng_base="ranlux", prng_type="ranlux")
    done = convert(place, rows)
    assert done.get("failed") and "ranlux" in done["msg"], done
    assert not place.npz.exists()


def test_match_rates_are_each_survivors_own(place: Place) -> None:
    rows = survivors(6)
    for number, row in enumerate(rows):
        row.update(forward_match_rate=number / 8, reverse_match_rate=1 - number / 8, trial_number=1)
    convert(place, rows)
    assert arrays(place)["forward_matches"].tolist() == [number / 8 for number in range(6)]
    assert arrays(place)["reverse_matches"].tolist() == [1 - number / 8 for number in range(6)]
    sidecar = place.sidecar()
    assert sidecar is not None
    assert "match_rate" in sidecar["forward_matches_source"]


def test_no_survivors_are_22_empty_arrays(place: Place) -> None:
    done = convert(place, [])
    assert not done.get("failed"), done
    assert {array.shape for array in arrays(place).values()} == {(0,)}
    assert len(arrays(place)) == ARRAYS


@pytest.mark.parametrize(
    ("document", "hint"),
    [
        ([1, 2, 3], "not a list of"),
        ({"survivor_count": 831672, "note": "too many to write"}, "summary"),
        ({"generation_id": "g1", "final_row_count": 5, "artifact_sha256": "ab"}, "summary"),
    ],
    ids=["a list of ints", "a summary", "a finalizer's summary"],
)
def test_what_is_no_survivors_is_refused_by_its_name(place: Place, document: Any, hint: str) -> None:
    done = convert(place, document)
    assert done.get("failed") and hint in done["msg"], done
    assert not place.npz.exists()


def test_a_skip_range_as_a_string_is_read(place: Place) -> None:
    done = convert(place, survivors(4, skip_range="5-56"))
    assert not done.get("failed"), done
    assert set(arrays(place)["skip_range"].tolist()) == {51}


def test_the_smallest_file_takes_every_path_that_a_large_one_takes(place: Place) -> None:
    convert(place, survivors(2))
    found = place.npz.read_bytes()
    place.npz.unlink()
    with pieces_of(64):  # so small that two records are work for two processes
        again = place.run(workers=4)
    assert again.get("changed"), again
    assert place.npz.read_bytes() == found


def test_no_temp_name_grows_a_suffix_and_no_orphan_sidecar_stays(place: Place) -> None:
    convert(place, survivors(3))
    convert(place, survivors(4))
    sidecar = place.sidecar()
    assert sidecar is not None
    assert sidecar["survivor_count"] == 4
    assert place.leftovers() == []
    assert sorted(path.name for path in place.directory.iterdir() if not path.name.startswith(".")) == [
        "bidirectional_survivors.json",
        "bidirectional_survivors_binary.meta.json",
        "bidirectional_survivors_binary.npz",
    ]


def test_thousands_of_rows_per_worker_lose_none(place: Place) -> None:
    rows = survivors(13_000)
    place.write(json.dumps(rows, indent=2).encode())
    assert place.json.stat().st_size > build.WORTH_A_FORK, "one process reads so small a file"
    done = place.run(workers=3)
    assert done["survivor_count"] == len(rows)
    lost = int(np.count_nonzero(arrays(place)["seeds"] != np.array([row["seed"] for row in rows])))
    assert lost == 0, f"{lost} rows are not those of the JSON"
