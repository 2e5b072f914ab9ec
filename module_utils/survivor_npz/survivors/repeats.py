# SPDX-License-Identifier: MIT
"""Parse repeated text once: a seed's own fields come first, those of its trial are the same text each time.

A record is cut before the field that follows its last per-seed field. The heads are parsed together, each distinct
tail once. Which of the known tails a record has is guessed from a few of its bytes; the guess is right if heads and
tails together are the piece's very text.
This is exact: JSON is unambiguous, so text that splits into valid parts has only one reading.
If a part is not valid by itself, the whole piece is parsed as it is.
"""

from __future__ import annotations

import contextlib
import re
from itertools import chain

import numpy as np
import orjson
from ansible.module_utils.survivor_npz.survivors.pieces import Separator
from ansible.module_utils.survivor_npz.survivors.table import Group, Record, Table, make_group, parse_table
from numpy.typing import NDArray

_PER_SEED = {"seed", "forward_match_rate", "reverse_match_rate", "score"}
# More is forgotten before the next piece, in tails and bytes of their text: values take a few times as much memory.
_MOST_TAILS = 1024
_MOST_TAIL_BYTES = 4 << 20
_LONG_TAIL = 64 << 10
_MOST_FAILURES = 4
# Bytes of a word, and how many words before its closing brace at most tell a record's tail.
_WORD = 8
_MOST_WORDS = 128
_BRACE = b"}"[0]
_ODD = np.uint64(0x9E3779B97F4A7C15)

_Numbers = NDArray[np.intp]


class Splitter:
    """Parses pieces; learns from the file's first record where to cut, and gives up if that does not pay."""

    def __init__(self, separator: Separator) -> None:
        self._cut = _find_cut(separator.first_record)
        self._cut_head = self._cut.lstrip(b", \t\r\n")
        self._failures = 0 if self._cut else _MOST_FAILURES
        self._forget(words=1)

    def _forget(self, words: int) -> None:
        """Forget all tails; tell those to come by so many words."""
        if words > _MOST_WORDS:
            raise ValueError("tails that words can't tell apart")
        self._words = words
        # By number, each one's print, text and values. No record has the first, whose print no text gives.
        self._prints = np.zeros(1, np.uint64)
        self._tails, self._records = [b""], [Record()]
        self._order = np.zeros(1, np.intp)

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
        if len(self._tails) > _MOST_TAILS or sum(map(len, self._tails)) > _MOST_TAIL_BYTES:
            self._forget(self._words)
        ends = np.flatnonzero(np.frombuffer(text, np.uint8) == _BRACE) + 1
        starts = np.concatenate(([0], ends[:-1]))
        with contextlib.suppress(ValueError):
            while True:
                numbers = self._recognize(text, starts, ends)
                tails = [self._tails[number] for number in numbers.tolist()]
                sizes = np.fromiter(map(len, self._tails), np.intp, len(self._tails))
                cuts = np.maximum(ends - sizes[numbers], starts).tolist()
                heads = [text[start:cut] for start, cut in zip(starts.tolist(), cuts)]
                if b"".join(chain.from_iterable(zip(heads, tails))) == text:
                    head = _parse_heads(heads)
                    return None if head is None else self._table(head, numbers)
                self._forget(self._words * 2)
        return None

    def _table(self, head: Group, numbers: _Numbers) -> Table | None:
        present = np.flatnonzero(np.bincount(numbers))
        records = [self._records[number] for number in present.tolist()]
        group = make_group(records, np.searchsorted(present, numbers))
        own = set(head.keys or ())
        shared = (
            own.intersection(group.keys) if group.keys else any(own & record.keys() for record in records)
        )
        return None if shared else Table([head, group], len(numbers))

    def _recognize(self, text: bytes, starts: _Numbers, ends: _Numbers) -> _Numbers:
        """Guess each record's tail by its words; learn those that are new.

        Raises:
            ValueError: tails seldom repeat; or as _learn.
        """
        words: NDArray[np.uint64] = np.ndarray((len(text) - _WORD + 1,), "<u8", text, 0, (1,))
        prints = np.zeros(len(ends), np.uint64)
        for back in range(1, self._words + 1):
            prints = prints * _ODD + words[np.maximum(ends - (1 + _WORD * back), 0)]
        numbers = self._look_up(prints)
        new = np.flatnonzero(self._prints[numbers] != prints)
        if not len(new):
            return numbers
        firsts = new[np.unique(prints[new], return_index=True)[1]]
        if len(firsts) * 2 > len(ends):
            raise ValueError("tails seldom repeat")
        learnt = [self._learn(text, int(starts[first]), int(ends[first])) for first in firsts]
        self._tails += [tail for tail, _ in learnt]
        self._records += [record for _, record in learnt]
        self._prints = np.append(self._prints, prints[firsts])
        self._order = np.argsort(self._prints)
        return self._look_up(prints)

    def _look_up(self, prints: NDArray[np.uint64]) -> _Numbers:
        places = np.searchsorted(self._prints, prints, sorter=self._order)
        return self._order[np.minimum(places, len(self._order) - 1)]

    def _learn(self, text: bytes, start: int, end: int) -> tuple[bytes, Record]:
        """A record's tail and its values.

        Raises:
            ValueError: it is not the rest of an object, or too long.
        """
        at = text.find(self._cut, start, end)
        tail = text[at:end]
        if at < 0 or len(tail) > _LONG_TAIL:
            raise ValueError("no tail to keep")
        # Its only closing brace is the last byte: this is one object, or not valid. In a list, as in the file:
        # orjson limits the depth.
        (record,) = orjson.loads(b"[{" + self._cut_head + tail[len(self._cut) :] + b"]")
        return tail, record


def _parse_heads(heads: list[bytes]) -> Group | None:
    """Parse all heads at once; None if they are not one flat object each, with the same keys.

    n objects need n closing braces, and the text has no others: so each brace closes an object, none is in a
    string or a nested value, and each head is valid by itself.
    """
    parsed: list[Record] = orjson.loads(b"[" + b"}".join(heads) + b"}]")
    if len(parsed) != len(heads) or set(map(type, parsed)) != {dict}:
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
