# SPDX-License-Identifier: MIT
"""The figures of `make bench-fleet` as ratios, each beside its limit."""

from __future__ import annotations

import statistics
from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

from measure import Cost

REFERENCE = 26
# Larger fleets: each ratio at most so many times that of the reference.
LARGER = 1.2
# Smaller ones, where fixed costs dominate: so many seconds more than the bare command.
SMALLER = 2.0
BARE = "bare"
NAMES = {
    "stat": "ansible -m stat",
    "copy": "ansible -m copy, changed",
    "scp": "scp, host after host",
    "rsync": "rsync, host after host",
    "idle": "prepare.yml, nothing to do",
    "changed": "prepare.yml, everything changes",
    "convert": "  of which the conversion, alone",
    "status": "status.yml",
    "refusal": "prepare.yml --limit, refused",
}


class Rule(NamedTuple):
    """What a case is compared with, and the ratios that it must and should reach; 0: none."""

    base: str
    must: float = 0
    goal: float = 0


RULES = {
    "idle": Rule("stat", 1.4, 1.15),
    "changed": Rule("copy", 2.4, 2.0),
    "status": Rule("stat", 1.4),
    "refusal": Rule("stat", 0.7),
    "convert": Rule("copy"),
    "scp": Rule("copy"),
    "rsync": Rule("copy"),
}


@dataclass(frozen=True)
class Setting:
    """One fleet: its rigs, the delay each way in ms, and by round what each one's commands took."""

    hosts: int
    relay: float
    rounds: list[dict[str, dict[str, Cost]]]

    def __str__(self) -> str:
        delay = f", {self.relay:g} ms each way" if self.relay else ""
        return f"{self.hosts} hosts{delay}"

    def who(self) -> list[str]:
        """Whose commands were measured, the bare ones first."""
        return sorted(self.rounds[0], key=lambda name: name != BARE)

    def seconds(self, who: str, case: str) -> list[float]:
        """Wall seconds by round."""
        return [costs[who][case].wall for costs in self.rounds]

    def ratios(self, who: str, case: str, other: str = BARE, base: str = "") -> list[float]:
        """By round, to the command it is compared with: `base`, or the one that its rule names."""
        pairs = zip(self.seconds(who, case), self.seconds(other, base or RULES[case].base))
        return [seconds / bare for seconds, bare in pairs]

    def cpu_ratio(self, who: str, case: str) -> float:
        """The same of CPU seconds, which other work on the machine changes less."""
        base = RULES[case].base
        return statistics.median(costs[who][case].cpu / costs[BARE][base].cpu for costs in self.rounds)


class Verdict(NamedTuple):
    """One limit: what it says, and whether it holds."""

    limit: str
    holds: bool


def verdict(setting: Setting, who: str, case: str, reference: Setting | None) -> Verdict | None:
    """Judge one case; None where nothing is asked of it."""
    rule = RULES.get(case)
    if rule is None or not rule.must:
        return None
    ratio = statistics.median(setting.ratios(who, case))
    if setting.hosts < REFERENCE:
        if case != "idle":
            return None
        pairs = zip(setting.seconds(who, case), setting.seconds(BARE, rule.base))
        extra = statistics.median(seconds - bare for seconds, bare in pairs)
        return Verdict(f"{extra:+.2f} s, at most {SMALLER:+g} s", extra <= SMALLER)
    if setting.hosts == REFERENCE:
        goal = f", goal {rule.goal}" if rule.goal else ""
        return Verdict(f"at most {rule.must}{goal}", ratio <= rule.must)
    known = statistics.median(reference.ratios(who, case)) if reference else rule.must
    of = f"that of {REFERENCE} hosts" if reference else f"the limit for {REFERENCE} hosts"
    return Verdict(f"at most {LARGER} x {of}, {LARGER * known:.2f}", ratio <= LARGER * known)


def reference_of(setting: Setting, settings: Iterable[Setting]) -> Setting | None:
    """The same run's fleet of the reference size with the same delay."""
    found = [one for one in settings if one.hosts == REFERENCE and one.relay == setting.relay]
    return found[0] if found else None


def faults(settings: list[Setting], who: str) -> list[str]:
    """The limits that do not hold for one checkout."""
    return [
        f"{setting}, {NAMES[case]}: {found.limit}"
        for setting in settings
        for case in setting.rounds[0].get(who, {})
        if (found := verdict(setting, who, case, reference_of(setting, settings))) and not found.holds
    ]


def _spread(values: list[float]) -> str:
    return f"{statistics.median(values):.2f} ({min(values):.2f} to {max(values):.2f})"


def _line(setting: Setting, who: str, case: str, reference: Setting | None) -> str:
    seconds = statistics.median(setting.seconds(who, case))
    line = f"  {who:9} {NAMES[case]:33}{seconds:7.2f} s"
    if case in RULES:
        line += f"   {_spread(setting.ratios(who, case))} of {RULES[case].base}"
        line += f", CPU {setting.cpu_ratio(who, case):.2f}"
    found = verdict(setting, who, case, reference)
    return f"{line}: {'holds' if found.holds else 'DOES NOT HOLD'}, {found.limit}" if found else line


def text(settings: list[Setting]) -> str:
    """The tables for the screen: medians of the rounds' ratios, lowest to highest."""
    lines = []
    for setting in settings:
        rounds = len(setting.rounds)
        lines += ["", f"{setting}; rounds: {rounds}; median (lowest to highest), CPU of all hosts"]
        reference = reference_of(setting, settings)
        for who in setting.who():
            cases = [case for case in NAMES if case in setting.rounds[0][who]]
            lines += [_line(setting, who, case, reference) for case in cases]
        first, *others = setting.who()[1:]
        for other in others:
            shared = [case for case in NAMES if case in setting.rounds[0][other]]
            each = [f"{NAMES[c].strip()} {_spread(setting.ratios(first, c, other, c))}" for c in shared]
            lines.append(f"  {first} to {other}: {'; '.join(each)}")
    return "\n".join(lines)
