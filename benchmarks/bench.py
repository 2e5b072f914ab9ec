# SPDX-License-Identifier: MIT
"""`make bench`: the converter beside the plain one, in one run, as ratios of whole processes.

Prints the ratios, writes bench.json into build/bench/. Inputs are the pipeline's
field data where ../shared is at hand, else the project's own survivors and a yardstick of its own; they
are rebuilt in .cache/.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import platform
import random
import shutil
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any, Dict, List

from inputs import Input, grown, main_inputs, warm, yardstick
from measure import MIB, Cost, module_command, peak_memory, timed

ROOT = Path(__file__).resolve().parents[1]
MODULE = ROOT / "library" / "convert_survivors.py"
BARE = str(Path(__file__).with_name("bare.py"))
MUST = {1: 0.45, 2: 0.30}
GOAL = {1: 0.40, 2: 0.25}
FRESH_MUST = 1.3
LINEAR_MUST = 1.1
LARGE = (1_400_000, 2_000_000)


class Bench:
    """One benchmark run: where its temporary files are, how often each contender starts."""

    def __init__(self, work: Path, rounds: int) -> None:
        self.work, self.rounds = work, rounds

    def convert_command(self, source: Input, workers: int) -> List[str]:
        """Our module, onto an empty destination directory, so that every run converts."""
        target = self.work / f"out-{workers}"
        shutil.rmtree(target, ignore_errors=True)
        target.mkdir()
        args: Dict[str, object] = {
            "src": str(source.path),
            "dest": str(target / "survivors.npz"),
            "workers": workers,
        }
        return module_command(MODULE, args, self.work / "args.json")

    def speed(self, source: Input) -> Dict[str, Any]:
        """Wall time beside the plain converter, bare json.load and the bound; medians of ratios."""
        warm(source.path)
        plain = [sys.executable, str(yardstick()), str(source.path), str(self.work / "plain.npz")]
        others = {"plain": plain, "json": [sys.executable, BARE, "json", str(source.path)]}
        others["bound"] = [sys.executable, BARE, "pieces", str(source.path)]
        rounds: List[Dict[str, Cost]] = []
        for number in range(self.rounds):
            costs: Dict[str, Cost] = {}
            names = ["plain", "json", "bound", "1", "2"]
            random.Random(number).shuffle(names)
            for name in names:
                costs[name] = timed(
                    others[name] if name in others else self.convert_command(source, int(name))
                )
            rounds.append(costs)
        workers = {}
        for count in (1, 2):
            name = str(count)
            workers[name] = {
                "seconds": _median(rounds, name),
                "ratio": _ratio(rounds, name, "plain"),
                "to_json_load": _ratio(rounds, name, "json"),
                "to_bound": _ratio(rounds, name, "bound"),
                # A machine that does other things too changes wall time more than this.
                "cpu_ratio": statistics.median(c[name].cpu / c["plain"].cpu for c in rounds),
                "cpu_seconds": statistics.median(costs[name].cpu for costs in rounds),
                "goal": GOAL[count],
                "must": MUST[count],
            }
        seconds = {name: _median(rounds, name) for name in others}
        return {
            "input": source.name,
            "survivors": source.survivors,
            "json_mb": source.size / 1e6,
            "seconds": seconds,
            "workers": workers,
            "plain_mib": peak_memory(plain).summed / MIB,
            "npz": self.npz(),
        }

    def npz(self) -> Dict[str, Any]:
        """Size and loading time of the NPZ made last, beside savez_compressed of the same arrays."""
        ours, theirs = self.work / "out-2" / "survivors.npz", self.work / "savez.npz"
        timed([sys.executable, BARE, "savez", str(ours), str(theirs)])
        ratios = []
        for _ in range(self.rounds):
            each = [float(_output([sys.executable, BARE, "load", str(p), "15"])) for p in (ours, theirs)]
            ratios.append(each[0] / each[1])
        sizes = ours.stat().st_size, theirs.stat().st_size
        return {
            "bytes": sizes[0],
            "savez_bytes": sizes[1],
            "size_ratio": sizes[0] / sizes[1],
            "load_ratio": statistics.median(ratios),
        }

    def memory(self, source: Input) -> Dict[str, Any]:
        """Peak PSS with 2 workers (runs of their own: sampling costs time), beside the limits."""
        warm(source.path)
        peak = max(
            (peak_memory(self.convert_command(source, 2)) for _ in range(1 if self.rounds == 1 else 2)),
            key=lambda p: p.summed,
        )
        single = peak_memory(self.convert_command(source, 1))
        return {
            "input": source.name,
            "survivors": source.survivors,
            "json_mb": source.size / 1e6,
            "summed_mib": peak.summed / MIB,
            "largest_mib": peak.largest / MIB,
            "one_worker_mib": single.summed / MIB,
            "processes": peak.processes,
            "samples": peak.samples,
            "summed_limit_mib": 250 + 100 * source.survivors / MIB,
            "largest_limit_mib": 130 + 82 * source.survivors / MIB,
        }

    def linear(self, base: Input, large: List[Input]) -> List[Dict[str, Any]]:
        """Time per survivor at each size, relative to the base file's, in alternating runs."""
        found = []
        for source in large:
            warm(source.path)
            ratios: Dict[str, List[float]] = {"1": [], "2": []}
            for _ in range(max(2, self.rounds // 2)):
                for count, each in ratios.items():
                    pair = [
                        timed(self.convert_command(s, int(count))).wall / s.survivors for s in (base, source)
                    ]
                    each.append(pair[1] / pair[0])
            found.append(
                {
                    "survivors": source.survivors,
                    "json_mb": source.size / 1e6,
                    "to_linear": {count: statistics.median(each) for count, each in ratios.items()},
                    "must": LINEAR_MUST,
                }
            )
        return found

    def fresh(self, source: Input, runs: int) -> Dict[str, Any]:
        """A run with nothing to do, beside `stat` of the NPZ without a checksum; both as module runs."""
        target = self.work / "fresh" / "survivors.npz"
        target.parent.mkdir(exist_ok=True)
        ours = module_command(
            MODULE, {"src": str(source.path), "dest": str(target)}, self.work / "fresh-args.json"
        )
        spec = importlib.util.find_spec("ansible.modules.stat")
        assert spec is not None and spec.origin is not None
        args: Dict[str, object] = {"path": str(target), "get_checksum": False}
        stat = module_command(Path(spec.origin), args, self.work / "stat-args.json")
        timed(ours)
        timed(stat)
        pairs = []
        for number in range(runs):
            order = (ours, stat) if number % 2 else (stat, ours)
            walls = {id(argv): timed(argv).wall for argv in order}
            pairs.append((walls[id(ours)], walls[id(stat)]))
        return {
            "seconds": statistics.median(a for a, _ in pairs),
            "stat_seconds": statistics.median(b for _, b in pairs),
            "ratio": statistics.median(a / b for a, b in pairs),
            "runs": runs,
            "must": FRESH_MUST,
        }


def _median(rounds: List[Dict[str, Cost]], name: str) -> float:
    return statistics.median(costs[name].wall for costs in rounds)


def _ratio(rounds: List[Dict[str, Cost]], name: str, other: str) -> float:
    return statistics.median(costs[name].wall / costs[other].wall for costs in rounds)


def _output(argv: List[str]) -> str:
    return subprocess.run(argv, check=True, capture_output=True, text=True).stdout


def say(results: Dict[str, Any]) -> None:
    """Print the figures as ratios."""
    for entry in results["speed"]:
        print(f"\n{entry['input']}: {entry['survivors']:,} survivors, {entry['json_mb']:.0f} MB of JSON")
        plain = entry["seconds"]["plain"]
        print(f"  plain converter {plain:.2f} s, {entry['plain_mib']:.0f} MiB;", end=" ")
        print(f"json.load {entry['seconds']['json']:.2f} s; bound {entry['seconds']['bound']:.2f} s")
        for count, figures in entry["workers"].items():
            print(
                f"  {count} worker(s): {figures['ratio']:.3f} of plain (goal {figures['goal']}, must "
                f"{figures['must']}), {figures['to_json_load']:.2f} of json.load, "
                f"{figures['to_bound']:.2f} of the bound, {figures['seconds']:.2f} s; "
                f"CPU {figures['cpu_ratio']:.3f} of plain"
            )
        npz = entry["npz"]
        print(f"  NPZ {npz['bytes']:,} bytes: {npz['size_ratio']:.4f} of savez_compressed;", end=" ")
        print(f"np.load {npz['load_ratio']:.2f} of its time")
    print()
    for entry in results["memory"]:
        print(
            f"memory at {entry['survivors']:,}: {entry['summed_mib']:.0f} MiB in all (limit "
            f"{entry['summed_limit_mib']:.0f}), largest process {entry['largest_mib']:.0f} (limit "
            f"{entry['largest_limit_mib']:.0f}); one worker {entry['one_worker_mib']:.0f}; PSS"
        )
    for entry in results["linear"]:
        each = ", ".join(f"{value:.3f} with {count}" for count, value in entry["to_linear"].items())
        print(
            f"time at {entry['survivors']:,} survivors: {each} worker(s), linear = 1 (must {entry['must']})"
        )
    fresh = results["fresh"]
    print(
        f"fresh: {fresh['ratio']:.3f} of stat (must {fresh['must']}): {fresh['seconds'] * 1e3:.0f} ms, "
        f"stat {fresh['stat_seconds'] * 1e3:.0f} ms, {fresh['runs']} runs each"
    )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--out", type=Path, default=ROOT / "build" / "bench")
    parser.add_argument("--cache", type=Path, default=ROOT / ".cache" / "bench")
    parser.add_argument("--rounds", type=int, default=5, help="runs of each contender (default 5)")
    parser.add_argument("--survivors", type=int, help="one small generated file instead of the field's")
    parser.add_argument("--no-large", action="store_true", help="leave out 1.4 and 2 million survivors")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    options.cache.mkdir(parents=True, exist_ok=True)
    files = main_inputs(options.cache, options.survivors)
    small = options.survivors is not None
    large = [] if small or options.no_large else [grown(options.cache, files[0], count) for count in LARGE]
    with tempfile.TemporaryDirectory(prefix="bench-", dir=options.cache) as work:
        bench = Bench(Path(work), options.rounds)
        results: Dict[str, Any] = {
            "machine": {"cpus": len(os.sched_getaffinity(0)), "python": platform.python_version()},
            "rounds": options.rounds,
            "yardstick": yardstick().name,
            "speed": [bench.speed(source) for source in files],
            "memory": [bench.memory(source) for source in [*files[:1], *large]],
            "linear": bench.linear(files[0], large),
            "fresh": bench.fresh(files[0], 1 if small else 31),
        }
    say(results)
    target = options.out / "bench.json"
    target.write_text(json.dumps(results, indent=2) + "\n", encoding="utf-8")
    print(f"\n{target} (`make plots` draws it)")


if __name__ == "__main__":
    main()
