# SPDX-License-Identifier: MIT
"""Bring test hosts up and down by hand or from molecule: `python3 -m hosts up NAME HOST…`."""

from __future__ import annotations

import argparse
import os
import shutil
import sys
from pathlib import Path

from hosts import faults, packages, seeding
from hosts import fleet as fleets
from hosts.backends import BACKENDS, PROGRAM
from hosts.commands import HostsError
from hosts.paths import ROOT, cache

FAULTS = ("cut", "heal", "kill", "start", "reboot", "fill", "empty", "hang", "unhang", "read_only")


def setup(_: argparse.Namespace) -> None:
    """Install the system packages that are missing."""
    packages.ensure()


def up(arguments: argparse.Namespace) -> None:
    """Bring a fleet up; the first host is Zeus."""
    packages.ensure()
    fleets.reap()
    fleet = fleets.Fleet(arguments.name)
    fleet.up(arguments.hosts, zeus=arguments.hosts[:1], apart=arguments.apart)
    if arguments.seed:
        seeding.seed_all(fleet, arguments.rig_directory)
    if arguments.inventory:
        fleet.inventory(arguments.inventory)


def down(arguments: argparse.Namespace) -> None:
    """Take a fleet down."""
    fleets.Fleet(arguments.name).down()


def fault(arguments: argparse.Namespace) -> None:
    """Break or repair a host of a fleet."""
    getattr(faults, arguments.fault)(fleets.Fleet(arguments.name), arguments.host, *arguments.value)


def clean(_: argparse.Namespace) -> None:
    """Remove this checkout's fleets, those of dead runs, and, unless others are up, images and cache."""
    for name in fleets.reap(ROOT):
        print(f"hosts: removed the fleet {name}")
    backends = [BACKENDS[name] for name, program in PROGRAM.items() if shutil.which(program)]
    live = set(fleets.known())
    for backend in backends:
        for name in backend.known():
            if name not in live:
                backend.close(name)
    if live:
        print(f"hosts: other checkouts' fleets are up, images stay: {', '.join(sorted(live))}")
        return
    if cache().is_dir():
        for backend in backends:
            backend.forget_images()
        shutil.rmtree(cache())
        print(f"hosts: removed {cache()}")


def main() -> int:
    """Run one command; 0, or 1 with one line that says what is wrong."""
    commands = {command.__name__: command for command in (setup, up, down, fault, clean)}
    parser = argparse.ArgumentParser(prog="hosts", description=__doc__)
    sub = parser.add_subparsers(dest="command", required=True)
    for name, command in commands.items():
        parts = sub.add_parser(name, help=command.__doc__)
        if name in {"up", "down", "fault"}:
            parts.add_argument("name", help="anything unique, such as a folder of the run's own")
        if name == "fault":
            parts.add_argument("fault", choices=FAULTS)
            parts.add_argument("host")
            parts.add_argument("value", nargs="*", type=int, help="bytes, for cut")
        if name == "up":
            parts.add_argument("hosts", nargs="+", help="host names; the first one is Zeus")
            parts.add_argument("--seed", action="store_true", help="make the pipeline, as Step 1 leaves it")
            parts.add_argument("--rig-directory", default=seeding.DIRECTORY, help="the pipeline's, on rigs")
            parts.add_argument("--apart", action="store_true", help="the hosts can't reach each other")
            parts.add_argument("--inventory", type=Path, help="write Ansible's inventory here")
    arguments = parser.parse_args()
    os.environ["PATH"] = os.environ.get("PATH", os.defpath) + os.pathsep + packages.SBIN
    try:
        commands[arguments.command](arguments)
    except HostsError as error:
        then = "; the tests on real hosts did NOT run" if arguments.command == "setup" else ""
        sys.stderr.write(f"hosts: {error}{then}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
