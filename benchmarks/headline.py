# SPDX-License-Identifier: MIT
"""`make bench-headline`: what the NPZ is for. JSON and NPZ of field survivors, size and load time.

One worker, and 26 at once on this machine: each is a process that has imported numpy, waits for the common
start, and loads the whole file from the page cache. Writes headline.json into build/bench/.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, NamedTuple

from fleet import machine, write
from inputs import REBUILD, ROOT, Input, field, warm
from measure import MIB, module_command, timed

BARE = Path(__file__).with_name("bare.py")
WORKERS = 26
FIELD = ("field-98172-v3", "field-379702-v0")
# The share of the free memory that workers may take; where 26 need more, some wait for others.
SPARE = 0.6


class Claim(NamedTuple):
    """What the proposal says of a form: its size, seconds of one load, seconds of 26 workers' loads."""

    megabytes: tuple[float, ...]
    one: float
    total: float


CLAIMS = {"json": Claim((58, 258), 4.2, 109), "npz": Claim((0.6,), 0.05, 1.3)}
CLAIM_RATIO = 88


class Loads(NamedTuple):
    """Some workers' loads: wall seconds until the last one, CPU seconds added up, one's peak in bytes."""

    wall: float
    cpu: float
    peak: int


def loads(path: Path, workers: int, at_once: int) -> Loads:
    """Let workers load a file, at most `at_once` of them in memory.

    Raises:
        RuntimeError: a worker could not load it.
    """
    command = [sys.executable, str(BARE), "worker", str(path)]
    wall = 0.0
    cpu: list[float] = []
    peaks: list[int] = []
    for first in range(0, workers, at_once):
        wave = [
            subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
            for _ in range(min(at_once, workers - first))
        ]
        for process in wave:
            if not process.stdout or process.stdout.readline() != "ready\n":
                raise RuntimeError(f"a worker did not start for {path.name}")
        start = time.perf_counter()
        for process in wave:
            if process.stdin:
                process.stdin.write("go\n")
                process.stdin.flush()
        answers = [process.communicate()[0].split() for process in wave]
        if any(process.returncode for process in wave):
            raise RuntimeError(f"a worker could not load {path.name}")
        # One worker's load: its own clock, since the answer comes after numpy's teardown.
        wall += float(answers[0][0]) if workers == 1 else time.perf_counter() - start
        cpu += [float(answer[1]) for answer in answers]
        peaks += [int(answer[2]) for answer in answers]
    return Loads(wall, sum(cpu), max(peaks))


def available() -> int:
    """Bytes of memory that are free for workers."""
    with open("/proc/meminfo", encoding="ascii") as file:
        found = {line.split(":")[0]: int(line.split()[1]) for line in file}
    return found["MemAvailable"] * 1024


def compare(source: Input, work: Path, rounds: int) -> dict[str, Any]:
    """Convert a file, then let workers load both forms, in turns; medians."""
    npz = work / "survivors.npz"
    module = ROOT / "library" / "convert_survivors.py"
    timed(module_command(module, {"src": str(source.path), "dest": str(npz), "force": True}, work / "args"))
    forms: dict[str, Any] = {}
    paths = {"json": source.path, "npz": npz}
    for name, path in paths.items():
        warm(path)
        peak = loads(path, 1, 1).peak
        room = max(1, int(available() * SPARE) // peak)
        forms[name] = {"bytes": path.stat().st_size, "peak": peak, "at_once": min(WORKERS, room)}
    runs: dict[str, list[tuple[Loads, Loads]]] = {name: [] for name in paths}
    for _ in range(rounds):
        for name, path in paths.items():
            runs[name].append((loads(path, 1, 1), loads(path, WORKERS, forms[name]["at_once"])))
    for name, found in runs.items():
        forms[name] |= {
            "one": statistics.median(one.wall for one, _ in found),
            "one_cpu": statistics.median(one.cpu for one, _ in found),
            "wall": statistics.median(every.wall for _, every in found),
            "cpu": statistics.median(every.cpu for _, every in found),
        }
    ratios = {
        "one": statistics.median(j[0].wall / n[0].wall for j, n in zip(runs["json"], runs["npz"])),
        "cpu": statistics.median(j[1].cpu / n[1].cpu for j, n in zip(runs["json"], runs["npz"])),
        "wall": statistics.median(j[1].wall / n[1].wall for j, n in zip(runs["json"], runs["npz"])),
    }
    return {"survivors": source.survivors, "input": source.name, **forms, "ratios": ratios}


def text(entry: dict[str, Any]) -> str:
    """One file's figures, and the proposal's beside them."""
    lines = [f"{entry['survivors']:,} survivors ({entry['input']})"]
    for name, claim in CLAIMS.items():
        form = entry[name]
        waves = "" if form["at_once"] == WORKERS else f" ({form['at_once']} at once, for lack of memory)"
        size = " to ".join(map(str, claim.megabytes))
        lines += [
            f"  {name.upper():5}{form['bytes'] / 1e6:.2f} MB (claimed {size})",
            f"       one worker: {form['one']:.3f} s (claimed {claim.one}), CPU {form['one_cpu']:.3f} s, "
            f"{form['peak'] / MIB:.0f} MiB",
            f"       {WORKERS} workers{waves}: {form['wall']:.2f} s until the last, "
            f"{form['cpu']:.2f} s of CPU time in all (claimed {claim.total})",
        ]
    ratios, smaller = entry["ratios"], entry["json"]["bytes"] / entry["npz"]["bytes"]
    wall, cpu = ratios["wall"], ratios["cpu"]
    held = "holds" if ratios["one"] >= CLAIM_RATIO else "does NOT hold"
    lines += [
        f"  The NPZ is {smaller:.0f} times smaller and loads {ratios['one']:.0f} times faster: the claimed "
        f"{CLAIM_RATIO} times {held}.",
        f"  {WORKERS} workers have it {wall:.0f} times sooner, in 1/{cpu:.0f} of the CPU time.",
    ]
    return "\n".join(lines)


def main() -> int:
    """Measure, show, write."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--out", type=Path, default=ROOT / "build" / "bench")
    parser.add_argument("--cache", type=Path, default=ROOT / ".cache" / "bench")
    parser.add_argument("--save", action="store_true", help="write into benchmarks/results/ too")
    asked = parser.parse_args()
    if not REBUILD.exists():
        print("bench-headline: skipped, the field's survivors (../shared/data) are not here")
        return 0
    asked.cache.mkdir(parents=True, exist_ok=True)
    results: dict[str, Any] = {"machine": machine(), "workers": WORKERS, "files": []}
    with tempfile.TemporaryDirectory(prefix="headline-", dir=asked.cache) as work:
        for name in FIELD:
            results["files"].append(compare(field(asked.cache, name), Path(work), asked.rounds))
            print(text(results["files"][-1]), flush=True)
    write("headline", results, asked.out, asked.save)
    return 0


if __name__ == "__main__":
    sys.exit(main())
