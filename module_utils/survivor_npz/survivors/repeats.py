# SPDX-License-Identifier: MIT
"""Parse repeated text once: a seed's own fields come first, those of its trial are the same text each time.

A record is cut before the field that follows its last per-seed field. The heads are parsed together, each distinct
tail once. Which of the known tails a record has is guessed from a few of its bytes; the guess is right if heads and
tails together are the piece's very text.
This is exact: JSON is unambiguous, so text that splits into valid parts has only one reading.
If a part is not valid by itself, the whole piece is parsed as it is.
"""

from __future__ import annotations

import re
from itertools import chain
from typing import Iterable

import numpy as np
import orjson
from ansible.module_utils.survivor_npz.survivors.pieces import Separator
from ansible.module_utils.survivor_npz.survivors.table import Group, Record, Table, make_group, parse_table
from numpy.typing import NDArray

_PER_SEED = {"seed", "forward_match_rate", "reverse_match_rate", "score"}
# Limits of what is kept, in tails and bytes of their text: the values take a few times as much memory.
_MOST_TAILS = 1024
_MOST_TAIL_BYTES = 4 << 20
_LONG_TAIL = 64 << 10
_MOST_FAILURES = 4
_MOST_TRIES = 4
_MOST_OFFSETS = 8
_BRACE = b"}"[0]
_WORD = 8
_ODD = 0x9E3779B97F4A7C15

Numbers = NDArray[np.intp]


class Splitter:
    """Parses pieces; learns from the file's first record where to cut, and gives up if that does not pay."""

    def __init__(self, separator: Separator) -> None:
        self._cut = _find_cut(separator.first_record) if separator.exact else b""
        self._failures = 0 if self._cut else _MOST_FAILURES
        # Where the words are that tell the tails from each other, counted back from the closing brace.
        self._offsets = [0]
        self._forget()

    def _forget(self) -> None:
        self._tails: dict[bytes, Record] = {}
        self._texts: list[bytes] = []
        self._sizes: Numbers = np.zeros(0, np.intp)
        self._prints: NDArray[np.uint64] = np.zeros(0, np.uint64)
        self._order: Numbers = np.zeros(0, np.intp)

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
        ends = _ends(text)
        try:
            for _ in range(_MOST_TRIES):
                numbers = self._guess(text, ends)
                if numbers is None:
                    continue
                tails = list(map(self._texts.__getitem__, numbers.tolist()))
                heads = _heads(text, ends, self._sizes[numbers])
                if b"".join(chain.from_iterable(zip(heads, tails))) == text:
                    head = _parse_heads(heads)
                    return None if head is None else self._table(head, numbers)
                # Another tail with the same words. Rare: so look at every record.
                self._learn(text, ends, range(len(ends)))
        except ValueError:
            pass
        return None

    def _table(self, head: Group, numbers: Numbers) -> Table | None:
        present = np.flatnonzero(np.bincount(numbers, minlength=len(self._texts)))
        places = np.zeros(len(self._texts), np.intp)
        places[present] = np.arange(len(present))
        records = [self._tails[self._texts[number]] for number in present.tolist()]
        group = make_group(records, places[numbers])
        own = set(head.keys or ())
        shared = (
            own.intersection(group.keys) if group.keys else any(own & record.keys() for record in records)
        )
        return None if shared else Table([head, group], len(numbers))

    def _guess(self, text: bytes, ends: Numbers) -> Numbers | None:
        """Each record's tail, by its words; None if there were new ones, which are known now.

        Raises:
            ValueError: as _learn; or tails seldom repeat.
        """
        if not self._texts:
            self._learn(text, ends, [0])
            return None
        words: NDArray[np.uint64] = np.ndarray((len(text) - _WORD + 1,), "<u8", text, 0, (1,))
        prints = np.zeros(len(ends), np.uint64)
        for offset in self._offsets:
            prints = prints * np.uint64(_ODD) + words[np.maximum(ends - (1 + _WORD + offset), 0)]
        places = np.minimum(np.searchsorted(self._prints, prints), len(self._prints) - 1)
        unknown = np.flatnonzero(self._prints[places] != prints)
        if len(unknown):
            firsts = np.unique(prints[unknown], return_index=True)[1]
            if len(firsts) * 2 > len(ends):
                raise ValueError("tails seldom repeat")
            self._learn(text, ends, unknown[firsts].tolist())
            return None
        return self._order[places]

    def _learn(self, text: bytes, ends: Numbers, records: Iterable[int]) -> None:
        """Get to know the tails of these records.

        Raises:
            ValueError: one is not the rest of an object or too long; all are known; words can't tell them apart.
        """
        known, kept = len(self._tails), int(self._sizes.sum())
        for record in records:
            end = int(ends[record])
            at = text.find(self._cut, int(ends[record - 1]) if record else 0, end)
            tail = text[at:end]
            if at < 0 or len(tail) > _LONG_TAIL:
                raise ValueError("no tail to keep")
            if tail not in self._tails:
                if len(self._tails) >= _MOST_TAILS or kept + len(tail) > _MOST_TAIL_BYTES:
                    self._forget()
                    known, kept = -1, 0
                # Its only closing brace is the last byte: this is one object, or not valid.
                self._tails[tail] = orjson.loads(
                    b"{" + tail[len(self._cut) - len(self._cut.lstrip(b", \t\r\n")) :]
                )
                kept += len(tail)
        self._texts = list(self._tails)
        self._sizes = np.fromiter(map(len, self._texts), np.intp, len(self._texts))
        if len(self._texts) == known:
            raise ValueError("nothing new")
        self._tell_apart()

    def _tell_apart(self) -> None:
        """Compute each tail's print; use more words where two are the same."""
        while True:
            seen: dict[int, bytes] = {}
            for tail in self._texts:
                value = 0
                for offset in self._offsets:
                    word = tail[-1 - _WORD - offset : -1 - offset]
                    value = (value * _ODD + int.from_bytes(word, "little")) % 2**64
                if value in seen:
                    self._offsets.append(_difference(tail, seen[value]))
                    break
                seen[value] = tail
            else:
                break
            if len(self._offsets) > _MOST_OFFSETS:
                raise ValueError("too much alike")
        prints = np.fromiter(seen, np.uint64, len(seen))
        self._order = np.argsort(prints)
        self._prints = prints[self._order]


def _difference(one: bytes, other: bytes) -> int:
    """Where a word differs, counted back from the closing brace.

    Raises:
        ValueError: nowhere.
    """
    for offset in range(min(len(one), len(other)) - _WORD):
        if one[-1 - _WORD - offset] != other[-1 - _WORD - offset]:
            return offset
    raise ValueError("one is the end of the other")


def _ends(text: bytes) -> Numbers:
    """Offsets after each closing brace. Looking for words with one first takes half the time."""
    braces = np.empty(-(-len(text) // _WORD) * _WORD, np.bool_)
    braces[len(text) :] = False
    np.equal(np.frombuffer(text, np.uint8), _BRACE, out=braces[: len(text)])
    words = np.flatnonzero(braces.view(np.uint64) != 0)
    places, offsets = np.divmod(np.flatnonzero(braces.reshape(-1, _WORD)[words]), _WORD)
    return words[places] * _WORD + offsets + 1


def _heads(text: bytes, ends: Numbers, tails: Numbers) -> list[bytes]:
    """What is before each record's tail of so many bytes, after the closing brace of the record before it."""
    starts = np.concatenate(([0], ends[:-1]))
    stops = np.maximum(ends - tails, starts).tolist()
    return [text[start:stop] for start, stop in zip(starts.tolist(), stops)]


def _parse_heads(heads: list[bytes]) -> Group | None:
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
