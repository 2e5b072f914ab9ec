#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Change the code in one place at a time, and see whether a fast test fails: `make mutants`.

usage: mutants.py [--sample N] [--seed S] [--jobs N] [AREA ...]

Shows each mutant that no test killed, and the kills of each area. Fails where less than 90 % of an area are
killed, or where a survivor is not listed, with its reason, in tests/torture/mutants.toml.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import sys
import threading
import time
from collections import Counter, defaultdict
from typing import NamedTuple

import tomllib
from mutant_tests import ROOT, Tests, judge, server
from mutation import Mutant, mutants

LISTED = ROOT / "tests" / "torture" / "mutants.toml"
CODE = "module_utils/survivor_npz"
AREAS = {
    "switching": ["switch", "common/durable.py"],
    "looking": ["look"],
    "freshness": ["convert/freshness.py"],
    "conversion": ["convert", "arrays", "npz"],
    "supervision": ["run"],
    "fleet": ["controller/fleet"],
    "reading": ["survivors"],
}
DEMANDED = 0.9


class Result(NamedTuple):
    """What became of a mutant: who killed it, "" if nobody did."""

    area: str
    mutant: Mutant
    killed_by: str


def paths_of(area: str) -> list[str]:
    """The files of an area, relative to the checkout; one that another area names is that one's."""
    found: list[str] = []
    for place in AREAS[area]:
        others = {f"{CODE}/{other}" for name, places in AREAS.items() if name != area for other in places}
        path = ROOT / CODE / place
        files = [path] if path.is_file() else sorted(path.rglob("*.py"))
        found += [
            name for name in (file.relative_to(ROOT).as_posix() for file in files) if name not in others
        ]
    return found


def mutants_of(path: str) -> list[Mutant]:
    """All mutants of a file of the checkout."""
    return list(mutants(path, (ROOT / path).read_text(encoding="utf-8")))


def listed() -> dict[str, list[dict[str, str]]]:
    """The list: `named` mutants, and each `survivor`."""
    found: dict[str, list[dict[str, str]]] = tomllib.loads(LISTED.read_text(encoding="utf-8"))
    return found


def key_of(entry: dict[str, str]) -> tuple[str, ...]:
    """How a list names a mutant. It holds as long as the line stands in that function."""
    return (entry["file"], entry["function"], entry["line"], entry.get("change", "*"))


def listed_as(mutant: Mutant) -> tuple[tuple[str, ...], ...]:
    """The two names that a mutant may be listed under: its own, and that of all changes of its line."""
    place = (mutant.path.removeprefix(f"{CODE}/"), mutant.function, mutant.line)
    return (*place, mutant.change), (*place, "*")


class Campaign:
    """Judges mutants in several servers at once."""

    def __init__(
        self, tests: Tests, chosen: list[tuple[str, Mutant]], reasons: dict[tuple[str, ...], str]
    ) -> None:
        self.tests, self.reasons = tests, reasons
        self.waiting = list(reversed(chosen))
        self.results: list[Result] = []
        self.killers: dict[tuple[str, str], Counter[str]] = defaultdict(Counter)
        self._lock = threading.Lock()
        self._began, self._many = time.monotonic(), len(chosen)

    def work(self) -> None:
        """Judge until none is left."""
        with server() as plays:
            while True:
                with self._lock:
                    if not self.waiting:
                        return
                    area, mutant = self.waiting.pop()
                    killers = self.killers[mutant.path, mutant.function]
                    tests = self.tests.of(mutant, killers)
                killed_by = judge(plays, mutant, tests, self.tests.seconds)
                with self._lock:
                    killers[killed_by] += 1
                    self.results.append(Result(area, mutant, killed_by))
                    self._show(mutant, killed_by, len(tests))

    def _show(self, mutant: Mutant, killed_by: str, tests: int) -> None:
        """A survivor as it would be listed, and from time to time how far it is."""
        done = len(self.results)
        if not killed_by:
            reason = next((self.reasons[name] for name in listed_as(mutant) if name in self.reasons), "")
            names = ("file", "function", "line", "change")
            print(f"\n# {'listed' if reason else 'NOT LISTED'}; {tests} tests run this line")
            for name, value in zip(names, listed_as(mutant)[0]):
                print(f"{name} = {json.dumps(value, ensure_ascii=False)}")
            print(f"reason = {json.dumps(reason, ensure_ascii=False)}", flush=True)
        if done % 50 == 0:
            minutes = (time.monotonic() - self._began) / 60
            print(f"\n# {done} of {self._many} in {minutes:.0f} min", file=sys.stderr, flush=True)


def report(results: list[Result], reasons: dict[tuple[str, ...], str]) -> int:
    """The table, and the exit code."""
    faults = []
    print(f"\n{'area':<14}{'mutants':>8}{'killed':>8}{'':>8}{'listed':>8}")
    for area in dict.fromkeys(result.area for result in results):
        own = [result for result in results if result.area == area]
        survivors = [result.mutant for result in own if not result.killed_by]
        listed = sum(any(name in reasons for name in listed_as(mutant)) for mutant in survivors)
        killed = len(own) - len(survivors)
        print(f"{area:<14}{len(own):>8}{killed:>8}{killed / len(own):>8.1%}{listed:>8}")
        no_test = Counter(result.killed_by for result in own if "::" not in result.killed_by)
        del no_test[""]
        if no_test:
            print(f"{'':<14}of the killed: {', '.join(f'{how} {many}' for how, many in no_test.items())}")
        if killed < DEMANDED * len(own):
            faults.append(f"{area}: less than {DEMANDED:.0%} were killed")
        if listed < len(survivors):
            faults.append(f"{area}: {len(survivors) - listed} survivors are not listed in {LISTED.name}")
    print("\n".join(["", *faults]))
    return 1 if faults else 0


def main() -> int:
    """Entry point."""
    parser = argparse.ArgumentParser(prog="make mutants")
    parser.add_argument("areas", nargs="*", metavar="AREA", help=", ".join(AREAS))
    parser.add_argument("--sample", type=int, help="so many mutants of each area, not all")
    parser.add_argument("--seed", default="1", help="another one draws another sample")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    asked = parser.parse_args()
    chosen: list[tuple[str, Mutant]] = []
    for area in asked.areas or AREAS:
        found = [mutant for path in paths_of(area) for mutant in mutants_of(path)]
        if asked.sample and asked.sample < len(found):
            found = random.Random(f"{asked.seed} {area}").sample(found, asked.sample)  # noqa: S311 - no secret
        chosen += [(area, mutant) for mutant in found]
    reasons = {key_of(entry): entry["reason"] for entry in listed()["survivor"]}
    tests = Tests([path for area in AREAS for path in paths_of(area)])
    for name in tests.left_out:
        print(f"# left out, as it fails with probes in the code: {name}")
    campaign = Campaign(tests, chosen, reasons)
    workers = [threading.Thread(target=campaign.work) for _ in range(asked.jobs)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    if campaign.waiting:
        sys.exit("mutants: stopped before the end")
    return report(campaign.results, reasons)


if __name__ == "__main__":
    sys.exit(main())
