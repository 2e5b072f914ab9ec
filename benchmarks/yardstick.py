# SPDX-License-Identifier: MIT
"""A plain converter, to stand in for the pipeline's own where ../shared is absent.

usage: yardstick.py IN.json OUT.npz. `json.load`, a list comprehension per column, `savez_compressed`,
no checks.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any, Dict

import numpy as np

_SUPPORT = Path(__file__).resolve().parents[1] / "tests" / "support"
sys.path.insert(0, str(_SUPPORT))
from oracle_tables import REGISTRY, SPECIAL, TABLE  # noqa: E402


def main(source: str, target: str) -> None:
    with open(source, encoding="utf-8") as file:
        survivors = json.load(file)
    arrays: Dict[str, Any] = {"seeds": np.array([s["seed"] for s in survivors], dtype=np.uint32)}
    for side in ("forward", "reverse"):
        rates = [s.get(f"{side}_match_rate", s.get(f"{side}_count", 0.0)) for s in survivors]
        arrays[f"{side}_matches"] = np.array(rates, dtype=np.float32)
    for name, dtype, key in TABLE:
        if name not in SPECIAL or name == "skip_range":
            arrays[name] = np.array([s.get(key, 0) for s in survivors], dtype=dtype)
    arrays["skip_mode"] = np.array([int(s["skip_mode"] == "variable") for s in survivors], dtype=np.uint8)
    arrays["prng_type"] = np.array([REGISTRY[s["prng_type"]] for s in survivors], dtype=np.uint8)
    np.savez_compressed(target, allow_pickle=False, **arrays)


if __name__ == "__main__":
    main(*sys.argv[1:])
