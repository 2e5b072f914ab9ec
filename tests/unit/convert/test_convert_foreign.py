# SPDX-License-Identifier: MIT
"""An NPZ that another program wrote: what is converted again, what is kept, and what the operator hears."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ansible.module_utils.survivor_npz.npz.inspect import read_info
from ansible.module_utils.survivor_npz.switch import pin
from ansible.module_utils.survivor_npz.switch.names import Names
from shapes import Bench, shape_c

T0 = 1_700_000_000_000_000_007
SECOND = 10**9
EXAMPLE = Path(__file__).resolve().parents[3] / "shared" / "data" / "old-converter.meta.json"


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    made = Bench(tmp_path)
    made.json.write_text(json.dumps([shape_c(1), shape_c(2)]))
    touch(made.json, T0)
    made.again()
    return made


def touch(path: Path, mtime_ns: int) -> None:
    os.utime(path, ns=(mtime_ns, mtime_ns))


def write_with_numpy(bench: Bench, times: int) -> None:
    """Replace the NPZ, in place, by one with each survivor `times` times."""
    arrays: dict[str, Any] = {name: array.repeat(times) for name, array in bench.arrays().items()}
    with bench.npz.open("wb") as file:
        np.savez_compressed(file, **arrays)
    touch(bench.npz, T0)


def local_time(mtime_ns: int) -> str:
    """As the old converter writes it: local, without a zone."""
    return time.strftime("%Y-%m-%dT%H:%M:%S.000000", time.localtime(mtime_ns / SECOND))


def write_as_old_converter(bench: Bench, **changes: Any) -> None:
    """Replace NPZ and sidecar as the pipeline's Step 1 does, right after it wrote the JSON."""
    write_with_numpy(bench, 1)
    touch(bench.npz, T0 + 3 * SECOND)
    content = {
        "version": "3.1.0",
        "source_file": f"/elsewhere/{bench.json.name}",
        "output_file": str(bench.npz),
        "survivor_count": 2,
        "input_size_bytes": bench.json.stat().st_size,
        "output_size_bytes": bench.npz.stat().st_size,
        "converted_at": local_time(T0 + 3 * SECOND),
        **changes,
    }
    (bench.npz.parent / "s.meta.json").write_text(json.dumps(content))


def test_an_npz_that_the_old_converter_made_of_this_json_was_called_fresh(bench: Bench) -> None:
    write_as_old_converter(bench)
    outcome = bench.again(check=True)
    assert (outcome.reason, outcome.changed, outcome.foreign) == ("old_converter", True, False)
    assert bench.again().reason == "old_converter"
    assert bench.again().reason == "fresh"
    assert bench.sidecar()["npz_sha256"] == bench.again().sha256


@pytest.mark.parametrize(
    "changes",
    [
        {"npz_sha256": "00"},
        {"version": "4.0.0"},
        {"version": None},
        {"source_file": "/elsewhere/other.json"},
        {"input_size_bytes": 5},
        {"output_size_bytes": 5},
        {"survivor_count": 3},
        {"converted_at": local_time(T0 - 2 * SECOND)},
        {"converted_at": "yesterday"},
        {"converted_at": 5},
    ],
    ids=str,
)
def test_an_npz_that_only_resembles_the_old_converters_is_kept_with_a_warning(
    bench: Bench, changes: dict[str, Any]
) -> None:
    write_as_old_converter(bench, **changes)
    before = bench.npz.read_bytes()
    outcome = bench.again()
    assert (outcome.reason, outcome.changed, outcome.foreign) == ("fresh", False, True)
    assert len(outcome.warnings) == 1
    assert bench.npz.read_bytes() == before


@pytest.mark.parametrize(
    ("how", "reason"), [("newer", "newer"), ("corrupt", "corrupt"), ("legacy", "old_converter")]
)
def test_the_old_converter_ranks_after_newer_and_corrupt(bench: Bench, how: str, reason: str) -> None:
    write_as_old_converter(bench)
    if how == "newer":
        touch(bench.json, T0 + 9 * SECOND)
    if how == "corrupt":
        with bench.npz.open("ab") as file:
            file.write(b"x")
        touch(bench.npz, T0 + 3 * SECOND)
    more = {"prng_encoding": "legacy"} if how == "legacy" else {}
    assert bench.again(**more).reason == reason


@pytest.mark.skipif(not EXAMPLE.exists(), reason="the field's sidecar in ../shared is not at hand")
def test_the_fields_own_sidecar_of_the_old_converter_is_recognized(bench: Bench) -> None:
    write_as_old_converter(bench)
    sizes = {key: bench.sidecar()[key] for key in ("survivor_count", "input_size_bytes", "output_size_bytes")}
    example = json.loads(EXAMPLE.read_text())
    os.rename(bench.json, bench.json.with_name("bidirectional_survivors.json"))
    bench.json = bench.json.with_name("bidirectional_survivors.json")
    (bench.npz.parent / "s.meta.json").write_text(json.dumps({**example, **sizes}))
    assert bench.again().reason == "old_converter"


@pytest.mark.parametrize("where", ["after the end", "before the start"])
@pytest.mark.parametrize("sidecar", ["kept", "gone"])
def test_a_byte_outside_the_zip_was_distributed_as_a_good_npz(bench: Bench, where: str, sidecar: str) -> None:
    good = bench.npz.read_bytes()
    bench.npz.write_bytes(good + b"x" if where == "after the end" else b"x" + good)
    touch(bench.npz, T0)
    if sidecar == "gone":
        (bench.npz.parent / "s.meta.json").unlink()
    fault = read_info(str(bench.npz)).fault
    assert fault and where in fault
    outcome = bench.again()
    assert outcome.reason == "corrupt" and where in outcome.why
    assert bench.npz.read_bytes() == good


def test_an_npz_other_than_the_recorded_one_was_only_a_note(bench: Bench) -> None:
    write_with_numpy(bench, 2)
    recorded = bench.sidecar()["npz_sha256"][:12]
    outcome = bench.again()
    assert (outcome.reason, outcome.foreign, outcome.survivor_count) == ("fresh", True, 4)
    assert len(outcome.warnings) == 1
    assert str(bench.npz) in outcome.warnings[0]
    assert f"its sidecar records {recorded}" in outcome.warnings[0]


def pin_live(bench: Bench, **more: Any) -> None:
    """Pin the live NPZ against the JSON as it is, with the JSON's mtime, as a rollback does."""
    names, source = Names(str(bench.npz)), bench.source()
    pin.write_pin(names, bench.again(check=True).sha256, source)
    path = Path(names.pinned)
    path.write_text(json.dumps({**json.loads(path.read_text()), **more}))
    touch(bench.npz, source["mtime_ns"])


@pytest.mark.parametrize("mtime_ns", [T0, T0 - SECOND], ids=["the same mtime", "an older mtime"])
def test_a_pin_outlived_the_json_that_it_ignores(bench: Bench, mtime_ns: int) -> None:
    write_with_numpy(bench, 2)
    # It never had a sidecar of this project.
    (bench.npz.parent / "s.meta.json").unlink()
    pin_live(bench)
    assert bench.again().reason == "pinned"
    bench.json.write_text(json.dumps([shape_c(1), shape_c(2), shape_c(3)]))
    touch(bench.json, mtime_ns)
    assert bench.again().reason == "content"
    assert bench.again().reason == "fresh"
    assert not Path(Names(str(bench.npz)).pinned).exists()


def test_an_npz_that_was_only_distributed_stayed_fresh_once_it_had_the_jsons_mtime(bench: Bench) -> None:
    write_with_numpy(bench, 2)
    pin_live(bench, unconverted=True)
    assert bench.again().reason == "content"
    assert bench.again().reason == "fresh"
