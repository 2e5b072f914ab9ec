# SPDX-License-Identifier: MIT
"""What the entry point answers, and what it does with what an earlier run staged."""

from __future__ import annotations

import hashlib
import os
import time
from pathlib import Path

import pytest
from ansible.module_utils.survivor_npz.common.errors import ConvertError
from ansible.module_utils.survivor_npz.convert import api
from ansible.module_utils.survivor_npz.convert.clock import Clock
from ansible.module_utils.survivor_npz.survivors.file import stat_source
from ansible.module_utils.survivor_npz.switch.names import Names
from ansible.module_utils.survivor_npz.switch.pin import write_pin
from shapes import Bench, shape_a, shape_c


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    made = Bench(tmp_path)
    made.convert([shape_c(1), shape_c(2)], activate=False)
    return made


def test_a_json_in_the_place_of_the_sidecar_is_overwritten(tmp_path: Path) -> None:
    source = tmp_path / "s.meta.json"
    source.write_bytes(b"[]")
    refused = pytest.raises(ConvertError, match=f"^src and dest are one file: {source} is the JSON itself")
    with refused as one:
        api.run(api.Options(str(source), str(tmp_path / "s.npz"), workers=1))
    assert (one.value.code, source.read_bytes()) == ("bad_argument", b"[]")


def test_a_dry_run_activates_what_is_staged(bench: Bench) -> None:
    before = bench.names()
    foretold = bench.again(check=True)
    assert (foretold.changed, foretold.staged, bench.names()) == (True, None, before)
    done = bench.again()
    assert list(done.elapsed) == list(foretold.elapsed) == ["decide", "write", "total"]
    assert done._replace(elapsed={}) == foretold._replace(elapsed={})
    assert bench.names() == ["s.json", "s.meta.json", "s.npz"]


def test_force_takes_up_what_is_staged(bench: Bench) -> None:
    forced = bench.again(force=True, activate=False)
    assert (forced.changed, "read" in forced.elapsed) == (True, True)
    assert not any("staged" in note for note in forced.notes)
    assert "The conversion that an earlier run staged was used." in bench.again().notes


def test_force_leaves_a_pin_if_the_bytes_are_the_same(bench: Bench) -> None:
    live = bench.again().sha256
    write_pin(Names(str(bench.npz)), live, bench.source())
    assert bench.again().reason == "pinned"
    outcome = bench.again(force=True)
    assert (outcome.reason, outcome.changed, outcome.sha256) == ("forced", True, live)
    assert (bench.names(), bench.again().reason) == (["s.json", "s.meta.json", "s.npz"], "fresh")


@pytest.mark.parametrize("gone", [True, False])
def test_a_conversion_is_compared_with_none_after_a_crash_or_a_loss(tmp_path: Path, gone: bool) -> None:
    bench = Bench(tmp_path)
    names, first = Names(str(bench.npz)), bench.convert([shape_c(i) for i in range(10)])
    if gone:
        bench.npz.unlink()
    else:
        os.rename(names.sidecar, names.pending(first.sha256))
    outcome = bench.convert([shape_c(i) for i in range(4)], check=True)
    assert any("Fewer than half" in warning for warning in outcome.warnings)


def test_an_answer_lacks_the_schema_or_the_time_of_what_was_live(bench: Bench) -> None:
    first, mtime_ns = bench.again(), bench.json.stat().st_mtime_ns
    assert (first.schema_version, first.live_mtime_ns, first.live_count) == (3, None, None)
    os.utime(bench.json, ns=(1, 1))
    second = bench.again()
    assert (second.schema_version, second.live_mtime_ns, second.live_count) == (3, mtime_ns, 2)


def test_warnings_of_a_fresh_npz_are_forgotten(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    warnings = bench.convert([shape_a(1)]).warnings
    fresh = bench.again()
    assert warnings and (fresh.notes, fresh.warnings) == (warnings, [])


def test_a_json_replaced_after_the_first_look_is_recorded_as_the_one_before(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    def replaced(path: str) -> os.stat_result:
        found = stat_source(path)
        bench.json.write_bytes(b"[]  ")
        return found

    monkeypatch.setattr(api, "stat_source", replaced)
    found = api.run(api.Options(str(bench.json), str(bench.npz), workers=1, force=True))
    assert (found.survivor_count, found.staged, found.source["size"]) == (0, None, 4)
    assert found.source["sha256"] == hashlib.sha256(b"[]  ").hexdigest()


def test_seconds_are_counted_from_another_moment(monkeypatch: pytest.MonkeyPatch) -> None:
    now = iter([100.0, 101.0, 103.5, 104.0])
    monkeypatch.setattr(time, "monotonic", lambda: next(now))
    clock = Clock()
    clock.lap("read")
    clock.lap("write")
    assert clock.total() == {"read": 1.0, "write": 2.5, "total": 4.0}
