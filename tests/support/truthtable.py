# SPDX-License-Identifier: MIT
"""The one truth table: state of Zeus by state of a rig. docs/development/truth-table.md and its test come from here."""

from __future__ import annotations

from typing import Dict, List, NamedTuple, Tuple


class Zeus(NamedTuple):
    """A state of Zeus. `bytes` is the NPZ that all must get: the live one (A), another (B), or none."""

    meaning: str
    bytes: str
    reason: str
    stops: str = ""


class Rig(NamedTuple):
    """A state of a rig. `holds` is A where its bytes are those that Zeus had live before."""

    meaning: str
    holds: str
    stops: str = ""
    heals: str = ""


ZEUS: Dict[str, Zeus] = {
    "fresh": Zeus("the NPZ was made from the JSON", "A", "fresh"),
    "touched": Zeus("the JSON has a new mtime and the same bytes", "A", "newer"),
    "stale": Zeus("Step 1 wrote a new JSON", "B", "newer"),
    "missing": Zeus("there is no NPZ", "A", "missing"),
    "tampered": Zeus("the NPZ was overwritten with other bytes", "A", "corrupt"),
    "half-staged": Zeus("a run died after it had staged the new conversion", "B", "newer"),
    "no JSON": Zeus("Step 1 has not run", "", "", "Run Step 1 (window_optimizer.py) first"),
    "zero survivors": Zeus("the JSON is []", "", "newer", "0 survivors, at least 1"),
}

RIG: Dict[str, Rig] = {
    "fresh": Rig("holds what Zeus had live", "A"),
    "stale": Rig("holds an older NPZ", "C"),
    "missing": Rig("holds no NPZ", ""),
    "tampered": Rig("its NPZ was overwritten with other bytes", "X"),
    "half-staged": Rig(
        "holds an older NPZ, and staged and unfinished files of a dead run", "C", heals="litter"
    ),
    "unreachable": Rig("does not answer", "A", "unreachable"),
    "full disk": Rig("holds an older NPZ, and no room is left", "C", "free, the staged NPZ needs"),
    "read-only": Rig("holds an older NPZ, and its directory can't be written", "C", "is not writable"),
    "wrong owner": Rig("holds what Zeus had live, writable for everybody", "A", heals="mode"),
}

# Every row and every column once: the cells of `make test`. The whole product is part of `make torture`.
SHORT: List[Tuple[str, str]] = [
    ("fresh", "stale"),
    ("touched", "wrong owner"),
    ("stale", "fresh"),
    ("missing", "missing"),
    ("tampered", "tampered"),
    ("half-staged", "half-staged"),
    ("stale", "unreachable"),
    ("stale", "full disk"),
    ("fresh", "read-only"),
    ("no JSON", "stale"),
    ("zero survivors", "stale"),
]


class Cell(NamedTuple):
    """What happens: in a dry run and in a run alike, then at the launch."""

    stops: List[str]
    rig_changes: bool
    zeus_changes: bool

    @property
    def text(self) -> str:
        """The cell as docs/development/truth-table.md shows it."""
        if self.stops:
            return "stops"
        who = [
            name for name, changes in (("Zeus", self.zeus_changes), ("the rig", self.rig_changes)) if changes
        ]
        return f"{' and '.join(who) or 'nobody'} changes, launch" if len(who) < 2 else "both change, launch"


def cell(zeus: str, rig: str) -> Cell:
    """The outcome for one state of Zeus and one of a rig."""
    lead, follower = ZEUS[zeus], RIG[rig]
    stops = [text for text in (lead.stops, follower.stops) if text]
    # An unreachable rig or a read-only directory is found before the JSON is read for its survivors.
    if zeus == "zero survivors" and rig in ("unreachable", "read-only"):
        stops = [follower.stops]
    if zeus == "zero survivors" and rig == "full disk":
        stops = []
    rig_changes = follower.holds != lead.bytes or bool(follower.heals)
    zeus_changes = lead.reason not in ("fresh", "")
    if zeus == "zero survivors" and not stops:
        return Cell(["STOPPED"], False, False)
    return Cell(stops, rig_changes, zeus_changes)


def render() -> str:
    """docs/development/truth-table.md."""
    lines = [
        "# Truth table: state of Zeus by state of a rig",
        "",
        "Made by `python3 tests/support/truthtable.py`, kept true by `tests/playbook/test_truth_table.py`.",
        "`make test` plays each row and each column once, `make torture` the whole product. Each cell is",
        "played twice, with `--check` and for real: the dry run writes nothing, ends as the real run ends,",
        "and names the hosts that the real run changes.",
        "",
        "A launch happens only where every host has then shown the same bytes. *Stops* means: exit code",
        "not 0, the host at fault is named in the last lines, every live NPZ stays what it was, no launch.",
        "The other rig is healthy in all cells.",
        "",
        "| Zeus | |",
        "|---|---|",
        *(f"| {name} | {state.meaning} |" for name, state in ZEUS.items()),
        "",
        "| the rig | |",
        "|---|---|",
        *(f"| {name} | {state.meaning} |" for name, state in RIG.items()),
        "",
        "| the rig ↓, Zeus → | " + " | ".join(ZEUS) + " |",
        "|---" * (len(ZEUS) + 1) + "|",
        *(f"| **{rig}** | " + " | ".join(cell(zeus, rig).text for zeus in ZEUS) + " |" for rig in RIG),
        "",
    ]
    return "\n".join(lines)


if __name__ == "__main__":
    print(render(), end="")
