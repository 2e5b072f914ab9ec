# SPDX-License-Identifier: MIT
"""`make bench-check`: has the converter become slower, larger or hungrier than its committed figures?

Our own survivors, our own plain converter (yardstick.py) beside it in the same run: ratios, so that the machine
does not matter much. A figure that is worse than the committed one by more than its tolerance is a fault. With
--report the exit code is 0 all the same: for machines that others use too, such as CI's.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

from fleet import RESULTS, machine
from inputs import ROOT, Input, generated, warm
from measure import MIB, module_command, peak_memory, timed

COMMITTED = RESULTS / "check.json"
SIZES = (98_172, 379_702)
# By how much each figure may be worse; NPZ bytes depend on zlib alone, whose builds differ a little.
TOLERANCE = {
    "CPU, one worker / plain": 0.20,
    "CPU, two workers / plain": 0.20,
    "wall, two workers / plain": 0.35,
    "memory, two workers / plain": 0.20,
    "NPZ / plain NPZ": 0.02,
    "CPU of np.load, NPZ / JSON": 0.30,
}


def measured(source: Input, work: Path, rounds: int) -> dict[str, float]:
    """The figures, medians of the rounds' ratios."""
    warm(source.path)
    theirs, ours = work / "plain.npz", work / "out" / "survivors.npz"
    plain = [sys.executable, str(Path(__file__).with_name("yardstick.py")), str(source.path), str(theirs)]

    def convert(workers: int) -> list[str]:
        shutil.rmtree(ours.parent, ignore_errors=True)
        ours.parent.mkdir()
        args: dict[str, object] = {"src": str(source.path), "dest": str(ours), "workers": workers}
        return module_command(ROOT / "library" / "convert_survivors.py", args, work / "args.json")

    def load(path: Path) -> list[str]:
        return [sys.executable, str(Path(__file__).with_name("bare.py")), "load", str(path), "1"]

    found: dict[str, list[float]] = {}
    for _ in range(rounds):
        bare, one, two = timed(plain), timed(convert(1)), timed(convert(2))
        each = {
            "CPU, one worker / plain": one.cpu / bare.cpu,
            "CPU, two workers / plain": two.cpu / bare.cpu,
            "wall, two workers / plain": two.wall / bare.wall,
            "NPZ / plain NPZ": ours.stat().st_size / theirs.stat().st_size,
            "CPU of np.load, NPZ / JSON": timed(load(ours)).cpu / timed(load(source.path)).cpu,
        }
        for name, value in each.items():
            found.setdefault(name, []).append(value)
    figures = {name: statistics.median(values) for name, values in found.items()}
    figures["memory, two workers / plain"] = peak_memory(convert(2)).summed / peak_memory(plain).summed
    return figures


def faults(now: Mapping[str, float], then: Mapping[str, float]) -> list[str]:
    """What is worse than it was by more than its tolerance."""
    return [
        f"{name}: {now[name]:.3f}, committed {then[name]:.3f}, at most {share:.0%} more"
        for name, share in TOLERANCE.items()
        if name in then and now[name] > then[name] * (1 + share)
    ]


def text(source: Input, now: Mapping[str, float], then: Mapping[str, float]) -> str:
    """One size's table."""
    lines = [f"{source.survivors:,} survivors, {source.size / MIB:.0f} MiB of JSON"]
    for name, share in TOLERANCE.items():
        old = f"committed {then[name]:.3f}, tolerance {share:.0%}" if name in then else "not committed"
        lines.append(f"  {name:30}{now[name]:7.3f}   {old}")
    return "\n".join(lines)


def main() -> int:
    """Measure, compare, show; 1 for a figure outside its tolerance."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--survivors", type=int, nargs="+", default=SIZES)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--report", action="store_true", help="exit code 0 whatever is found")
    parser.add_argument("--save", action="store_true", help="commit these figures instead of comparing")
    parser.add_argument("--cache", type=Path, default=ROOT / ".cache" / "bench")
    asked = parser.parse_args()
    asked.cache.mkdir(parents=True, exist_ok=True)
    committed = json.loads(COMMITTED.read_text(encoding="utf-8")) if COMMITTED.exists() else {"figures": {}}
    results, wrong = {}, []
    with tempfile.TemporaryDirectory(prefix="check-", dir=asked.cache) as work:
        for count in asked.survivors:
            source = generated(asked.cache, count)
            now = results[str(count)] = measured(source, Path(work), asked.rounds)
            then = {} if asked.save else committed["figures"].get(str(count), {})
            print(text(source, now, then), flush=True)
            wrong += faults(now, then)
    print("".join(f"OUTSIDE ITS TOLERANCE: {line}\n" for line in wrong), end="")
    if asked.save:
        saved = {"machine": machine(), "figures": results}
        COMMITTED.write_text(json.dumps(saved, indent=2) + "\n", encoding="utf-8")
    summary = os.environ.get("GITHUB_STEP_SUMMARY")
    if summary:
        with open(summary, "a", encoding="utf-8") as file:
            file.write(
                "".join(f"- outside its tolerance: {line}\n" for line in wrong) or "- bench-check: held\n"
            )
    return 1 if wrong and not asked.report else 0


if __name__ == "__main__":
    sys.exit(main())
