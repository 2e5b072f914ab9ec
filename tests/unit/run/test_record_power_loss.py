# SPDX-License-Identifier: MIT
"""A power cut at any moment while a run, a lease or a proof is recorded; see tests/support/powerloss.py."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from ansible.module_utils.survivor_npz.run import control, proven
from ansible.module_utils.survivor_npz.run.supervise import lease
from ansible.module_utils.survivor_npz.run.supervise.home import make_private
from ansible.module_utils.survivor_npz.run.supervise.run import Run
from powerloss import Disk, Event, State, lay, left_by

A, B = "a" * 64, "b" * 64


class Steps:
    """Notes what is done below a directory through `os`, as `durable` would report it; nothing is flushed."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, below: Path) -> None:
        self.found: list[tuple[str, Event]] = []  # with the directory
        self._below = str(below)
        self._open, self._replace, self._mkdir = os.open, os.replace, os.mkdir
        for name in ("open", "replace", "mkdir", "fsync"):
            monkeypatch.setattr(os, name, getattr(self, f"_{name}_noted"))

    def _note(self, what: str, path: str, taken: object = None) -> None:
        if path.startswith(self._below):
            folder, _, name = path.rpartition("/")
            self.found.append((path if what == "fsync_dir" else folder, Event(what, name, taken, "")))

    def _open_noted(self, path: Any, flags: int, *args: Any, **more: Any) -> int:
        is_new = bool(flags & os.O_CREAT) and not os.path.lexists(path)
        descriptor = self._open(path, flags, *args, **more)
        if is_new:
            self._note("create", str(path))
        return descriptor

    def _fsync_noted(self, descriptor: int) -> None:
        path = os.readlink(f"/proc/self/fd/{descriptor}")
        if os.path.isdir(path):
            self._note("fsync_dir", path)
            return
        self._note("write", path, Path(path).read_bytes())
        self._note("fsync", path)

    def _replace_noted(self, source: Any, target: Any) -> None:
        self._replace(source, target)
        self._note("rename", str(target), str(source))

    def _mkdir_noted(self, path: Any, *args: Any, **more: Any) -> None:
        self._mkdir(path, *args, **more)
        self._note("mkdir", str(path))

    def of(self, folder: Path, without: tuple[str, str] = ("", "")) -> list[Event]:
        """The steps in one directory, but for the fsyncs of this kind and name."""
        own = [event for place, event in self.found if place == str(folder)]
        return [event for event in own if (event.what, event.name) != without]

    def unsynced(self) -> list[str]:
        """Directories whose own name a power cut could take away at the end."""
        made = [(index, place) for index, (place, event) in enumerate(self.found) if event.what == "mkdir"]
        return [
            f"{place}/{self.found[index][1].name}"
            for index, place in made
            if (place, "fsync_dir") not in [(other, event.what) for other, event in self.found[index:]]
        ]


class Case(NamedTuple):
    """Something that is recorded: the directory of its files, the act, and what a reader may find."""

    folder: Callable[[Path], Path]
    act: Callable[[Path], object]
    read: Callable[[Path], object]
    before: list[object]
    after: object


def a_start(place: Path) -> Run:
    """The supervisor's part of a start, in this process."""
    own = make_private(str(place))
    os.mkdir(f"{own}/runs", 0o700)
    lock = os.open(f"{own}/lock", os.O_RDWR | os.O_CREAT, 0o600)
    run = Run({"dir": str(place), "command": ["true"], "npz": {"sha256": A}}, lock)
    run.started(os.getpid())
    return run


def a_run(place: Path) -> None:
    """A whole run that succeeds."""
    run = a_start(place)
    run.keep(b"trial 1\n")
    run.finish(0, None, set())


def verdict_and_log(place: Path) -> object:
    """What is known of the last run; of a successful one, its log and the times of its lines too."""
    verdict = control.finished(str(place)).get("verdict")
    log, times = (run_folder(place) / name for name in ("log", "times"))
    return verdict if verdict != "ok" else (verdict, log.read_bytes(), len(times.read_bytes()))


def run_folder(place: Path) -> Path:
    (found,) = (place / ".survivor_npz" / "runs").iterdir()
    return found


def a_lease(place: Path) -> None:
    lease.take(str(place), "token", "me@desk", 60, seen=0)
    lease.end(str(place), "token")


def two_proofs(place: Path) -> None:
    for sha256 in (A, B):
        proven.record(str(place), sha256)


ENDED = ("ok", b"trial 1\n", 16)
CASES = {
    "a start": Case(run_folder, a_start, verdict_and_log, [None, "lost"], "lost"),
    "a run": Case(run_folder, a_run, verdict_and_log, [None, "lost", ENDED], ENDED),
    "a lease": Case(
        lambda place: place / ".survivor_npz",
        a_lease,
        lambda place: lease.read(str(place)).get("ended"),
        [None, False, True],
        True,
    ),
    "a proof": Case(
        lambda place: place / ".survivor_npz",
        two_proofs,
        lambda place: proven.proven(str(place)),
        [[], [A], [B, A]],
        [B, A],
    ),
}


def play(case: Case, place: Path, monkeypatch: pytest.MonkeyPatch) -> Steps:
    place.mkdir()
    with monkeypatch.context() as patched:
        steps = Steps(patched, place)
        case.act(place)
    assert case.read(place) == case.after
    return steps


def found_in(case: Case, place: Path, state: State) -> object:
    """What a reader finds after a power cut left this state."""
    folder = case.folder(place)
    for path in folder.iterdir():
        if path.is_file():
            path.unlink()
    lay(state, folder)
    try:
        return case.read(place)
    except (lease.LeaseError, OSError, ValueError) as error:
        return repr(error)


def faults(
    case: Case, place: Path, steps: Steps, without: tuple[str, str] = ("", "")
) -> tuple[int, list[object]]:
    empty = place.parent / "empty"
    empty.mkdir(exist_ok=True)
    during, after = left_by(Disk(empty), steps.of(case.folder(place), without))
    wrong = [found for state in during if (found := found_in(case, place, state)) not in case.before]
    lost = [found for state in after if (found := found_in(case, place, state)) != case.after]
    return len(during), [*wrong, *lost]


@pytest.mark.parametrize("name", CASES)
def test_a_power_cut_loses_a_record_that_was_reported(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    case, place = CASES[name], tmp_path / "pipeline"
    steps = play(case, place, monkeypatch)
    number, found = faults(case, place, steps)
    print(f"{name}: {number} states")
    assert found == []
    assert number > 2
    assert steps.unsynced() == []


def test_an_fsync_of_a_record_that_nobody_needs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each kind of file: without its fsyncs some state breaks a rule."""
    needed: dict[str, bool] = {}
    for name, case in CASES.items():
        place = tmp_path / name / "pipeline"
        place.parent.mkdir()
        steps = play(case, place, monkeypatch)
        for event in dict.fromkeys(steps.of(case.folder(place))):
            if "fsync" in event.what:
                kind = f"{event.what} {re.sub('[0-9]+', 'N', event.name)}"
                wrong = faults(case, place, steps, without=(event.what, event.name))[1]
                needed[kind] = needed.get(kind, False) or bool(wrong)
    assert len(needed) >= 7
    assert [kind for kind, is_needed in needed.items() if not is_needed] == []
