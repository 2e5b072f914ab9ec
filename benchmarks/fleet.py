# SPDX-License-Identifier: MIT
"""`make bench-fleet`: whole runs over a fleet of real SSH hosts, as ratios to bare Ansible commands.

Each measurement starts without a single SSH connection; the commands of one round come in another order
than those of the next. Zeus is this machine. Writes fleet.json into build/bench/.
"""

from __future__ import annotations

import argparse
import contextlib
import datetime
import json
import os
import platform
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import measure
from fleet_cases import Case, Site, rigs_of
from fleet_table import RULES, Setting, faults, text
from hosts import packages
from hosts.commands import HostsError
from hosts.fleet import Fleet, reap
from inputs import ROOT, generated

SURVIVORS = 98_172
VARIANTS = 4
RESULTS = Path(__file__).with_name("results")
SECONDS = 30.0


@contextlib.contextmanager
def relay(fleet: Fleet, count: int, milliseconds: float) -> Iterator[list[int]]:
    """Ports that lead to the fleet's first hosts with a delay each way; none for no delay."""
    if not milliseconds:
        yield []
        return
    targets = [f"{host.address}:22" for host in list(fleet.hosts.values())[:count]]
    command = [sys.executable, str(Path(__file__).with_name("relay.py")), str(milliseconds), *targets]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin and process.stdout
        try:
            yield [int(port) for port in json.loads(process.stdout.readline())]
        finally:
            process.stdin.close()


def hang_up(fleet: Fleet) -> None:
    """End every connection that SSH keeps open. Raises RuntimeError when one stays."""
    fleet.hang_up()
    end = time.monotonic() + SECONDS
    while left := [path.name for path in fleet.control.iterdir() if path.is_socket()]:
        if time.monotonic() > end:
            raise RuntimeError(f"connections that would not end: {', '.join(left)}")
        time.sleep(0.02)


def hosts_cpu(fleet: Fleet) -> float:
    """CPU seconds that the hosts have used so far; what still runs there is not in it."""
    ticks = 0
    for host in fleet.hosts.values():
        fields = (
            Path(f"/proc/{fleet.backend.pid(fleet.id, host)}/stat").read_text().rpartition(")")[2].split()
        )
        ticks += sum(map(int, fields[11:15]))
    return ticks / os.sysconf("SC_CLK_TCK")


def take(fleet: Fleet, cases: list[Case], rounds: int) -> list[dict[str, dict[str, measure.Cost]]]:
    """Every case once a round, in an order of the round's own; CPU seconds of controller and hosts."""
    found = []
    hang_up(fleet)
    for number in range(rounds):
        costs: dict[str, dict[str, measure.Cost]] = {}
        for case in random.Random(number).sample(cases, len(cases)):
            before = hosts_cpu(fleet)
            cost = case.run()
            hang_up(fleet)
            hosts = hosts_cpu(fleet) - before
            cost = cost._replace(cpu=cost.cpu + hosts, hosts=hosts)
            costs.setdefault(case.who, {})[case.name] = cost
            done = f"{cost.wall:.2f} s, CPU {cost.cpu:.2f} s"
            print(f"  round {number + 1}: {case.who} {case.name} {done}", file=sys.stderr, flush=True)
        found.append(costs)
    return found


def label(root: Path) -> str:
    """A checkout's commit, with `+` where files differ from it."""
    command = ["git", "-C", str(root), "describe", "--always", "--exclude=*", "--dirty=+"]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


def machine() -> dict[str, object]:
    """What the figures were measured on."""
    return {
        "cores": len(os.sched_getaffinity(0)),
        "kernel": platform.release(),
        "python": platform.python_version(),
        "date": datetime.datetime.now(datetime.timezone.utc).date().isoformat(),
    }


def write(name: str, results: Mapping[str, Any], out: Path, save: bool) -> None:
    """Write NAME.json into `out`, with `save` into benchmarks/results/ too."""
    for folder in [out, *([RESULTS] if save else [])]:
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / f"{name}.json"
        path.write_text(json.dumps(results, indent=2) + "\n", encoding="utf-8")
        print(f"{path} (`make plots` draws it)")


def rsync_missing() -> str:
    """Why rsync is left out, after an attempt to install it; empty where it is there."""
    try:
        packages.ensure({"rsync": "rsync"})
    except HostsError as error:
        return str(error)
    return ""


def chosen(cases: list[Case], names: list[str] | None) -> list[Case]:
    """The cases of these names, and the ones that they are compared with."""
    wanted = {*names, *(RULES[name].base for name in names if name in RULES)} if names else None
    return [case for case in cases if wanted is None or case.name in wanted]


def plain(setting: Setting) -> dict[str, Any]:
    """A setting as JSON takes it."""
    rounds = [
        {
            who: {
                case: {"wall": cost.wall, "cpu": cost.cpu, "hosts": cost.hosts}
                for case, cost in costs.items()
            }
            for who, costs in each.items()
        }
        for each in setting.rounds
    ]
    return {"hosts": setting.hosts, "relay": setting.relay, "rounds": rounds}


def fleet_figures(asked: argparse.Namespace, rsync: bool) -> list[Setting]:
    """Bring the hosts up, measure every setting on them, take them down."""
    asked.cache.mkdir(parents=True, exist_ok=True)
    sources = [generated(asked.cache, asked.survivors, seed) for seed in range(VARIANTS)]
    found = []
    with tempfile.TemporaryDirectory(prefix="bench-fleet-") as folder:
        fleet = Fleet(folder)
        sites = []
        try:
            fleet.up([f"rig-{number:02}" for number in range(max(asked.hosts))], zeus=())
            for number, root in enumerate(asked.checkout):
                scratch = Path(folder, str(number))
                scratch.mkdir()
                sites.append(Site(label(root), root.resolve(), fleet.id, scratch, sources))
            for count, delay in ((count, delay) for delay in asked.relay for count in asked.hosts):
                with relay(fleet, count, delay) as ports:
                    for site in sites:
                        site.settle(rigs_of(fleet, count, ports))
                    cases = [*sites[0].bare(rsync), *(case for site in sites for case in site.cases())]
                    print(f"bench-fleet: {count} hosts, {delay:g} ms", file=sys.stderr)
                    found.append(Setting(count, delay, take(fleet, chosen(cases, asked.cases), asked.rounds)))
        finally:
            fleet.down()
    return found


def options() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--hosts", type=int, nargs="+", default=[26], help="rigs (default 26)")
    parser.add_argument("--relay", type=float, nargs="+", default=[0], help="delay each way, milliseconds")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--survivors", type=int, default=SURVIVORS)
    parser.add_argument("--cases", nargs="+", help="only these, and what they are compared with")
    parser.add_argument(
        "--checkout", type=Path, nargs="+", default=[ROOT], help="checkouts to measure side by side"
    )
    parser.add_argument(
        "--name", default="fleet", help="of the file of results: fleet, or scale for docs/scale.md"
    )
    parser.add_argument("--out", type=Path, default=ROOT / "build" / "bench")
    parser.add_argument("--cache", type=Path, default=ROOT / ".cache" / "bench")
    parser.add_argument("--save", action="store_true", help="write into benchmarks/results/ too")
    parser.add_argument("--check", action="store_true", help="exit code 1 where a limit does not hold")
    return parser.parse_args()


def main() -> int:
    """Measure, show, write; 1 where --check is given and a limit of the first checkout does not hold."""
    asked = options()
    os.environ["HOSTS_OWNER"] = str(os.getpid())
    os.environ["PATH"] += os.pathsep + packages.SBIN
    # So that the hosts go down.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    missing = rsync_missing()
    reap()
    settings = fleet_figures(asked, not missing)
    results = {
        "machine": machine(),
        "survivors": asked.survivors,
        "settings": [plain(setting) for setting in settings],
    }
    print(text(settings))
    if missing:
        print(f"rsync was not measured: {missing}")
    write(asked.name, results, asked.out, asked.save)
    wrong = faults(settings, label(asked.checkout[0]))
    print("".join(f"\nDOES NOT HOLD: {line}" for line in wrong))
    return 1 if wrong and asked.check else 0


if __name__ == "__main__":
    sys.exit(main())
