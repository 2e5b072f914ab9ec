# SPDX-License-Identifier: MIT
"""`make bench-peers`: the converter beside other libraries, whole processes in one run, as ratios.

Every rival makes the same 22 arrays (compared before anything is measured) with `savez_compressed`. Ours also
checks every value, hashes JSON and NPZ, and flushes NPZ and sidecar to the disk. The bound is to read the file
and compute its SHA-256. Writes peers.json into build/bench/.
"""

from __future__ import annotations

import argparse
import os
import random
import shutil
import statistics
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from fleet import label, machine, write
from inputs import PLAIN, ROOT, Input, main_inputs, warm
from measure import MIB, Cost, module_command, peak_memory, timed

PEER = Path(__file__).with_name("peer.py")
LIBRARIES = ROOT / "build" / "peers"
RIVALS = ("duckdb", "duckdb-typed", "polars", "msgspec", "orjson")
PACKAGES = ("duckdb", "polars", "msgspec", "orjson", "numpy")
# By file: at most so much of DuckDB's time; of the first also at most so many times the bound.
MUST = {"duckdb": (0.65, 0.60), "bound": (2.2,)}
GOAL = {"duckdb": (0.50,), "bound": (1.7,)}


class Contender(NamedTuple):
    """One command on one file, and where its NPZ will be; the bound has none."""

    name: str
    argv: list[str]
    npz: Path | None

    def run(self) -> Cost:
        """Measure it once."""
        self.clear()
        return timed(self.argv)

    def clear(self) -> None:
        """Take its result away, so that the next run converts again."""
        if self.npz:
            shutil.rmtree(self.npz.parent, ignore_errors=True)
            self.npz.parent.mkdir()


def contenders(source: Input, work: Path, checkouts: Sequence[Path]) -> list[Contender]:
    """Our checkouts with two workers and with one, the rivals, the plain converter, the bound."""
    found = []
    for number, root in enumerate(checkouts):
        for workers in (2, 1):
            npz = work / f"ours-{number}-{workers}" / "survivors.npz"
            args: dict[str, object] = {"src": str(source.path), "dest": str(npz), "workers": workers}
            module = root / "library" / "convert_survivors.py"
            command = module_command(module, args, work / f"{npz.parent.name}.json")
            found.append(Contender(f"{label(root)}, {workers}", command, npz))
    for name in RIVALS:
        npz = work / name / "survivors.npz"
        found.append(Contender(name, [sys.executable, str(PEER), name, str(source.path), str(npz)], npz))
    if PLAIN.exists():
        npz = work / "plain" / "survivors.npz"
        found.append(Contender("plain", [sys.executable, str(PLAIN), str(source.path), str(npz)], npz))
    found.append(Contender("bound", [sys.executable, str(PEER), "bound", str(source.path)], None))
    return found


def same_arrays(every: Sequence[Contender]) -> None:
    """Let each convert once. Raises RuntimeError for one whose arrays are not those of the first."""
    goal: dict[str, Any] = {}
    for one in every:
        one.run()
        if not one.npz:
            continue
        with np.load(one.npz) as npz:
            arrays = {name: npz[name] for name in npz.files}
        goal = goal or arrays
        wrong = [
            name
            for name, array in goal.items()
            if name not in arrays
            or arrays[name].dtype != array.dtype
            or not np.array_equal(array, arrays[name])
        ]
        if wrong:
            raise RuntimeError(f"{one.name}: other arrays than {every[0].name}: {', '.join(wrong)}")


def compare(source: Input, work: Path, checkouts: Sequence[Path], rounds: int) -> dict[str, Any]:
    """Every contender once a round, in another order each time; then its memory, in a run of its own."""
    every = contenders(source, work, checkouts)
    warm(source.path)
    same_arrays(every)
    runs: dict[str, list[dict[str, float]]] = {one.name: [] for one in every}
    for number in range(rounds):
        for one in random.Random(number).sample(every, len(every)):
            cost = one.run()
            runs[one.name].append({"wall": cost.wall, "cpu": cost.cpu})
    memory = {}
    for one in every:
        one.clear()
        memory[one.name] = peak_memory(one.argv).summed / MIB
    return {
        "input": source.name,
        "survivors": source.survivors,
        "bytes": source.size,
        "ours": every[0].name,
        "runs": runs,
        "mib": memory,
    }


def ratio(entry: dict[str, Any], one: str, other: str, what: str = "wall") -> float:
    """The median over the rounds."""
    pairs = zip(entry["runs"][one], entry["runs"][other])
    return float(statistics.median(mine[what] / theirs[what] for mine, theirs in pairs))


def faults(entries: Sequence[dict[str, Any]]) -> list[str]:
    """The limits that do not hold."""
    found = []
    for other, limits in MUST.items():
        for entry, limit in zip(entries, limits):
            is_now = ratio(entry, entry["ours"], other)
            if is_now > limit:
                found.append(f"{entry['input']}: {is_now:.2f} of {other}, at most {limit}")
    return found


def text(number: int, entry: dict[str, Any]) -> str:
    """One file's table: ours as ratios to each, wall and CPU time."""
    ours = entry["ours"]
    lines = [f"{entry['input']}: {entry['survivors']:,} survivors, {entry['bytes'] / 1e6:.0f} MB of JSON"]
    for name, runs in entry["runs"].items():
        line = f"  {name:14}{statistics.median(run['wall'] for run in runs):7.2f} s, CPU "
        line += f"{statistics.median(run['cpu'] for run in runs):5.2f} s, {entry['mib'][name]:5.0f} MiB"
        if name != ours:
            line += f"; ours {ratio(entry, ours, name):.2f} of it, CPU {ratio(entry, ours, name, 'cpu'):.2f}"
        limits = [
            f"{word} {table[name][number]}"
            for word, table in (("must", MUST), ("goal", GOAL))
            if number < len(table.get(name, ()))
        ]
        lines.append(f"{line} ({', '.join(limits)})" if limits else line)
    return "\n".join(lines)


def versions() -> dict[str, str]:
    """The rivals' versions."""
    from importlib.metadata import version  # noqa: PLC0415 - after the path to them is set

    return {name: version(name) for name in PACKAGES}


def main() -> int:
    """Measure, show, write; 1 where --check is given and a limit does not hold."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--survivors", type=int, help="one small generated file instead of the field's")
    parser.add_argument("--checkout", type=Path, nargs="+", default=[ROOT], help="checkouts, side by side")
    parser.add_argument("--out", type=Path, default=ROOT / "build" / "bench")
    parser.add_argument("--cache", type=Path, default=ROOT / ".cache" / "bench")
    parser.add_argument("--save", action="store_true", help="write into benchmarks/results/ too")
    parser.add_argument("--check", action="store_true", help="exit code 1 where a limit does not hold")
    asked = parser.parse_args()
    if not LIBRARIES.is_dir():
        print("bench-peers: build/peers is missing, `make bench-peers` installs it")
        return 1
    asked.cache.mkdir(parents=True, exist_ok=True)
    os.environ["PYTHONPATH"] = str(LIBRARIES)
    sys.path.insert(0, str(LIBRARIES))
    results: dict[str, Any] = {"machine": machine(), "versions": versions(), "files": []}
    with tempfile.TemporaryDirectory(prefix="peers-", dir=asked.cache) as work:
        for number, source in enumerate(main_inputs(asked.cache, asked.survivors)):
            results["files"].append(compare(source, Path(work), asked.checkout, asked.rounds))
            print(text(number, results["files"][-1]), flush=True)
    write("peers", results, asked.out, asked.save)
    wrong = [] if asked.survivors else faults(results["files"])
    print("".join(f"DOES NOT HOLD: {line}\n" for line in wrong), end="")
    return 1 if wrong and asked.check else 0


if __name__ == "__main__":
    sys.exit(main())
