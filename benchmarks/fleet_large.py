# SPDX-License-Identifier: MIT
"""`make bench-large`: an NPZ of about 100 MB to three real SSH hosts, as ratios to Ansible's bare `copy`.

The NPZ is a small conversion's arrays, repeated with other seeds; Zeus holds it (survivor_npz_convert: never), and
each round has other bytes. Beside the time, the controller's memory: `prepare.yml` with the large NPZ and with one
of 98,172 survivors. Writes large.json into build/bench/.
"""

from __future__ import annotations

import argparse
import itertools
import os
import shutil
import signal
import statistics
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from fleet import label, machine, take, write
from fleet_cases import NPZ, Case, Site, rigs_of
from fleet_table import BARE
from hosts import disks, packages
from hosts.fleet import Fleet, reap
from inputs import ROOT, Input, generated
from measure import MIB, module_command, peak_memory, timed

SURVIVORS = 98_172
# Bytes of a host's disk: what is live, what was, what is staged, and the bare copy, for each checkout.
DISK = 4 << 30


def repeated(cache: Path, times: int, seed: int) -> Input:
    """An NPZ of `times` SURVIVORS survivors."""
    # measure.py makes our package part of Ansible's.
    from ansible.module_utils.survivor_npz.npz.write import assemble, pack_columns  # noqa: PLC0415

    path = cache / f"repeated-{times}-{seed}.npz"
    if not path.exists():
        small = cache / f"small-{seed}.npz"
        args: dict[str, object] = {"src": str(generated(cache, SURVIVORS, seed).path), "dest": str(small)}
        timed(module_command(ROOT / "library" / "convert_survivors.py", args, cache / "args.json"))
        with np.load(small) as npz:
            parts: dict[str, list[Any]] = {name: [npz[name]] * times for name in npz.files}
        step = int(parts["seeds"][0].max()) + 1
        parts["seeds"] = [parts["seeds"][0] + np.uint32(step * number) for number in range(times)]
        path.write_bytes(assemble(pack_columns(parts, 2)))
    return Input(f"repeated x {times}", path, SURVIVORS * times)


class LargeSite(Site):
    """A pipeline whose Zeus has an NPZ and converts nothing."""

    def step1(self) -> None:
        """Another NPZ is live on Zeus."""
        part = self.zeus / f"{NPZ}.part"
        shutil.copyfile(next(self._next).path, part)
        os.replace(part, self.zeus / NPZ)

    def play(self, playbook: str, *options: str) -> list[str]:
        """The command that plays a playbook of the checkout."""
        return super().play(playbook, "-e", "survivor_npz_convert=never", *options)

    def memory(self, npz: Input) -> float:
        """Most MiB that the controller's processes take together while every rig gets this NPZ."""
        self._next = itertools.cycle([npz])
        self.step1()
        for name, value in self.env.items():
            os.environ[name] = value
        found = peak_memory(self.play("prepare.yml"), 0.05).summed / MIB
        self.same_everywhere()
        return found


def chosen(sites: list[LargeSite]) -> list[Case]:
    """The bare copy, and each checkout's run in which everything changes."""
    cases = [case for case in sites[0].bare(rsync=False) if case.name == "copy"]
    return cases + [case for site in sites for case in site.cases() if case.name == "changed"]


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--hosts", type=int, default=3)
    parser.add_argument("--times", type=int, default=90, help=f"so many times {SURVIVORS:,} survivors")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--checkout", type=Path, nargs="+", default=[ROOT], help="checkouts, side by side")
    parser.add_argument("--out", type=Path, default=ROOT / "build" / "bench")
    parser.add_argument("--cache", type=Path, default=ROOT / ".cache" / "bench")
    parser.add_argument("--save", action="store_true", help="write into benchmarks/results/ too")
    asked = parser.parse_args()
    os.environ["HOSTS_OWNER"] = str(os.getpid())
    os.environ["PATH"] += os.pathsep + packages.SBIN
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    reap()
    disks.SIZE = DISK
    asked.cache.mkdir(parents=True, exist_ok=True)
    sources = [repeated(asked.cache, asked.times, seed) for seed in range(2)]
    small = repeated(asked.cache, 1, 2)
    results: dict[str, Any] = {"machine": machine(), "hosts": asked.hosts, "bytes": sources[0].size}
    with tempfile.TemporaryDirectory(prefix="bench-large-") as folder:
        fleet = Fleet(folder)
        try:
            fleet.up([f"rig-{number:02}" for number in range(asked.hosts)], zeus=())
            sites = []
            for number, root in enumerate(asked.checkout):
                scratch = Path(folder, str(number))
                scratch.mkdir()
                sites.append(LargeSite(label(root), root.resolve(), fleet.id, scratch, sources))
                sites[-1].settle(rigs_of(fleet, asked.hosts))
            rounds = take(fleet, chosen(sites), asked.rounds)
            memory = {f"{one.size:,} bytes": sites[0].memory(one) for one in (small, sources[0])}
        finally:
            fleet.down()
    ours = [site.label for site in sites]
    results["memory_mib"] = memory
    results["runs"] = {BARE: [{**each[BARE]["copy"]._asdict(), "output": ""} for each in rounds]}
    for who in ours:
        results["runs"][who] = [{**each[who]["changed"]._asdict(), "output": ""} for each in rounds]
    print(f"{asked.hosts} hosts, NPZ of {sources[0].size / 1e6:.0f} MB")
    for who, runs in results["runs"].items():
        wall, cpu = (statistics.median(run[what] for run in runs) for what in ("wall", "cpu"))
        ratios = [run["wall"] / bare["wall"] for run, bare in zip(runs, results["runs"][BARE])]
        print(f"  {who:9} {wall:7.2f} s, CPU {cpu:7.2f} s, {statistics.median(ratios):.2f} of the bare copy")
    print(
        "  controller's memory:", ", ".join(f"{value:.0f} MiB for {name}" for name, value in memory.items())
    )
    write("large", results, asked.out, asked.save)
    return 0


if __name__ == "__main__":
    sys.exit(main())
