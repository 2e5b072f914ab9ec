# SPDX-License-Identifier: MIT
"""Parsing alone, in a process of its own: the comparison and the bound.

usage: bare.py json FILE     `json.load` of the whole file
       bare.py pieces FILE   `orjson.loads` of pieces cut at record ends, values thrown away
       bare.py savez NPZ OUT `savez_compressed` of the arrays in NPZ
       bare.py load NPZ N    median seconds of N whole loads with `numpy.load`, printed
       bare.py worker FILE   as a worker of Step 2.5: waits for a line, loads FILE once, prints
                             wall and CPU seconds of that, and its peak memory in bytes
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


def load_once(path: str) -> float:
    """Load a whole NPZ or JSON file; return the seconds."""
    import numpy as np

    start = time.perf_counter()
    if path.endswith(".npz"):
        with np.load(path, allow_pickle=False) as npz:
            held: object = {name: npz[name] for name in npz.files}
    else:
        with open(path, encoding="utf-8") as file:
            held = json.load(file)
    seconds = time.perf_counter() - start
    del held
    return seconds


def load_seconds(path: str, count: int) -> float:
    load_once(path)
    return statistics.median(load_once(path) for _ in range(count))


def worker(path: str) -> None:
    import numpy  # noqa: F401 - a worker has it before it loads anything

    print("ready", flush=True)
    sys.stdin.readline()
    start = time.process_time()
    seconds = load_once(path)
    cpu = time.process_time() - start
    # Not getrusage: its peak contains the parent's, from before exec.
    with open("/proc/self/status", encoding="ascii") as status:
        peak = next(int(line.split()[1]) * 1024 for line in status if line.startswith("VmHWM:"))
    print(seconds, cpu, peak)


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
    elif what == "worker":
        worker(path)
    elif what == "load":
        print(load_seconds(path, int(extra)))
    else:
        raise SystemExit(__doc__)


if __name__ == "__main__":
    main(*sys.argv[1:])
