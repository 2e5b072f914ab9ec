# SPDX-License-Identifier: MIT
"""DEMO of Step 2.5: searches scoring weights over the match arrays on every demo host's RAM disk, as workers do."""

from __future__ import annotations

import argparse
import glob
import json
import os
import time
from typing import Any, Dict, Tuple

import numpy as np
import numpy.typing as npt

NPZ = "bidirectional_survivors_binary.npz"
RAM_DISK = "-ramdisk"
JSON = "bidirectional_survivors.json"
FEATURES = ("forward_matches", "reverse_matches", "intersection_ratio", "survivor_overlap_ratio")

Floats = npt.NDArray[np.float64]


def load(path: str) -> Tuple[Dict[str, npt.NDArray[Any]], float]:
    """Read all arrays of an NPZ; return them and the seconds it took."""
    start = time.perf_counter()
    with np.load(path, allow_pickle=False) as npz:
        arrays = {name: npz[name] for name in npz.files}
    return arrays, time.perf_counter() - start


def ranks(values: Floats) -> Floats:
    """Ranks of `values`, shape (n,)."""
    return np.argsort(np.argsort(values, kind="stable"), kind="stable").astype(float)


def objective(weights: Floats, features: Floats, target: Floats) -> float:
    """Spearman correlation of the weighted features (k, n) with the target (n,) on the holdout half."""
    score = ranks((weights @ features)[1::2])
    goal = ranks(target[1::2])
    if score.std() == 0 or goal.std() == 0:
        return 0.0
    return float(np.corrcoef(score, goal)[0, 1])


def main() -> int:
    """Run from the script."""
    parser = argparse.ArgumentParser()
    parser.add_argument("trials", nargs="?", type=int, default=100)
    parser.add_argument("--sample-size", type=int, default=5000)
    args = parser.parse_args()

    print("=== DEMO Step 2.5: this is not the pipeline's scorer ===")
    copies = sorted(glob.glob(f"../*{RAM_DISK}/{NPZ}"))
    fleet = {os.path.basename(os.path.dirname(path))[: -len(RAM_DISK)]: path for path in copies}
    start = time.perf_counter()
    with open(JSON, encoding="utf-8") as file:
        count = len(json.load(file))
    json_seconds = time.perf_counter() - start
    print(f"{'host':<12}{'file':<8}{'MB':>8}{'survivors':>11}{'load s':>9}")
    print(f"{'zeus':<12}{'JSON':<8}{os.path.getsize(JSON) / 1e6:8.1f}{count:11d}{json_seconds:9.3f}")
    data = {}
    for host, path in fleet.items():
        arrays, seconds = load(path)
        data[host] = arrays
        print(
            f"{host:<12}{'NPZ':<8}{os.path.getsize(path) / 1e6:8.1f}{len(arrays['seeds']):11d}{seconds:9.3f}"
            f"   {json_seconds / seconds:.0f} times faster"
        )
    rng = np.random.default_rng(25)
    best: Dict[str, Any] = {"value": -np.inf}
    hosts = list(data)
    for trial in range(args.trials):
        host = hosts[trial % len(hosts)]
        arrays = data[host]
        sample = rng.permutation(len(arrays["seeds"]))[: args.sample_size]
        features = np.stack([arrays[name][sample].astype(float) for name in FEATURES])
        weights = rng.dirichlet(np.ones(len(FEATURES)))
        value = objective(weights, features, arrays["score"][sample].astype(float))
        if value > best["value"]:
            best = {"value": value, "trial": trial, "weights": dict(zip(FEATURES, weights.tolist()))}
        print(
            f"trial {trial + 1:>3}/{args.trials}  {host:<10} value {value:+.4f}  best {best['value']:+.4f}",
            flush=True,
        )
    with open("optimal_scorer_config.json", "w", encoding="utf-8") as file:
        json.dump({"demo": True, "survivors": count, **best}, file, indent=2)
    print("DEMO: wrote optimal_scorer_config.json")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
