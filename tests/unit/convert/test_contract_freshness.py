# SPDX-License-Identifier: MIT
"""Contract, section 5: when to convert, and when not."""

import hashlib
import json
import os
import shutil
import time
from pathlib import Path
from typing import Any, Callable, Optional

import numpy as np
import pytest
from ansible.module_utils.survivor_npz.common.errors import ConvertError
from ansible.module_utils.survivor_npz.convert import api, freshness
from ansible.module_utils.survivor_npz.switch import switch
from ansible.module_utils.survivor_npz.switch.names import Names
from shapes import Bench, shape_c

T0 = 1_700_000_000_000_000_007
SECOND = 10**9


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    """A JSON of an odd nanosecond, converted."""
    made = Bench(tmp_path)
    made.json.write_text(json.dumps([shape_c(1), shape_c(2)]))
    os.utime(made.json, ns=(T0, T0))
    assert made.again().reason == "missing"
    return made


def touch(path: Path, mtime_ns: int) -> None:
    os.utime(path, ns=(mtime_ns, mtime_ns))


def rewrite(bench: Bench, mtime_ns: int) -> None:
    bench.json.write_text(json.dumps([shape_c(1), shape_c(3)]))
    touch(bench.json, mtime_ns)


def test_the_npz_has_the_mtime_of_its_json(bench: Bench) -> None:
    assert bench.npz.stat().st_mtime_ns == T0
    outcome = bench.again()
    assert (outcome.reason, list(outcome.elapsed)) == ("fresh", ["decide", "total"])
    assert outcome.source["sha256"] == hashlib.sha256(bench.json.read_bytes()).hexdigest()


@pytest.mark.parametrize(
    ("ahead", "reason"), [(0, "fresh"), (1, "newer"), (-1, "content"), (SECOND, "newer")]
)
def test_newer_is_decided_by_single_nanoseconds(bench: Bench, ahead: int, reason: str) -> None:
    touch(bench.json, T0 + ahead)
    outcome = bench.again()
    assert (outcome.reason, outcome.changed) == (reason, reason != "fresh")
    assert bench.again().reason == "fresh"


def test_a_touched_json_gives_the_same_bytes(bench: Bench) -> None:
    before = bench.npz.read_bytes()
    touch(bench.json, T0 + SECOND)
    outcome = bench.again(activate=False)
    assert (outcome.changed, outcome.staged) == (True, None)
    assert outcome.sha256 == outcome.live_sha256
    assert bench.npz.read_bytes() == before
    assert bench.names() == ["s.json", "s.meta.json", "s.npz"]
    umask = os.umask(0)
    os.umask(umask)
    assert bench.npz.with_name("s.meta.json").stat().st_mode & 0o7777 == 0o666 & ~umask
    assert bench.again().reason == "fresh"


def test_an_older_file_restored_over_a_newer_one_is_seen(bench: Bench) -> None:
    rewrite(bench, T0 - 3600 * SECOND)
    assert bench.again().reason == "content"
    assert bench.arrays()["seeds"].tolist() == [1, 3]
    assert bench.again().reason == "fresh"


def three_arrays(path: Path) -> None:
    with path.open("wb") as file:
        np.savez(
            file, seeds=np.arange(3, dtype="u4"), forward_matches=np.zeros(3), reverse_matches=np.zeros(3)
        )


def flipped(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 0x10
    path.write_bytes(data)


def halved(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def emptied(path: Path) -> None:
    path.write_bytes(b"")


@pytest.mark.parametrize(
    ("damage", "reason"),
    [(three_arrays, "schema"), (flipped, "corrupt"), (halved, "corrupt"), (emptied, "corrupt")],
)
@pytest.mark.parametrize("sidecar", ["kept", "gone"])
def test_a_damaged_or_old_npz_is_made_again(
    bench: Bench, damage: Callable[[Path], None], reason: str, sidecar: str
) -> None:
    good = bench.npz.read_bytes()
    damage(bench.npz)
    touch(bench.npz, T0)
    if sidecar == "gone":
        (bench.npz.parent / "s.meta.json").unlink()
    assert bench.again().reason == reason
    assert bench.npz.read_bytes() == good
    assert bench.again().reason == "fresh"


def test_another_table_than_the_one_asked_for_converts(bench: Bench) -> None:
    assert bench.again(prng_encoding="legacy").reason == "schema"
    assert bench.again(prng_encoding="legacy").reason == "fresh"


@pytest.mark.parametrize(
    "sidecar", [None, "[]", "{", '{"version": "3.1.0", "survivor_count": 2}', '{"npz_sha256": "00"}']
)
def test_an_npz_of_somebody_else_is_left_as_it_is(bench: Bench, sidecar: Optional[str]) -> None:
    path = bench.npz.parent / "s.meta.json"
    path.unlink()
    if sidecar is not None:
        path.write_text(sidecar)
    doubled = {name: array.repeat(2) for name, array in bench.arrays().items()}
    with bench.npz.open("wb") as file:
        np.savez_compressed(file, **dict[str, Any](doubled))
    touch(bench.npz, T0 + SECOND)
    before = bench.npz.read_bytes()
    outcome = bench.again()
    assert (outcome.reason, outcome.changed, outcome.survivor_count) == ("fresh", False, 4)
    assert outcome.foreign
    assert any("java_lcg" in text and "survivor_npz_force=true" in text for text in outcome.warnings)
    assert bench.npz.read_bytes() == before
    assert bench.again(force=True).reason == "forced"
    again = bench.again()
    assert (again.foreign, again.warnings) == (False, [])


def test_a_pin_holds_while_the_json_is_the_one_that_it_ignored(bench: Bench) -> None:
    names = Names(str(bench.npz))
    first = bench.again().sha256
    rewrite(bench, T0 + SECOND)
    second = bench.again().sha256
    switch.stage_previous(names, first, sidecars=True)
    switch.activate(names, first, replaces=second, sidecars=True, pin=bench.source())
    outcome = bench.again()
    assert (outcome.reason, outcome.changed, outcome.sha256) == ("pinned", False, first)
    touch(bench.json, T0 + 2 * SECOND)
    assert bench.again().reason == "newer"
    assert not Path(names.pinned).exists()
    assert bench.again().sha256 == second


def test_garbage_that_a_rollback_brought_stayed_pinned_for_good(bench: Bench) -> None:
    names = Names(str(bench.npz))
    bench.again()
    bench.npz.write_bytes(b"not an NPZ")
    touch(bench.npz, T0 + SECOND)
    switch.write_pin(names, hashlib.sha256(b"not an NPZ").hexdigest(), bench.source())
    outcome = bench.again()
    assert (outcome.reason, outcome.changed) == ("corrupt", True)
    assert not Path(names.pinned).exists()


def test_a_staged_file_of_a_dead_run_is_taken_up(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    rewrite(bench, T0 + SECOND)
    first = bench.again(activate=False)
    assert (first.reason, first.changed) == ("newer", True)
    monkeypatch.setattr(api, "_make", None)
    again = bench.again(activate=False)
    assert (again.reason, again.changed, again.staged, again.sha256) == (
        "newer",
        False,
        first.staged,
        first.sha256,
    )
    activated = bench.again()
    assert (activated.changed, activated.sha256, activated.staged) == (True, first.sha256, None)
    assert bench.again().reason == "fresh"


@pytest.mark.parametrize("staged", [False, True])
def test_too_few_survivors_replace_the_npz_or_stay_staged(bench: Bench, staged: bool) -> None:
    rewrite(bench, T0 + SECOND)
    if staged:
        bench.again(activate=False)
    before = bench.npz.read_bytes()
    with pytest.raises(ConvertError, match=r"^2 survivors, at least 3 are needed") as refusal:
        bench.again(min_survivors=3)
    assert (refusal.value.code, bench.npz.read_bytes()) == ("too_few", before)
    assert bench.names() == ["s.json", "s.meta.json", "s.npz"]
    assert bench.again(min_survivors=2).changed


@pytest.mark.parametrize("what", ["json", "staged", "encoding"])
def test_a_staged_file_that_does_not_fit_is_not_taken_up(bench: Bench, what: str) -> None:
    rewrite(bench, T0 + SECOND)
    staged = bench.again(activate=False).staged
    assert staged
    if what == "json":
        bench.json.write_text(json.dumps([shape_c(9)]))
        touch(bench.json, T0 + 2 * SECOND)
    elif what == "staged":
        shutil.copy(bench.json, staged)
    outcome = bench.again(prng_encoding="legacy" if what == "encoding" else "registry")
    assert list(outcome.elapsed) == ["decide", "read", "pack", "digest", "write", "total"]
    assert [name for name in bench.names() if name.endswith((".staged", ".pending"))] == []


def test_a_pending_sidecar_of_the_live_npz_rolls_forward(bench: Bench) -> None:
    names = Names(str(bench.npz))
    os.rename(names.sidecar, names.pending(bench.again().sha256))
    outcome = bench.again()
    assert outcome.reason == "fresh"
    assert bench.names() == ["s.json", "s.meta.json", "s.npz"]
    assert outcome.warnings == []


@pytest.mark.parametrize("key", ["source", "left_out", "defaulted", "warnings", "survivor_count"])
def test_a_sidecar_that_somebody_edited_badly_counts_as_none(bench: Bench, key: str) -> None:
    path = bench.npz.parent / "s.meta.json"
    path.write_text(json.dumps({**bench.sidecar(), key: "nonsense"}))
    outcome = bench.again()
    assert (outcome.reason, outcome.changed) == ("fresh", False)
    assert any("unknown" in text for text in outcome.warnings)


def test_a_symlink_that_needs_no_conversion_is_followed(bench: Bench) -> None:
    owned = bench.npz.with_name("owned.npz")
    os.rename(bench.npz, owned)
    bench.npz.symlink_to(owned.name)
    outcome = bench.again()
    assert (outcome.reason, outcome.live_is_symlink) == ("fresh", True)
    touch(bench.json, T0 + SECOND)
    with pytest.raises(ConvertError, match="survivor_npz_convert: never") as caught:
        bench.again()
    assert caught.value.code == "symlink"


def test_the_sidecar_proves_what_the_npz_was_made_from(bench: Bench) -> None:
    sidecar = bench.sidecar()
    assert sidecar["npz_sha256"] == hashlib.sha256(bench.npz.read_bytes()).hexdigest()
    assert sidecar["source"] == {
        "path": str(bench.json),
        "size": bench.json.stat().st_size,
        "mtime_ns": T0,
        "sha256": hashlib.sha256(bench.json.read_bytes()).hexdigest(),
    }
    sizes = bench.json.stat().st_size, bench.npz.stat().st_size
    assert (sidecar["input_size_bytes"], sidecar["output_size_bytes"]) == sizes
    assert time.strptime(sidecar["converted_at"], "%Y-%m-%dT%H:%M:%SZ") <= time.gmtime()
    assert sidecar["compression_ratio"] == round(sizes[0] / sizes[1], 3)
    for key in [
        "version",
        "source_file",
        "output_file",
        "survivor_count",
        "forward_matches_source",
        "reverse_matches_source",
        "arrays",
        "array_count",
    ]:
        assert key in sidecar
    assert sum(len(names) for names in sidecar["arrays"].values()) == sidecar["array_count"] == 22
    assert sidecar["encodings"]["skip_mode"] == {"constant": 0, "variable": 1}
    assert sidecar["encodings"]["prng_type"]["java_lcg"] == 0


def test_a_look_sent_a_fresh_fleet_through_the_converter(bench: Bench) -> None:
    def due() -> bool:
        return bool(freshness.foresee(str(bench.json), str(bench.npz), False, "registry")["due"])

    assert not due()
    # What an interrupted run left is the converter's work too.
    left = bench.npz.with_name(".s.npz.0123456789abcdef.staged")
    left.write_bytes(b"")
    assert due()
    left.unlink()
    bench.json.unlink()
    assert due()
