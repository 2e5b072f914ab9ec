# SPDX-License-Identifier: MIT
"""What was noticed while records were read: counts and faults of a piece, a segment, or the whole file."""

from __future__ import annotations

import hashlib
from collections import Counter
from typing import NamedTuple

FAULTS_KEPT = 5
# A file with endless distinct unknown keys must fill neither the memory nor the sidecar.
NAMES_KEPT = 1000
_LONG_NAME = 200
_DISTINCT_COUNTED = 1 << 20


class Fault(NamedTuple):
    """One record that the contract refuses: what is wrong with it, and its seed if it has one."""

    record: int
    seed: str | None
    what: str

    def __str__(self) -> str:
        seed = "" if self.seed is None else f" (seed {self.seed})"
        return f"record {self.record}{seed}: {self.what}"


class Seen:
    """A number of records, and the first of them."""

    __slots__ = ("count", "first")

    def __init__(self, count: int, first: int) -> None:
        self.count = count
        self.first = first


class Names:
    """Distinct names, each with its records. The first 1,000 in sorted order are kept by name.

    What is kept does not depend on the order or grouping in which names arrive: a name that 1,000 smaller
    ones displaced can never be among the first 1,000 again.
    """

    def __init__(self) -> None:
        self._seen: dict[str, Seen] = {}
        self._hashes: set[int] = set()

    def add(self, name: str, seen: Seen) -> None:
        """Count records with a name."""
        if len(self._hashes) < _DISTINCT_COUNTED:
            self._hashes.add(hash(name))
        if len(name) > _LONG_NAME:
            digest = hashlib.sha256(name.encode()).hexdigest()[:12]
            name = f"{name[:_LONG_NAME]}... (SHA-256 {digest})"
        self._put(name, seen, 0)

    def join(self, more: Names, base: int) -> None:
        """Add the names of the records that follow, which start at record `base`."""
        if len(self._hashes) < _DISTINCT_COUNTED:
            self._hashes |= more._hashes
        for name, seen in more._seen.items():
            self._put(name, seen, base)

    def _put(self, name: str, seen: Seen, base: int) -> None:
        known = self._seen.get(name)
        first = base + seen.first
        if known is None:
            self._seen[name] = Seen(seen.count, first)
        else:
            self._seen[name] = Seen(known.count + seen.count, min(known.first, first))
        if len(self._seen) > 2 * NAMES_KEPT:
            self._seen = self.kept()

    def kept(self) -> dict[str, Seen]:
        """At most 1,000 names in sorted order."""
        return {name: self._seen[name] for name in sorted(self._seen)[:NAMES_KEPT]}

    def others(self) -> int:
        """How many more names there are; counted up to 2**20."""
        return min(len(self._hashes), _DISTINCT_COUNTED) - min(len(self._seen), NAMES_KEPT)


class Tally:
    """Counts of `records` consecutive records. Indexes are relative to the first of them."""

    def __init__(self) -> None:
        self.records = 0
        self.bad_records = 0
        self.faults: list[Fault] = []
        self.rated: Seen | None = None
        self.unrated: Seen | None = None
        self.missing: dict[str, Seen] = {}
        self.unknown_prng = Names()
        self.other_keys = Names()
        # Records by what was noticed (a word that convert/checks.py explains) and its key or name.
        self.counts: Counter[tuple[str, str]] = Counter()

    def fault(self, fault: Fault) -> None:
        """Keep one of the first faults. They arrive in the order of the records, one per record."""
        if len(self.faults) < FAULTS_KEPT:
            self.faults.append(fault)

    def add(self, more: Tally) -> None:
        """Append the tally of the records that follow."""
        base = self.records
        self.records += more.records
        self.bad_records += more.bad_records
        for fault in more.faults:
            self.fault(fault._replace(record=base + fault.record))
        self.rated = _join(self.rated, more.rated, base)
        self.unrated = _join(self.unrated, more.unrated, base)
        for key, seen in more.missing.items():
            self.missing[key] = _join(self.missing.get(key), seen, base) or seen
        self.unknown_prng.join(more.unknown_prng, base)
        self.other_keys.join(more.other_keys, base)
        self.counts.update(more.counts)


def _join(first: Seen | None, second: Seen | None, base: int) -> Seen | None:
    if second is None:
        return first
    if first is None:
        return Seen(second.count, base + second.first)
    return Seen(first.count + second.count, first.first)
