# SPDX-License-Identifier: MIT
"""Stop the converter before and after every step that it takes on the disk, and look at what is left."""

from __future__ import annotations

import os
import shutil
import signal
from pathlib import Path
from typing import Any, Callable, List, Optional

from ansible.module_utils.survivor_npz.common import durable
from module_run import in_fork
from place import Place, sha256

Prepare = Callable[[Place], None]


def steps_of(place: Place, **more: Any) -> List[str]:
    """Every step of one run, before and after each: ["before create x", "after create x", …]."""

    def run() -> List[str]:
        seen: List[str] = []
        durable.observer = lambda when, what, path, _taken: seen.append(
            f"{when} {what} {os.path.basename(path)}"
        )
        answer = place.run(**more)
        assert not answer.get("failed"), answer
        return seen

    _signal, seen = in_fork(run)
    return list(seen)


def stop_at(place: Place, number: int, **more: Any) -> bool:
    """Run and SIGKILL the run at step `number`; tell if it got there."""

    def run() -> None:
        main, left = os.getpid(), [number]

        def observe(_when: str, _what: str, _path: str, _taken: object) -> None:
            if os.getpid() == main:
                if left[0] == 0:
                    os.kill(main, signal.SIGKILL)
                left[0] -= 1

        durable.observer = observe
        place.run(**more)

    ended_by, _ = in_fork(run)
    return ended_by == signal.SIGKILL


class Scenario:
    """A start on disk and a run from there.

    Args:
        prepare: fills the directory.
        more: arguments of the run that is stopped.
    """

    def __init__(self, name: str, where: Path, prepare: Prepare, **more: Any) -> None:
        self.name, self.where, self.more = name, where, more
        self.origin = Place(where / "origin")
        prepare(self.origin)
        self.before = self.origin.live()
        reference = self.copy("reference")
        answer = reference.run(**{**more, "activate": True})
        assert not answer.get("failed"), answer
        self.after = str(reference.live())
        self.steps = steps_of(self.copy("steps"), **more)

    def copy(self, name: str) -> Place:
        """A fresh copy of the start, times kept."""
        target = self.where / name
        shutil.rmtree(target, ignore_errors=True)
        shutil.copytree(self.origin.directory, target, symlinks=True)
        for path in sorted(self.origin.directory.rglob("*")):
            stat = path.lstat()
            os.utime(
                target / path.relative_to(self.origin.directory),
                ns=(stat.st_atime_ns, stat.st_mtime_ns),
                follow_symlinks=False,
            )
        return Place(target)

    def check(self, *numbers: int) -> None:
        """Stop one run after another at these steps, then run to the end; assert what must hold."""
        place = self.copy("run")
        for number in numbers:
            stop_at(place, number, **self.more)
            self.check_after_stop(place)
        self.check_healed(place)

    def check_after_stop(self, place: Place) -> None:
        """What holds right after a kill."""
        activates = self.more.get("activate", True)
        place.check_untouched_or_done(self.before, self.after if activates else self.before)

    def check_healed(self, place: Place) -> None:
        """Run to the end; what holds then, and that one more run changes nothing."""
        answer = place.run(**self.more)
        assert not answer.get("failed"), answer
        if self.more.get("activate", True):
            place.check_settled(self.after)
            self._check_way_back(place)
        else:
            assert place.live() == self.before
            self._check_staged(place, answer)
        place.check_idle(**{key: value for key, value in self.more.items() if key != "force"})

    def _check_way_back(self, place: Place) -> None:
        if self.before not in (None, self.after):
            previous = Path(place.names.previous)
            assert previous.exists(), "the way back is gone"
            assert sha256(previous.read_bytes()) == self.before

    def _check_staged(self, place: Place, answer: dict[str, Any]) -> None:
        if self.before == self.after:
            assert answer["staged"] is None
            return
        staged = place.names.staged(self.after)
        assert answer["staged"] == staged
        assert sha256(Path(staged).read_bytes()) == self.after
        pending = place.names.pending(self.after)
        assert place.leftovers() == sorted(os.path.basename(path) for path in (staged, pending))


def fault_of(scenario: Scenario, *numbers: int) -> Optional[str]:
    """What a stop at these steps breaks, with the names of the steps; None when nothing."""
    try:
        scenario.check(*numbers)
    except (AssertionError, ValueError, KeyError, OSError) as fault:
        where = ", then ".join(f"{number} {scenario.steps[number]!r}" for number in numbers)
        return f"{scenario.name}: killed at {where}: {fault!r}"
    return None


def exhaust(scenario: Scenario) -> List[str]:
    """Stop at every step in turn; return the faults."""
    faults = [fault_of(scenario, number) for number in range(len(scenario.steps))]
    return [fault for fault in faults if fault]
