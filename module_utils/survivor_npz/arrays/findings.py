"""What was noticed while records were read: counts and faults of a piece, a segment, or the whole file."""

from __future__ import annotations

from typing import Dict, List, NamedTuple, Optional

FAULTS_KEPT = 5
# A file with endless distinct unknown keys or names must not fill the memory.
NAMES_KEPT = 1000


class Fault(NamedTuple):
    """One record that the contract refuses: what is wrong with it, its seed where it has one."""

    record: int
    seed: Optional[str]
    what: str

    def __str__(self) -> str:
        seed = "" if self.seed is None else f" (seed {self.seed})"
        return f"record {self.record}{seed}: {self.what}"


class Seen:
    """How many records, and the first of them."""

    __slots__ = ("count", "first")

    def __init__(self, count: int, first: int) -> None:
        self.count = count
        self.first = first


Counts = Dict[str, int]


def _add_counts(into: Counts, more: Counts) -> None:
    for name, count in more.items():
        if name in into or len(into) < NAMES_KEPT:
            into[name] = into.get(name, 0) + count


class Tally:
    """Counts of `records` consecutive records. Indexes are relative to the first of them."""

    def __init__(self) -> None:
        self.records = 0
        self.bad_records = 0
        self.faults: List[Fault] = []
        self.rated: Optional[Seen] = None
        self.unrated: Optional[Seen] = None
        self.missing: Dict[str, Seen] = {}
        self.unknown_prng: Dict[str, Seen] = {}
        self.borrowed: Counts = {}
        self.rounded: Counts = {}
        self.vanished: Counts = {}
        self.hybrid_as_base: Counts = {}
        self.falling: Counts = {}
        self.other_keys: Counts = {}
        self.disagreeing = 0
        self.from_base = 0

    def fault(self, fault: Fault) -> None:
        """Keep one of the first faults: they come in the order of the records, one for each."""
        if len(self.faults) < FAULTS_KEPT:
            self.faults.append(fault)

    def add(self, more: Tally) -> None:
        """Append the tally of the records that follow ours."""
        base = self.records
        self.records += more.records
        self.bad_records += more.bad_records
        for fault in more.faults:
            self.fault(fault._replace(record=base + fault.record))
        self.rated = _join(self.rated, more.rated, base)
        self.unrated = _join(self.unrated, more.unrated, base)
        for ours, theirs in ((self.missing, more.missing), (self.unknown_prng, more.unknown_prng)):
            for name, seen in theirs.items():
                if name in ours or len(ours) < NAMES_KEPT:
                    ours[name] = _join(ours.get(name), seen, base) or seen
        _add_counts(self.borrowed, more.borrowed)
        _add_counts(self.rounded, more.rounded)
        _add_counts(self.vanished, more.vanished)
        _add_counts(self.hybrid_as_base, more.hybrid_as_base)
        _add_counts(self.falling, more.falling)
        _add_counts(self.other_keys, more.other_keys)
        self.disagreeing += more.disagreeing
        self.from_base += more.from_base


def _join(first: Optional[Seen], second: Optional[Seen], base: int) -> Optional[Seen]:
    if second is None:
        return first
    if first is None:
        return Seen(second.count, base + second.first)
    return Seen(first.count + second.count, first.first)
