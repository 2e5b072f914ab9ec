# SPDX-License-Identifier: MIT
"""Parse repeated text once: a seed's own fields come first, those of its trial are the same text each time.

A record is cut after its last per-seed field. The heads are parsed together, each distinct tail once.
This is exact, not a guess: JSON is unambiguous, so text that splits into valid parts has only one reading.
If a part is not valid by itself, the whole piece is parsed as it is.
"""

from __future__ import annotations

import re
from operator import methodcaller

import numpy as np
import orjson
from ansible.module_utils.survivor_npz.survivors.pieces import Separator
from ansible.module_utils.survivor_npz.survivors.table import Group, Record, Table, make_group, parse_table

_PER_SEED = {"seed", "forward_match_rate", "reverse_match_rate", "score"}
# Limits of the cache, in tails and bytes of their text: the values take a few times as much memory.
_MOST_TAILS = 4096
_MOST_TAIL_BYTES = 4 << 20
_LONG_TAIL = 64 << 10
_MOST_FAILURES = 4


class Splitter:
    """Parses pieces; learns from the file's first record where to cut, and gives up if that does not pay."""

    def __init__(self, separator: Separator) -> None:
        self._cut = _find_cut(separator.first_record) if separator.exact else b""
        self._cut_head = self._cut.lstrip(b", \t\r\n")
        self._tails: dict[bytes, Record] = {}
        self._tail_bytes = 0
        self._failures = 0 if self._cut else _MOST_FAILURES

    def parse(self, text: bytes) -> Table:
        """Like parse_table, several times as fast if tails repeat.

        Raises:
            ValueError: the piece is not valid JSON by itself.
        """
        # A piece of one record, perhaps a giant, has nothing that repeats.
        if self._failures < _MOST_FAILURES and text.find(b"}") + 1 < len(text):
            table = self._split(text)
            if table is not None:
                return table
            self._failures += 1
        return parse_table(text)

    def _split(self, text: bytes) -> Table | None:
        if text[-1:] != b"}":
            return None
        # Each part but the last, which is empty, is a record without its closing brace, after the separator
        # from the record before it.
        heads, cuts, tails = zip(*map(methodcaller("partition", self._cut), text.split(b"}")[:-1]))
        if cuts.count(self._cut) != len(cuts):
            return None
        distinct = dict.fromkeys(tails)
        if len(distinct) * 2 > len(tails):
            return None
        try:
            head = _parse_heads(heads)
            records = [self._tail(tail) for tail in distinct]
        except ValueError:
            return None
        if head is None:
            return None
        for number, tail in enumerate(distinct):
            distinct[tail] = number
        index = np.fromiter(map(distinct.__getitem__, tails), np.int32, len(tails))
        group = make_group(records, index)
        own = set(head.keys or ())
        shared = (
            own.intersection(group.keys) if group.keys else any(own & record.keys() for record in records)
        )
        return None if shared else Table([head, group], len(heads))

    def _tail(self, tail: bytes) -> Record:
        known = self._tails.get(tail)
        if known is None:
            parsed = orjson.loads(b"[{" + self._cut_head + tail + b"}]")
            if len(parsed) != 1:
                raise ValueError("more than one object")
            known = parsed[0]
            if len(tail) <= _LONG_TAIL:
                self._keep(tail, known)
        return known

    def _keep(self, tail: bytes, parsed: Record) -> None:
        if len(self._tails) >= _MOST_TAILS or self._tail_bytes + len(tail) > _MOST_TAIL_BYTES:
            self._tails.clear()
            self._tail_bytes = 0
        self._tails[tail] = parsed
        self._tail_bytes += len(tail)


def _parse_heads(heads: tuple[bytes, ...]) -> Group | None:
    """Parse all heads at once; None if they are not one flat object each, with the same keys.

    n objects need n opening braces, and the text has no others: so each brace opens an object, none is in a
    string or a nested value, and each head is valid by itself.
    """
    text = b"[" + b"}".join(heads) + b"}]"
    if text.count(b"{") != len(heads):
        return None
    parsed: list[Record] = orjson.loads(text)
    if len(parsed) != len(heads) or set(map(type, parsed)) != {dict} or not parsed[0]:
        return None
    group = make_group(parsed)
    return group if group.keys else None


def _find_cut(record: bytes) -> bytes:
    """The text between the value of the last per-seed field and the value of the field that follows it."""
    try:
        keys = list(orjson.loads(record))
    except ValueError:
        return b""
    last = max((number for number, key in enumerate(keys) if key in _PER_SEED), default=-1)
    if last < 0 or last + 1 >= len(keys):
        return b""
    key = re.escape(orjson.dumps(keys[last + 1]))
    match = re.search(rb",[ \t\n\r]*" + key + rb"[ \t\n\r]*:[ \t\n\r]*", record)
    return match.group() if match else b""
