# SPDX-License-Identifier: MIT
"""Every state of Zeus with every state of a rig: dry run, run and launch (docs/development/truth-table.md)."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from localfleet import NPZ, ROOT, LocalFleet, once
from truthtable import RIG, SHORT, ZEUS, cell, render

BROKEN = "rig-6600b"
GONE = {"ansible_connection": "ssh", "ansible_host": "127.0.0.1", "ansible_port": 1}
LITTER = [f".{NPZ}.{'0' * 16}.staged", f".{NPZ}.tmp.999999999"]

CELLS = [pytest.param(zeus, rig, id=f"{zeus}-{rig}") for zeus, rig in SHORT] + [
    pytest.param(zeus, rig, id=f"{zeus}-{rig}", marks=pytest.mark.slow)
    for zeus in ZEUS
    for rig in RIG
    if (zeus, rig) not in SHORT
]


def build(place: Path) -> None:
    fleet = LocalFleet(place, count=100)
    assert fleet.run("prepare.yml").rc == 0
    older = fleet.root / "older.npz"
    shutil.copy2(fleet.npz("zeus"), older)
    fleet.write_survivors(300)
    assert fleet.run("prepare.yml").rc == 0


@pytest.fixture
def template(tmp_path: Path) -> Path:
    """A converged fleet whose NPZ is A, beside an older one, C."""
    return once(tmp_path, "truth-table", build)


@pytest.fixture
def mounted() -> Iterator[list[Path]]:
    """Directories to unmount at the end."""
    places: list[Path] = []
    yield places
    for place in places:
        subprocess.run(["umount", str(place)], check=False)


def mount(place: Path, mounted: list[Path], *options: str) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root can mount a file system of its own for this")
    done = subprocess.run(["mount", *options, str(place)], check=False, capture_output=True, text=True)
    if done.returncode:
        pytest.skip(f"no mount here: {done.stderr.strip()}")
    mounted.append(place)


def set_zeus(fleet: LocalFleet, state: str) -> None:
    if state == "touched":
        os.utime(fleet.json)
    elif state == "stale":
        fleet.write_survivors(200, seed=7)
    elif state == "missing":
        fleet.npz("zeus").unlink()
    elif state == "tampered":
        stat = fleet.npz("zeus").stat()
        fleet.npz("zeus").write_bytes(b"not an NPZ")
        os.utime(fleet.npz("zeus"), ns=(stat.st_mtime_ns, stat.st_mtime_ns))
    elif state == "half-staged":
        fleet.write_survivors(200, seed=7)
        assert fleet.run("prepare.yml", "--tags", "convert").rc == 0
    elif state == "no JSON":
        fleet.json.unlink()
    elif state == "zero survivors":
        fleet.json.write_text("[]")


def set_rig(fleet: LocalFleet, state: str, mounted: list[Path]) -> None:
    place, live, older = fleet.dir(BROKEN), fleet.npz(BROKEN), (fleet.root / "older.npz").read_bytes()
    if RIG[state].holds == "C" and state != "full disk":
        live.write_bytes(older)
    if state == "missing":
        live.unlink()
    elif state == "tampered":
        live.write_bytes(b"tampered with")
    elif state == "half-staged":
        for name in LITTER:
            (place / name).write_bytes(b"of a dead run")
    elif state == "unreachable":
        fleet.hostvars[BROKEN] = dict(GONE)
    elif state == "full disk":
        mount(place, mounted, "-t", "tmpfs", "-o", "size=32k", "tmpfs")
        live.write_bytes(older)
        with (place / "filler").open("wb", buffering=0) as file, pytest.raises(OSError, match="No space"):
            while True:
                file.write(b"x" * 512)
    elif state == "read-only":
        if os.geteuid():
            place.chmod(0o555)
        else:
            mount(place, mounted, "--bind", str(place))
            mount(place, mounted, "-o", "remount,bind,ro")
    elif state == "wrong owner":
        live.chmod(0o666)


@pytest.mark.parametrize(("zeus", "rig"), CELLS)
def test_cell(tmp_path: Path, template: Path, mounted: list[Path], zeus: str, rig: str) -> None:
    fleet = LocalFleet(tmp_path / "fleet", count=None)
    shutil.copytree(template, fleet.root, dirs_exist_ok=True)
    expected = cell(zeus, rig)
    set_zeus(fleet, zeus)
    set_rig(fleet, rig, mounted)
    live = {host: fleet.sha256(host) for host in fleet.hosts}
    before = fleet.tree()
    dry = fleet.run(check=True)
    assert fleet.tree() == before, "the dry run wrote something"
    run = fleet.run()
    assert (dry.rc == 0) == (run.rc == 0) == (not expected.stops), f"{dry.out}\n{run.out}"
    assert dry.changed == run.changed, f"{dry.out}\n{run.out}"
    if expected.stops:
        assert fleet.starts == []
        assert "Step 2.5 was NOT started" in run.tail
        assert {host: fleet.sha256(host) for host in fleet.hosts} == live
        for text in expected.stops:
            assert text in run.tail, run.tail
            assert text in dry.tail, dry.tail
        return
    assert fleet.starts == ["7"]
    assert (BROKEN in run.changed) == expected.rig_changes, run.out
    assert run.report["convert"]["reason"] == ZEUS[zeus].reason
    assert {fleet.sha256(host) for host in fleet.hosts} == {run.report["convert"]["sha256"]}
    assert fleet.npz(BROKEN).stat().st_mode & 0o777 == 0o644
    left = [name for name in fleet.tree() if any(mark in name for mark in (".staged", ".pending", ".tmp."))]
    assert left == [], "litter of a dead run"
    assert fleet.run("prepare.yml").changed == [], "a second run changes nothing"


def test_the_short_run_misses_a_row_or_a_column() -> None:
    assert {zeus for zeus, _rig in SHORT} == set(ZEUS)
    assert {rig for _zeus, rig in SHORT} == set(RIG)


def test_the_page_differs_from_the_table() -> None:
    page = (ROOT / "docs" / "development" / "truth-table.md").read_text()
    assert page == render(), "python3 tests/support/truthtable.py > docs/development/truth-table.md"
