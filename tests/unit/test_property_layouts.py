"""Any valid list of survivors, in any layout that JSON allows, survives the conversion."""

import json
import random
from pathlib import Path
from typing import List

import layouts
import oracle
import pytest
from campaign import scratch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pieces import pieces_of
from place import Place, arrays_of, difference, judge, sha256
from survivors import records

SETTINGS = settings(max_examples=120, deadline=None, suppress_health_check=list(HealthCheck))


@pytest.fixture(scope="module")
def place() -> Place:
    return Place(Path(scratch()))


@SETTINGS
@given(survivors=layouts.survivors(), rng=st.randoms(use_true_random=False))
def test_no_layout_value_or_unknown_key_changes_the_arrays(
    place: Place, survivors: List[layouts.Record], rng: random.Random
) -> None:
    judge(place, layouts.render(survivors, rng), force=True)


@SETTINGS
@given(survivors=layouts.survivors(max_size=30), rng=st.randoms(use_true_random=False), data=st.data())
def test_piece_size_and_workers_change_no_byte(
    place: Place, survivors: List[layouts.Record], rng: random.Random, data: st.DataObject
) -> None:
    document = layouts.render(survivors, rng)
    place.write(document)
    digests = set()
    for workers in (1, 1, 2):
        with pieces_of(data.draw(st.one_of(st.integers(1, 64), st.integers(64, 100_000)))):
            answer = place.run(force=True, workers=workers)
        assert not answer.get("failed"), answer
        digests.add(answer["sha256"])
        assert answer["sha256"] == sha256(place.npz.read_bytes())
    assert len(digests) == 1
    assert not difference(arrays_of(place.npz.read_bytes()), oracle.convert(document).arrays)


@pytest.mark.parametrize("workers", [1, 2, 3, 8])
def test_one_worker_or_eight_give_the_same_bytes(tmp_path: Path, workers: int) -> None:
    place = Place(tmp_path)
    document = json.dumps(list(records(3000)), indent=2).encode()
    with pieces_of(100_003):
        answer = judge(place, document, workers=workers)
    single = Place(tmp_path / "single")
    single.write(document)
    assert answer["sha256"] == single.run()["sha256"]
