# SPDX-License-Identifier: MIT
"""The same conversion by another library, a whole process: the rivals of `make bench-peers`.

usage: peer.py NAME IN.json OUT.npz     NAME: duckdb, duckdb-typed, polars, msgspec, orjson
       peer.py bound IN.json            read the file and compute its SHA-256

Each is written as its manual suggests, and makes the 22 arrays and `savez_compressed`. None checks a value,
computes a digest or flushes anything to the disk.
"""

# ruff: noqa: PLC0415 - each rival imports only what it needs
from __future__ import annotations

import gc
import hashlib
import sys
from pathlib import Path
from typing import Any, NamedTuple

BLOCK = 1 << 20


class Column(NamedTuple):
    """One array: its name, its numpy dtype, the key it comes from."""

    array: str
    dtype: str
    key: str


def columns_of(path: str) -> list[Column]:
    """The 22 arrays; counts stand in for the match rates where the file has none (shape A)."""
    sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests" / "support"))
    from oracle_tables import TABLE

    with open(path, "rb") as file:
        rates = b'"forward_match_rate"' in file.read(BLOCK)
    return [
        Column(array, dtype, key if rates else key.replace("_match_rate", "_count"))
        for array, dtype, key in TABLE
    ]


def _ids() -> dict[str, int]:
    from oracle_tables import REGISTRY

    return REGISTRY


def duckdb(path: str, columns: list[Column], typed: bool = False) -> dict[str, Any]:
    """`read_json`; typed: told the columns and their types, so that it need not find them out."""
    import duckdb

    kinds = {"uint32": "UINTEGER", "int32": "INTEGER", "float32": "FLOAT", "uint8": "VARCHAR"}
    cases = " ".join(f"WHEN '{name}' THEN {number}" for name, number in _ids().items())
    special = {
        "skip_mode": "(skip_mode = 'variable')::UTINYINT",
        "prng_type": f"(CASE prng_type {cases} END)::UTINYINT",
    }
    wanted = ", ".join(f'{special.get(c.array, chr(34) + c.key + chr(34))} AS "{c.array}"' for c in columns)
    told = ", ".join(f"'{key}': '{kind}'" for key, kind in {c.key: kinds[c.dtype] for c in columns}.items())
    options = f", format = 'array', columns = {{{told}}}" if typed else ""
    found: dict[str, Any] = duckdb.sql(f"SELECT {wanted} FROM read_json('{path}'{options})").fetchnumpy()  # noqa: S608
    return found


def polars(path: str, columns: list[Column]) -> dict[str, Any]:
    """`read_json`, then one expression per array."""
    import polars as pl

    kinds = {"uint32": pl.UInt32, "int32": pl.Int32, "float32": pl.Float32, "uint8": pl.UInt8}
    special = {
        "skip_mode": pl.col("skip_mode") == "variable",
        "prng_type": pl.col("prng_type").replace_strict(_ids()),
    }
    frame = pl.read_json(path).select(
        special.get(c.array, pl.col(c.key)).cast(kinds[c.dtype]).alias(c.array) for c in columns
    )
    return {c.array: frame[c.array].to_numpy() for c in columns}


def msgspec(path: str, columns: list[Column]) -> dict[str, Any]:
    """A typed Struct per record; other keys are skipped by the parser."""
    import msgspec

    kinds = {"uint32": int, "int32": int, "float32": float, "uint8": str}
    keys = {c.key: kinds[c.dtype] for c in columns}
    record = msgspec.defstruct("Survivor", list(keys.items()), gc=False)
    with open(path, "rb") as file:
        found = msgspec.json.decode(file.read(), type=list[record])  # type: ignore[valid-type]
    return _from_lists({key: [getattr(one, key) for one in found] for key in keys}, columns)


def orjson(path: str, columns: list[Column]) -> dict[str, Any]:
    """The whole file as dicts."""
    import orjson

    gc.disable()
    with open(path, "rb") as file:
        found = orjson.loads(file.read())
    return _from_lists({c.key: [one[c.key] for one in found] for c in columns}, columns)


def _from_lists(values: dict[str, list[Any]], columns: list[Column]) -> dict[str, Any]:
    ids = _ids()
    values["skip_mode"] = [mode == "variable" for mode in values["skip_mode"]]
    values["prng_type"] = [ids[name] for name in values["prng_type"]]
    return {c.array: values[c.key] for c in columns}


def bound(path: str) -> str:
    """What any converter that proves what it read has to do."""
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while block := file.read(BLOCK):
            digest.update(block)
    return digest.hexdigest()


def main(name: str, source: str, target: str = "") -> None:
    if name == "bound":
        print(bound(source))
        return
    import numpy as np

    columns = columns_of(source)
    kind, _, typed = name.partition("-")
    extra = (True,) if typed else ()
    found = {"duckdb": duckdb, "polars": polars, "msgspec": msgspec, "orjson": orjson}[kind](
        source, columns, *extra
    )
    made: dict[str, Any] = {c.array: np.asarray(found[c.array], dtype=c.dtype) for c in columns}
    np.savez_compressed(target, allow_pickle=False, **made)


if __name__ == "__main__":
    main(*sys.argv[1:])
