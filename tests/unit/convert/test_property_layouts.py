# SPDX-License-Identifier: MIT
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

SETTINGS = settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))


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
@given(survivors=layouts.of_few_trials(), rng=st.randoms(use_true_random=False), size=st.integers(1, 4000))
def test_text_that_repeats_is_read_as_if_it_did_not(
    place: Place, survivors: List[layouts.Record], rng: random.Random, size: int
) -> None:
    document = layouts.dump(survivors, rng)
    with pieces_of(size):
        judge(place, document, force=True)
    judge(place, document, force=True)


@SETTINGS
@given(survivors=layouts.survivors(max_size=4), rng=st.randoms(use_true_random=False))
def test_a_dry_run_foretells_the_run_and_writes_nothing(
    place: Place, survivors: List[layouts.Record], rng: random.Random
) -> None:
    place.write(layouts.render(survivors, rng))
    before = place.tree()
    foretold = place.run(check=True, force=True)
    assert place.tree() == before
    done = place.run(force=True)
    for key in ("changed", "reason", "sha256", "checksum", "size", "survivor_count", "left_out", "warnings"):
        assert foretold.get(key) == done.get(key), key


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


@pytest.mark.parametrize(("more", "order"), [(0, (0, 1, 2)), (1, (1, 0, 2))])
def test_a_record_may_have_16_mib_and_not_a_byte_more(
    place: Place, more: int, order: "tuple[int, ...]"
) -> None:
    small = list(records(3))
    giant = json.dumps({**small[1], "note": ""})
    giant = giant.replace('"note": "', '"note": "' + "x" * (oracle.MAX_RECORD_BYTES - len(giant) + more))
    texts = [json.dumps(small[0]), giant, json.dumps(small[2])]
    document = "[" + ", ".join(texts[i] for i in order) + "]"
    answer = judge(place, document.encode(), force=True, workers=2)
    assert answer.get("code") == ("record_too_big" if more else None)


@pytest.mark.parametrize("workers", [2, 8])
def test_one_worker_or_eight_give_the_same_bytes(tmp_path: Path, workers: int) -> None:
    place = Place(tmp_path)
    document = json.dumps(list(records(3000)), indent=2).encode()
    with pieces_of(100_003):
        answer = judge(place, document, workers=workers)
    single = Place(tmp_path / "single")
    single.write(document)
    assert answer["sha256"] == single.run()["sha256"]
