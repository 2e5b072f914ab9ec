# SPDX-License-Identifier: MIT
"""A power cut loses what was not fsynced; SIGKILL never does. Every state that may be left, healed and judged."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple, Optional

import pytest
import scenarios
from ansible.module_utils.survivor_npz.common import durable
from ansible.module_utils.survivor_npz.common.errors import SwitchError
from ansible.module_utils.survivor_npz.convert import api
from ansible.module_utils.survivor_npz.switch import stage, switch
from ansible.module_utils.survivor_npz.switch.cleanup import clean
from ansible.module_utils.survivor_npz.switch.leftovers import leftovers
from ansible.module_utils.survivor_npz.switch.live import sidecar_sha256
from ansible.module_utils.survivor_npz.switch.names import Names
from ansible.module_utils.survivor_npz.switch.ownership import Ownership
from ansible.module_utils.survivor_npz.switch.pin import is_pinned
from place import JSON, NPZ, Place, sha256
from powerloss import Disk, Event, State, lay, left_by, record

OLD_MODE, NEW_MODE, PIN = 0o644, 0o640, {"path": "x.json", "size": 1, "mtime_ns": 2}
OWNED = Ownership(os.geteuid(), os.getegid(), NEW_MODE)


class Case(NamedTuple):
    """An action from a start, and what one healthy run does after a power cut in it.

    Attributes:
        start: fills the directory; returns the SHA-256 that is live then and the one that the action brings.
        act: the action, as a healthy run does it again.
        settled: asserts what must hold once it has succeeded.
        unsynced: a file at the start that another program (`copy`) has just written and not flushed.
    """

    start: Callable[[Place], tuple[Optional[str], str]]
    act: Callable[[Place, Optional[str], str], object]
    settled: Callable[[Place, Optional[str], str], None]
    unsynced: bool = False
    drops: bool = False  # the action means to remove what was live


def convert(place: Place, activate: bool = True) -> api.Outcome:
    return api.run(api.Options(str(place.json), str(place.npz), workers=1, activate=activate))


def started(prepare: Callable[[Place], None]) -> Callable[[Place], tuple[Optional[str], str]]:
    def start(place: Place) -> tuple[Optional[str], str]:
        prepare(place)
        outcome = api.run(api.Options(str(place.json), str(place.npz), workers=1, check=True))
        return place.live(), outcome.sha256

    return start


def is_kept(place: Place, old: Optional[str]) -> bool:
    """Whether the old bytes can be recovered."""
    return old is None or any(
        sha256(path.read_bytes()) == old for path in place.directory.iterdir() if path.is_file()
    )


def converted(place: Place, old: Optional[str], new: str) -> None:
    place.check_settled(new)
    assert old in (None, new) or sha256(Path(place.names.previous).read_bytes()) == old


def staged_only(place: Place, old: Optional[str], new: str) -> None:
    assert place.live() == old
    assert sha256(Path(place.names.staged(new)).read_bytes()) == new
    assert sidecar_sha256(place.names.pending(new)) == new


def rig(place: Place) -> tuple[Optional[str], str]:
    """A rig: an older NPZ is live, `copy` has just brought the new one."""
    place.npz.write_bytes(b"the old bytes")
    place.npz.chmod(OLD_MODE)
    Path(place.names.staged(sha256(b"the new bytes"))).write_bytes(b"the new bytes")
    return sha256(b"the old bytes"), sha256(b"the new bytes")


def switch_rig(place: Place, old: Optional[str], new: str) -> None:
    """As the playbook does it: `copy` where the bytes are missing, stage, activate."""
    clean(place.names, [new], sidecars=False)
    staged = place.names.staged(new)
    if place.live() != new and not (os.path.exists(staged) and sha256(Path(staged).read_bytes()) == new):
        Path(staged).write_bytes(b"the new bytes")
    if place.live() != new:
        part: dict[str, Any] = {
            "directories": [],
            "restore": [],
            "receive": staged,
            "spread": [],
            "source": staged,
        }
        stage.stage({**part, "switch": [{"path": str(place.npz)}]}, new, OWNED, "")
    switch.activate(place.names, new, replaces=place.live(), owned=OWNED)
    clean(place.names, sidecars=False)


def switched_rig(place: Place, old: Optional[str], new: str) -> None:
    assert (place.live(), place.npz.stat().st_mode & 0o777) == (new, NEW_MODE)
    assert sha256(Path(place.names.previous).read_bytes()) == old
    assert leftovers(place.names) == []


def updated(place: Place) -> tuple[str, str]:
    """Zeus after a switch: what was live before, and what is live now."""
    scenarios.outdated(place)
    old = str(place.live())
    new = convert(place).sha256
    return old, new


def to_revert(place: Place) -> tuple[Optional[str], str]:
    old, new = updated(place)
    return new, old


def go_back(place: Place, new: Optional[str], old: str) -> None:
    """`new` is live; the fleet goes back to `old`."""
    switch.revert(place.names, str(new), old, sidecars=True)
    clean(place.names, sidecars=True)


def gone_back(place: Place, new: Optional[str], old: str) -> None:
    assert place.live() == old
    assert sidecar_sha256(place.names.sidecar) == old
    assert leftovers(place.names) == []


def roll_back(place: Place, new: Optional[str], old: str) -> None:
    clean(place.names, [old], sidecars=True)
    if place.live() != old:
        try:
            switch.stage_previous(place.names, old, sidecars=True)
        except SwitchError:
            assert sha256(Path(place.names.staged(old)).read_bytes()) == old
    switch.activate(place.names, old, replaces=place.live(), sidecars=True, pin=dict(PIN), owned=OWNED)
    clean(place.names, sidecars=True)


def rolled_back(place: Place, new: Optional[str], old: str) -> None:
    gone_back(place, new, old)
    assert is_pinned(place.names, old, (1, 2))
    info = place.npz.stat()
    assert (info.st_mtime_ns, info.st_mode & 0o777) == (2, NEW_MODE)
    assert sha256(Path(place.names.previous).read_bytes()) == new


def pinning(place: Place) -> tuple[Optional[str], str]:
    """The right bytes are live already, without pin, mtime and mode."""
    scenarios.outdated(place)
    return place.live(), str(place.live())


def pinned(place: Place, _old: Optional[str], new: str) -> None:
    gone_back(place, new, new)
    assert is_pinned(place.names, new, (1, 2))
    assert (place.npz.stat().st_mtime_ns, place.npz.stat().st_mode & 0o777) == (2, NEW_MODE)


def zeus(place: Place) -> tuple[Optional[str], str]:
    scenarios.outdated(place)
    old = place.live()
    return old, convert(place, activate=False).sha256


CASES = {
    "first conversion": Case(started(scenarios.empty), lambda place, _old, _new: convert(place), converted),
    "conversion": Case(started(scenarios.outdated), lambda place, _old, _new: convert(place), converted),
    "touched JSON": Case(started(scenarios.touched), lambda place, _old, _new: convert(place), converted),
    "staged conversion": Case(
        started(scenarios.outdated), lambda place, _old, _new: convert(place, activate=False), staged_only
    ),
    "switch of Zeus": Case(zeus, lambda place, _old, _new: convert(place), converted),
    "switch of a rig": Case(rig, switch_rig, switched_rig, unsynced=True),
    "revert": Case(to_revert, go_back, gone_back, drops=True),
    "rollback": Case(to_revert, roll_back, rolled_back),
    "pin": Case(pinning, roll_back, pinned),
}


class Played(NamedTuple):
    """A case, recorded: its start on disk, its steps, the two digests."""

    case: Case
    directory: Path
    events: list[Event]
    old: Optional[str]
    new: str

    def disk(self) -> Disk:
        """The directory at the start."""
        found = Disk(self.directory)
        if self.case.unsynced:
            found.inodes[
                found.now[os.path.basename(Names(str(self.directory / NPZ)).staged(self.new))]
            ].synced = None
        return found


def play(name: str, where: Path) -> Played:
    case, place = CASES[name], Place(where / "start")
    old, new = case.start(place)
    acting = Place(where / "act")
    shutil.rmtree(acting.directory)
    shutil.copytree(place.directory, acting.directory)
    events = record(lambda: case.act(acting, old, new))
    case.settled(acting, old, new)
    return Played(case, place.directory, events, old, new)


def judge(played: Played, state: State, where: Path, done: bool) -> None:
    """Assert what must hold in a state, and after one healthy run from there."""
    shutil.rmtree(where, ignore_errors=True)
    place = Place(where)
    lay(state, where)
    if done:
        played.case.settled(place, played.old, played.new)
    assert place.live() in (played.old, played.new), "live is neither the old nor the new NPZ"
    assert played.case.drops or is_kept(place, played.old), "the old bytes are lost"
    played.case.act(place, played.old, played.new)
    played.case.settled(place, played.old, played.new)


def fault_of(played: Played, state: State, where: Path, done: bool) -> str:
    try:
        judge(played, state, where, done)
    except (AssertionError, SwitchError, OSError, ValueError) as fault:
        files = ", ".join(f"{name} ({len(left.content)} B)" for name, left in state if name != JSON)
        return f"{'after success' if done else 'during'}: {fault!r} from {files}"
    return ""


@pytest.fixture(autouse=True)
def _no_real_fsync(monkeypatch: pytest.MonkeyPatch) -> None:
    """What reaches the disk is the model's business here."""
    monkeypatch.setattr(durable.os, "fsync", lambda _descriptor: None)


def faults(played: Played, where: Path, without: str = "") -> tuple[int, list[str]]:
    """Number of states, and what is wrong with them; `without` the fsyncs of this place, up to the first fault."""
    events = [
        event for event in played.events if not (event.what.startswith("fsync") and event.site == without)
    ]
    during, after = left_by(played.disk(), events)
    states = [(state, state in after) for state in during]
    found = []
    for state, done in states:
        fault = fault_of(played, state, where, done)
        if fault:
            found.append(fault)
            if without:
                break
    return len(states), found


@pytest.mark.parametrize("name", CASES)
def test_a_power_cut_loses_what_success_promised(name: str, tmp_path: Path) -> None:
    number, found = faults(play(name, tmp_path), tmp_path / "run")
    print(f"{name}: {number} states")
    assert found == [], f"{len(found)} of {number}:\n" + "\n".join(found[:5])
    assert number > 2


def test_an_fsync_that_nobody_needs(tmp_path: Path) -> None:
    """Each place that asks for an fsync: without it some state breaks a rule."""
    needed: dict[str, bool] = {}
    for name in CASES:
        played = play(name, tmp_path / name)
        for site in sorted({event.site for event in played.events if event.what.startswith("fsync")}):
            needed[site] = needed.get(site) or bool(faults(played, tmp_path / "run", without=site)[1])
    assert len(needed) > 10
    assert [site for site, is_needed in needed.items() if not is_needed] == []
