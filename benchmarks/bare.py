"""Parsing alone, in a process of its own: the comparison and the bound.

usage: bare.py json FILE     `json.load` of the whole file
       bare.py pieces FILE   `orjson.loads` of pieces cut at record ends, values thrown away
       bare.py savez NPZ OUT `savez_compressed` of the arrays in NPZ
       bare.py load NPZ N    median seconds of N whole loads with `numpy.load`, printed
"""

# ruff: noqa: PLC0415 - each mode imports only what it measures
from __future__ import annotations

import gc
import json
import statistics
import sys
import time

PIECE = 2 << 20


def pieces(path: str) -> None:
    import orjson

    gc.disable()
    rest = b""
    with open(path, "rb") as file:
        while block := file.read(PIECE):
            data = rest + block
            end = data.rfind(b"}") + 1
            # A record's end or, nested, not: then wait for more.
            try:
                orjson.loads(b"[" + data[:end].lstrip(b" \r\n\t,[") + b"]")
                rest = data[end:]
            except orjson.JSONDecodeError:
                rest = data
    if rest.strip(b" \r\n\t[],"):
        raise SystemExit(f"{path}: a rest of {len(rest)} bytes")


def load_seconds(path: str, count: int) -> float:
    import numpy as np

    def once() -> float:
        start = time.perf_counter()
        with np.load(path, allow_pickle=False) as npz:
            for name in npz.files:
                npz[name]
        return time.perf_counter() - start

    once()
    return statistics.median(once() for _ in range(count))


def main(what: str, path: str, extra: str = "") -> None:
    if what == "json":
        with open(path, encoding="utf-8") as file:
            json.load(file)
    elif what == "pieces":
        pieces(path)
    elif what == "savez":
        import numpy as np

        with np.load(path, allow_pickle=False) as npz:
            np.savez_compressed(extra, **{name: npz[name] for name in npz.files})
    elif what == "load":
        print(load_seconds(path, int(extra)))
    else:
        raise SystemExit(__doc__)


if __name__ == "__main__":
    main(*sys.argv[1:])
