# SPDX-License-Identifier: MIT
"""Damage to a survivors file: what half-written files, bad disks, other tools and attackers make of it."""

from __future__ import annotations

import json
import random
import re
from typing import Any, Callable, List, Sequence

from survivors import records

VALUES = (
    *("null", "true", "false", "[]", "{}", '""', '"1"', "-1", "0", "1", "1.0", "1e2", "0.5", "1.5", "-0"),
    *("-0.0",),
    *("4294967295", "4294967296", "2147483647", "2147483648", "-2147483648", "-2147483649", "16777217"),
    *(
        "18446744073709551615",
        "18446744073709551616",
        "-9223372036854775809",
        "1" * 25,
        "1" * 400,
        "9" * 5000,
    ),
    *(
        "1e39",
        "3.4028235677973366e38",
        "3.4028234e38",
        "1e308",
        "1e400",
        "-1e400",
        "1e-50",
        "5e-324",
        "1e-400",
    ),
    *("NaN", "Infinity", "-Infinity", "nan", "inf", "0x10", "01", "1.", ".5", "+1", "1e", "1_000", "--1"),
    *('"5-56"', '"56-5"', '"-5-56"', '"5 - 56"', '"5-"', '"all"', "[5,56]", "[5]", "[5,56,7]", '["5","56"]'),
    *("[5,5.0]", "[true,1]", '"0-99999999999"', "[0,99999999999]", "[-2147483648,2147483647]"),
    *('"\u0665-\u0666"',),
    *(
        '"constant"',
        '"variable"',
        '"Constant"',
        '"java_lcg"',
        '"java_lcg_hybrid"',
        '"java_lcg_hybrid_hybrid"',
    ),
    *('"xoshiro256pp_reverse"', '"randu"', '"\\ud800"', '"\\ud83d\\ude00"', '"\\u0000"', '"\\x"', '"\x01"'),
    *('"}, {"', '"]"', '{"seed": 1}', '[{"a": "}"}]', "[[[[1]]]]", "1 2", "'a'", "/* */1", "1,", ",1"),
)
KEYS = (
    *("seed", "forward_match_rate", "reverse_match_rate", "score", "window_size", "skip_range", "skip_mode"),
    *("prng_type", "prng_base", "sessions", "forward_count", "reverse_count", "bidirectional_selectivity"),
    *("unknown", "Seed", "", "\\u0073eed"),
)
BYTES = (b"\x00", b"\xff", b"\xc3", b"\xed\xa0\x80", b"\xef\xbb\xbf", b"{", b"}", b"[", b"]", b'"', b"\\")
SPLINTERS = (
    *BYTES,
    b",",
    b":",
    b" ",
    b"\n",
    b"\r",
    b"\x0b",
    b"\xc2\xa0",
    b"-",
    b".",
    b"0",
    b"e",
    b"null",
    b"//",
)
_VALUE = re.compile(rb'(?<=: )(?:"(?:[^"\\]|\\.)*"|-?[0-9][0-9.eE+-]*|\[[^\[\]{}]*\])')
_KEY = re.compile(rb'"[a-z_]+"(?=: )')

Mutation = Callable[[bytes, random.Random], bytes]


def bases(rng: random.Random) -> List[bytes]:
    """Small valid files of the shapes met in the field, in the layouts met there."""
    found: List[bytes] = []
    for count, indent in ((1, None), (2, 2), (3, 2), (9, None), (14, 2), (0, None)):
        plain = list(records(count, seed=rng.randrange(10**6)))
        shaped = [[shape(dict(r)) for r in plain] for shape in (_shape_a, _shape_b, _shape_c, _shape_d)]
        found += [json.dumps(document, indent=indent).encode() for document in shaped]
    # Survivors of few trials, as in the field: most of a record's text repeats.
    for count, indent in ((12, 2), (40, None), (25, 2)):
        plain = _of_two_trials(count, rng.randrange(10**6))
        for shape in (_shape_a, _shape_b, _shape_c, _shape_d):
            found.append(json.dumps([shape(dict(r)) for r in plain], indent=indent).encode())
    others: List[Any] = [
        {"survivor_count": 120000, "note": "too many to write"},
        {"generation_id": "g1", "final_row_count": 5, "artifact_sha256": "ab", "complete": True},
        [1, 2, 3],
        "survivors",
        None,
        [[{"seed": 1}]],
    ]
    return found + [json.dumps(other, indent=2).encode() for other in others]


def _of_two_trials(count: int, seed: int) -> List[dict[str, Any]]:
    plain = list(records(count, seed=seed))
    own = ("seed", "forward_match_rate", "reverse_match_rate", "score")
    return [{**r, **{k: v for k, v in plain[i % 2].items() if k not in own}} for i, r in enumerate(plain)]


def _shape_a(r: dict[str, Any]) -> dict[str, Any]:
    del r["forward_match_rate"], r["reverse_match_rate"]
    return {**r, "score": r["bidirectional_count"]}


def _shape_b(r: dict[str, Any]) -> dict[str, Any]:
    gone: tuple[str, ...] = (
        "intersection_count",
        "intersection_ratio",
        "intersection_weight",
        "survivor_overlap_ratio",
    )
    gone += ("bidirectional_selectivity", "forward_only_count", "reverse_only_count")
    return {key: value for key, value in r.items() if key not in gone}


def _shape_c(r: dict[str, Any]) -> dict[str, Any]:
    return r


def _shape_d(r: dict[str, Any]) -> dict[str, Any]:
    del r["bidirectional_selectivity"]
    return {**r, "skip_range": f"{r['skip_min']}-{r['skip_max']}", "sessions": "all"}


def _at(data: bytes, rng: random.Random) -> int:
    return rng.randint(0, len(data))


def truncate(data: bytes, rng: random.Random) -> bytes:
    return data[: _at(data, rng)]


def behead(data: bytes, rng: random.Random) -> bytes:
    return data[_at(data, rng) :]


def flip_bit(data: bytes, rng: random.Random) -> bytes:
    if not data:
        return data
    at = rng.randrange(len(data))
    return data[:at] + bytes([data[at] ^ 1 << rng.randrange(8)]) + data[at + 1 :]


def overwrite(data: bytes, rng: random.Random) -> bytes:
    at, splinter = _at(data, rng), rng.choice(SPLINTERS)
    return data[:at] + splinter + data[at + len(splinter) :]


def insert(data: bytes, rng: random.Random) -> bytes:
    at = _at(data, rng)
    return data[:at] + rng.choice(SPLINTERS) * rng.choice((1, 1, 1, 2, 7)) + data[at:]


def delete(data: bytes, rng: random.Random) -> bytes:
    at = _at(data, rng)
    return data[:at] + data[at + rng.choice((1, 1, 2, 5, 40, 400)) :]


def repeat(data: bytes, rng: random.Random) -> bytes:
    at = _at(data, rng)
    return data[:at] + data[at : at + rng.choice((1, 3, 30, 700))] + data[at:]


def move(data: bytes, rng: random.Random) -> bytes:
    start, end, to = sorted((_at(data, rng), _at(data, rng), _at(data, rng)))
    return data[:start] + data[end:to] + data[start:end] + data[to:]


def zero_block(data: bytes, rng: random.Random) -> bytes:
    """What a power cut leaves of a file whose length was already written."""
    at = _at(data, rng)
    return data[:at] + bytes(len(data) - at)


def _one(
    pattern: re.Pattern[bytes], data: bytes, rng: random.Random, new: Sequence[str], quote: str
) -> bytes:
    found = list(pattern.finditer(data))
    if not found:
        return data
    match = rng.choice(found)
    return data[: match.start()] + f"{quote}{rng.choice(new)}{quote}".encode() + data[match.end() :]


def swap_value(data: bytes, rng: random.Random) -> bytes:
    return _one(_VALUE, data, rng, VALUES, "")


def swap_key(data: bytes, rng: random.Random) -> bytes:
    return _one(_KEY, data, rng, KEYS, '"')


def swap_value_everywhere(data: bytes, rng: random.Random) -> bytes:
    """One field gets one strange value in every record."""
    key, value = rng.choice(KEYS).encode(), rng.choice(VALUES).encode()
    return re.sub(rb'("' + re.escape(key) + rb'": )[^,\n\[]+', lambda m: m[1] + value, data)


def add_member(data: bytes, rng: random.Random) -> bytes:
    at = data.find(b"{", _at(data, rng)) + 1
    return data[:at] + f'"{rng.choice(KEYS)}": {rng.choice(VALUES)}, '.encode() + data[at:]


def add_last_member(data: bytes, rng: random.Random) -> bytes:
    """A key at the end of a record, perhaps for the second time: then the last wins."""
    start = _at(data, rng)
    at = data.find(b"}", start)
    if at < 0:
        return data
    end = len(data[:at].rstrip())
    return data[:end] + f', "{rng.choice(KEYS)}": {rng.choice(VALUES)}'.encode() + data[end:]


def nest(data: bytes, rng: random.Random) -> bytes:
    depth = rng.choice((3, 100, 1000, 1019, 1020, 1021, 1022, 1023, 1024, 1025, 1026, 5000, 100_000))
    opened, closed = rng.choice((("[", "]"), ('{"a":', "}"), ("[", ""), ("", "]")))
    middle = "1" if opened.startswith("{") else ""
    return _one(_VALUE, data, rng, [opened * depth + middle + closed * depth], "")


def wrap(data: bytes, rng: random.Random) -> bytes:
    before, after = rng.choice(
        ((b"[", b"]"), (b'{"survivors": ', b"}"), (b"[", b""), (b"", b"]"), (b'"', b'"'))
    )
    return before + data + after


def surround(data: bytes, rng: random.Random) -> bytes:
    """A BOM, a second document, trailing garbage, other encodings' marks."""
    around = (
        b"\xef\xbb\xbf",
        b"\xff\xfe",
        b"[]",
        b"null",
        b",",
        b"\x00",
        b"\n",
        b" ",
        b"x",
        b"]",
        data,
        b"//",
        b"\x1a",
    )
    extra = rng.choice(around)
    return extra + data if rng.random() < 0.5 else data + extra


def spaces(data: bytes, rng: random.Random) -> bytes:
    """A run of white space, longer than a piece of the reader at times, where it may or may not stand."""
    at = rng.choice((0, len(data), data.find(b",", _at(data, rng)) + 1, _at(data, rng)))
    size = rng.choice((1, 50, 5_000, 70_000))
    return data[:at] + rng.choice((b" ", b"\n", b"\t", b"\r\n", b" \n")) * size + data[at:]


def recode(data: bytes, rng: random.Random) -> bytes:
    return data.decode("utf-8", "replace").encode(rng.choice(("utf-16", "utf-16-le", "utf-32", "utf-8-sig")))


ALL: Sequence[Mutation] = (
    *(
        truncate,
        behead,
        flip_bit,
        overwrite,
        insert,
        delete,
        repeat,
        move,
        zero_block,
        swap_value,
        swap_value,
    ),
    *(swap_key, swap_value_everywhere, add_member, add_last_member, nest, wrap, surround, spaces, recode),
)


def mutate(data: bytes, rng: random.Random) -> tuple[bytes, str]:
    """One to three mutations; the damaged file and the names of what was done to it."""
    names = []
    for mutation in rng.choices(ALL, k=rng.choice((1, 1, 1, 2, 3))):
        data = mutation(data, rng)
        names.append(mutation.__name__)
    return data, "+".join(names)
