# SPDX-License-Identifier: MIT
"""The oracle: survivors to arrays the plain way, straight from the data contract, slow and obvious.

It shares no line with the converter: `json`, a loop over records, a loop over fields. The tests demand
that both accept the same files with the same arrays, and refuse the same others.

Three limits belong to the converter's parser rather than to JSON; each is a refusal, never another
value: a number that is infinite as a double, half a surrogate pair in a string, and nesting deeper
than 1,024 levels.
"""

from __future__ import annotations

import json
import math
import re
import reprlib
import sys
from dataclasses import dataclass, field
from typing import Any, Dict, List, NoReturn, Optional, Tuple

import numpy as np
from numpy.typing import NDArray
from oracle_tables import LEGACY, REGISTRY, SPECIAL, TABLE

MAX_DEPTH = 1024
MAX_RECORD_BYTES = 16 << 20


class Refused(Exception):  # noqa: N818 - an answer of the oracle, as valid as arrays
    """The file is not a list of survivors that contract §2 and §3 accept."""

    def __init__(self, why: str, record: Optional[int] = None, name: Optional[str] = None) -> None:
        super().__init__(why if record is None else f"record {record}: {name}: {why}")
        self.record, self.name = record, name


@dataclass
class Converted:
    """The 22 arrays, and what the run has to warn about."""

    arrays: Dict[str, NDArray[Any]]
    match_source: str
    defaulted: Dict[str, int] = field(default_factory=dict)
    vanished: int = 0


def parse(data: bytes) -> Any:
    """`json.loads`, as strict as the contract. Raises Refused."""
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise Refused(f"not UTF-8 at byte {error.start}") from error
    if _depth(text) > MAX_DEPTH:
        raise Refused("nested too deep")
    limit = sys.getrecursionlimit()
    sys.setrecursionlimit(max(limit, 20 * MAX_DEPTH))
    try:
        value = json.loads(
            text,
            parse_constant=_no_constant,
            parse_int=_integer,
            parse_float=_finite,
            # Only an escape can make half a surrogate pair: the text was UTF-8.
            object_pairs_hook=_checked_object if "\\u" in text else None,
        )
        _no_lone_surrogate(value)
    except (ValueError, RecursionError) as error:
        raise Refused(f"not JSON: {error}") from error
    finally:
        sys.setrecursionlimit(limit)
    return value


def _depth(text: str) -> int:
    """Nesting outside strings; exact for valid JSON, irrelevant for anything else."""
    deepest = depth = 0
    for token in re.findall(r'"(?:[^"\\]|\\.)*"|[\[\]{}]', text, re.DOTALL):
        if token in ("[", "{"):
            depth += 1
            deepest = max(deepest, depth)
        elif token in ("]", "}"):
            depth -= 1
    return deepest


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


def _finite(digits: str) -> float:
    value = float(digits)
    if math.isinf(value):
        raise ValueError("infinite as a double")
    return value


def _integer(digits: str) -> Any:
    """Ints of 64 bits; larger ones arrive as floats (contract §3, the last lines)."""
    if len(digits) < 25 and -(2**63) <= int(digits) < 2**64:
        return int(digits)
    return _finite(digits)


def _checked_object(pairs: List[Tuple[str, Any]]) -> Dict[str, Any]:
    """An object, its strings looked at before a key that is there twice hides one of them."""
    for pair in pairs:
        _no_lone_surrogate(list(pair))
    return dict(pairs)


def _no_lone_surrogate(value: Any) -> None:
    """Look at a string, or at those in a list of lists; objects were looked at before."""
    stack = [value]
    while stack:
        item = stack.pop()
        if isinstance(item, str):
            if any("\ud800" <= c <= "\udfff" for c in item):
                raise Refused("half a surrogate pair")
        elif isinstance(item, list):
            stack.extend(item)


def _no_giant_record(data: bytes) -> None:
    """Refuse a record of more than 16 MiB. Called for valid documents only."""
    text = data.decode("utf-8")
    decoder = json.JSONDecoder()
    skip = re.compile(r"[\s,]*")
    at = skip.match(text, text.index("[") + 1).end()  # type: ignore[union-attr]
    index = 0
    while text[at] != "]":
        end = decoder.raw_decode(text, at)[1]
        if len(text[at:end].encode()) > MAX_RECORD_BYTES:
            raise Refused("more than 16 MiB", index, "record")
        at = skip.match(text, end).end()  # type: ignore[union-attr]
        index += 1


def convert(data: bytes, encoding: str = "registry") -> Converted:
    """The 22 arrays of a survivors file given as bytes. Raises Refused."""
    document = parse(data)
    if not isinstance(document, list):
        raise Refused(f"not a list but a {type(document).__name__}")
    for index, record in enumerate(document):
        if not isinstance(record, dict):
            raise Refused(f"not an object but a {type(record).__name__}", index, "record")
    if len(data) > MAX_RECORD_BYTES:
        _no_giant_record(data)
    return _columns(document, encoding)


def _columns(records: List[Dict[str, Any]], encoding: str) -> Converted:
    rated = [i for i, r in enumerate(records) if "forward_match_rate" in r or "reverse_match_rate" in r]
    if rated and len(rated) < len(records):
        raise Refused("some records have match rates and others have neither")
    result = Converted({}, "rates" if rated else "counts")
    columns: Dict[str, List[Any]] = {array: [] for array, _dtype, _key in TABLE}
    for index, record in enumerate(records):
        columns["seeds"].append(_whole(record, index, "seed", 0, 2**32 - 1))
        forward, reverse = _matches(record, index, bool(rated))
        columns["forward_matches"].append(_float32(forward, index, "forward_match_rate", result))
        columns["reverse_matches"].append(_float32(reverse, index, "reverse_match_rate", result))
        for array, dtype, key in TABLE:
            if array in SPECIAL:
                continue
            if key not in record:
                result.defaulted[key] = result.defaulted.get(key, 0) + 1
                columns[array].append(0)
            elif dtype == "int32":
                columns[array].append(_whole(record, index, key, -(2**31), 2**31 - 1))
            else:
                columns[array].append(_float32(_number(record[key], index, key), index, key, result))
        columns["skip_range"].append(_skip_range(record, index, result))
        mode, name = _prng_name(record, index)
        columns["skip_mode"].append(mode)
        columns["prng_type"].append(_prng_id(name, index, encoding))
    result.arrays = {array: np.array(columns[array], dtype=dtype) for array, dtype, _key in TABLE}
    return result


def _whole(record: Dict[str, Any], index: int, key: str, low: int, high: int) -> int:
    if key not in record:
        raise Refused("missing", index, key)
    value = record[key]
    if type(value) is not int or not low <= value <= high:
        raise Refused(f"{reprlib.repr(value)}", index, key)
    return value


def _number(value: Any, index: int, key: str) -> float:
    if type(value) not in (int, float):
        raise Refused(f"{reprlib.repr(value)}", index, key)
    return float(value)


def _float32(value: float, index: int, key: str, result: Converted) -> np.float32:
    with np.errstate(over="ignore"):
        single = np.float32(value)
    if np.isinf(single):
        raise Refused(f"{reprlib.repr(value)} is infinite in float32", index, key)
    if value > 0 and single == 0:
        result.vanished += 1
    return single


def _matches(record: Dict[str, Any], index: int, rated: bool) -> Tuple[float, float]:
    if not rated:
        for key in ("forward_count", "reverse_count"):
            if key not in record:
                raise Refused("missing", index, key)
        return (
            _number(record["forward_count"], index, "forward_count"),
            _number(record["reverse_count"], index, "reverse_count"),
        )
    own = {}
    for key in ("forward_match_rate", "reverse_match_rate"):
        if key in record:
            own[key] = _number(record[key], index, key)
            if not 0 <= own[key] <= 1:
                raise Refused(f"{own[key]!r} is not a rate", index, key)
    other = next(iter(own.values()))
    return own.get("forward_match_rate", other), own.get("reverse_match_rate", other)


def _skip_range(record: Dict[str, Any], index: int, result: Converted) -> int:
    if "skip_range" not in record:
        result.defaulted["skip_range"] = result.defaulted.get("skip_range", 0) + 1
        return 0
    value = record["skip_range"]
    if isinstance(value, str):
        match = re.fullmatch(r"([0-9]+)-([0-9]+)", value)
        if not match or len(value) > 100:
            raise Refused(f"{reprlib.repr(value)}", index, "skip_range")
        value = int(match[2]) - int(match[1])
    elif isinstance(value, list):
        if len(value) != 2 or any(type(end) is not int for end in value):
            raise Refused(f"{reprlib.repr(value)}", index, "skip_range")
        value = value[1] - value[0]
    if type(value) is not int or not -(2**31) <= value <= 2**31 - 1:
        raise Refused(f"{reprlib.repr(value)}", index, "skip_range")
    return value


def _prng_name(record: Dict[str, Any], index: int) -> Tuple[int, str]:
    mode = record.get("skip_mode")
    if not isinstance(mode, str) or mode not in ("constant", "variable"):
        raise Refused(f"{reprlib.repr(mode)}", index, "skip_mode")
    if "prng_type" in record:
        name = record["prng_type"]
    elif "prng_base" in record:
        name = record["prng_base"]
        if isinstance(name, str) and mode == "variable":
            name += "_hybrid"
    else:
        raise Refused("missing", index, "prng_type")
    if not isinstance(name, str):
        raise Refused(f"{reprlib.repr(name)}", index, "prng_type")
    return int(mode == "variable"), name


def _prng_id(name: str, index: int, encoding: str) -> int:
    if encoding == "legacy":
        table, name = LEGACY, name[: -len("_hybrid")] if name.endswith("_hybrid") else name
    else:
        table = REGISTRY
    if name not in table:
        raise Refused(f"{name!r} is not in the table {encoding}", index, "prng_type")
    return table[name]
