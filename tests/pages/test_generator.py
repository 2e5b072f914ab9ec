# SPDX-License-Identifier: MIT
"""The project's own survivors: what tests and the demo stand on must look like Step 1's."""

import json
from pathlib import Path

import pytest
from survivors import records, write

FIELDS = 24


def test_the_generator_gives_the_same_survivors_every_time() -> None:
    assert list(records(200, seed=3)) == list(records(200, seed=3))
    assert list(records(200, seed=3)) != list(records(200, seed=4))


def test_both_skip_modes_and_ascending_seeds_occur() -> None:
    found = list(records(500))
    assert {record["skip_mode"] for record in found} == {"constant", "variable"}
    assert {record["prng_type"] for record in found} == {"java_lcg", "java_lcg_hybrid"}
    seeds = [record["seed"] for record in found]
    assert seeds == sorted(set(seeds))
    assert {len(record) for record in found} == {FIELDS}


@pytest.mark.parametrize("indent", [2, None])
@pytest.mark.parametrize("count", [0, 1, 3])
def test_the_file_is_what_json_dump_writes(tmp_path: Path, indent: "int | None", count: int) -> None:
    path = tmp_path / "survivors.json"
    write(str(path), count, indent=indent)
    assert path.read_text() == json.dumps(list(records(count)), indent=indent)
