# SPDX-License-Identifier: MIT
"""Valid survivors in every form that JSON allows: values, order, spaces, escapes, unknown values, shapes."""

from __future__ import annotations

import json
import random
from typing import Any, Dict, List, Optional

import oracle_tables
from hypothesis import strategies as st

Record = Dict[str, Any]

INTS = ("window_size", "offset", "trial_number", "skip_min", "skip_max")
RATES = ("forward_match_rate", "reverse_match_rate")
FLOATS = tuple(
    key
    for array, dtype, key in oracle_tables.TABLE
    if dtype == "float32" and array not in oracle_tables.SPECIAL
)
NASTY = (
    *('{"seed": 1}', "}, {", "]", "[[{{", '"', "\\", '\\"', "\\\\", "},\n  {", '"}, {"seed": 5', "\u2028"),
    *("é", "日本", "😀", "\x7f", "\x00", "\t\n\r\b\f", "", "NaN", "// no comment", "}\n]\n", "a" * 300),
)

_int32 = st.one_of(st.integers(-(2**31), 2**31 - 1), st.integers(0, 999))
_float32 = st.one_of(
    st.floats(width=32, allow_nan=False, allow_infinity=False),
    st.floats(0, 1),
    st.integers(0, 60_000),
    st.integers(-(2**70), 2**70),
    st.sampled_from([0.0, -0.0, 1e-60, 5e-324, 3.4028234e38, 2**24 + 1, 1e15, 0.1]),
)
_rate = st.one_of(st.floats(0, 1), st.sampled_from([0, 1, 0.5, 1 / 3]))
_text = st.one_of(st.sampled_from(NASTY), st.text(max_size=12))
_unknown = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(-(2**63), 2**64 - 1), st.floats(-1e9, 1e9), _text),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(_text, inner, max_size=3)),
    max_leaves=6,
)
_skip_range = st.one_of(
    _int32,
    st.tuples(st.integers(0, 500), st.integers(0, 500)).map(list),
    st.tuples(st.integers(0, 500), st.integers(0, 500)).map(lambda ends: f"{ends[0]}-{ends[1]}"),
)
_unknown_keys = st.one_of(_text, st.sampled_from(["sessions", "Seed", "seed ", "metadata"]))
_known = {key for _array, _dtype, key in oracle_tables.TABLE} | {"prng_base"}


@st.composite
def record(draw: st.DrawFn, rated: bool) -> Record:
    """One valid survivor, with or without match rates."""
    found: Record = {"seed": draw(st.integers(0, 2**32 - 1))}
    if rated:
        sides = draw(st.sampled_from([("forward", "reverse"), ("forward",), ("reverse",)]))
        found.update({f"{side}_match_rate": draw(_rate) for side in sides})
    kept = draw(st.sampled_from([1.0, 1.0, 0.7, 0.0]))
    rng = draw(st.randoms(use_true_random=False))
    for keys, values in ((INTS, _int32), (FLOATS, _float32)):
        for key in keys:
            needed = not rated and key in ("forward_count", "reverse_count")
            if needed or rng.random() < kept:
                found[key] = draw(values)
    if rng.random() < kept:
        found["skip_range"] = draw(_skip_range)
    found["skip_mode"] = draw(st.sampled_from(["constant", "variable"]))
    name = draw(st.sampled_from(sorted(oracle_tables.REGISTRY)))
    if draw(st.booleans()):
        found["prng_type"] = name
        found["prng_base"] = draw(_unknown)
    else:
        found["prng_base"] = name.partition("_hybrid")[0].removesuffix("_reverse")
    extra = draw(st.dictionaries(_unknown_keys, _unknown, max_size=3))
    found.update({key: value for key, value in extra.items() if key not in _known})
    order = list(found)
    rng.shuffle(order)
    return {key: found[key] for key in order}


@st.composite
def survivors(draw: st.DrawFn, max_size: int = 12) -> List[Record]:
    """A valid list of survivors, all rated or all not."""
    return draw(st.lists(record(draw(st.booleans())), max_size=max_size))


@st.composite
def of_few_trials(draw: st.DrawFn) -> List[Record]:
    """Survivors whose fields but the first few repeat, in one order, as a real Step 1 writes them."""
    rated = draw(st.booleans())
    trials = draw(st.lists(record(rated), min_size=1, max_size=3))
    own = [
        "seed",
        *(key for key in ("forward_match_rate", "reverse_match_rate", "score") if key in trials[0]),
    ]
    values: Dict[str, st.SearchStrategy[Any]] = {"seed": st.integers(0, 2**32 - 1), "score": _float32}
    odd = draw(st.sampled_from([None, None, *own, "skip_mode", "unknown"]))
    found = []
    for _ in range(draw(st.integers(2, 30))):
        trial = draw(st.sampled_from(trials))
        one = {key: draw(values.get(key, _rate)) for key in own}
        one.update({key: value for key, value in trial.items() if key not in own})
        if odd in own and draw(st.integers(0, 9)) == 0:
            one[odd] = one.pop(odd)  # one record with another order of keys
        elif odd == "unknown" and draw(st.integers(0, 3)) == 0:
            one = {
                "seed": one["seed"],
                draw(_text.filter(lambda key: key not in _known)): draw(_unknown),
                **one,
            }
        found.append(one)
    return found


def dump(records: List[Record], rng: random.Random) -> bytes:
    """The survivors as `json.dump` writes them, with any of its options."""
    separators = rng.choice([None, (",", ":"), (", ", ":"), (" ,\r\n", "\t: ")])
    indent, ascii_only = rng.choice([None, 0, 2, 4]), rng.random() < 0.5
    return json.dumps(records, indent=indent, separators=separators, ensure_ascii=ascii_only).encode()


class Writer:
    """Writes a value as JSON in a random but valid layout."""

    def __init__(self, rng: random.Random) -> None:
        self.rng = rng
        self.spaces = rng.choice(["", " ", "\n", " \t\r\n"])
        self.indent: Optional[str] = rng.choice([None, "", " ", "  ", "\t", "        "])
        self.escapes = rng.choice([0.0, 0.02, 1.0])

    def space(self, depth: int) -> str:
        """White space between two tokens."""
        line = "" if self.indent is None else "\n" + self.indent * depth
        return line + "".join(self.rng.choices(self.spaces, k=self.rng.randint(0, 2)) if self.spaces else ())

    def string(self, text: str) -> str:
        """A string, some of its characters escaped without need."""
        out: List[str] = []
        for char in text:
            code = ord(char)
            if char in '"\\' or code < 32 or self.rng.random() < self.escapes:
                units = char.encode("utf-16-be").hex()
                out.extend(f"\\u{units[i : i + 4]}" for i in range(0, len(units), 4))
            else:
                out.append(char)
        return '"' + "".join(out) + '"'

    def number(self, value: Any) -> str:
        """A number; a float sometimes with an exponent, or more digits than it needs."""
        if isinstance(value, int):
            return str(value)
        return self.rng.choice([repr(value), f"{value:.25e}", f"{value:.17E}"])

    def value(self, value: Any, depth: int = 0) -> str:
        """Any value."""
        if isinstance(value, str):
            return self.string(value)
        if value is None or isinstance(value, bool):
            return json.dumps(value)
        if isinstance(value, (int, float)):
            return self.number(value)
        if isinstance(value, list):
            parts, ends = [self.value(item, depth + 1) for item in value], "[]"
        else:
            parts = [self.member(key, item, depth + 1) for key, item in value.items()]
            if value and self.rng.random() < 0.05:
                # A key twice in one object: the last wins.
                twice, other = self.rng.choice(list(value)), self.rng.choice(["[]", '"}"', "1"])
                parts.insert(0, f"{self.string(twice)}:{other}")
            ends = "{}"
        inner = f"{self.space(depth + 1)},{self.space(depth + 1)}".join(parts)
        return ends[0] + self.space(depth + 1) + inner + self.space(depth) + ends[1]

    def member(self, key: str, value: Any, depth: int) -> str:
        """A key with its value."""
        left, right = self.rng.choice(["", " "]), self.rng.choice(["", " "])
        return f"{self.string(key)}{left}:{right}{self.value(value, depth)}"


def render(records: List[Record], rng: random.Random) -> bytes:
    """The survivors as a JSON document in one of all valid layouts."""
    writer = Writer(rng)
    return (writer.space(0) + writer.value(records) + writer.space(0)).encode("utf-8")
