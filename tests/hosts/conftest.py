# SPDX-License-Identifier: MIT
"""Real hosts for these tests: one fleet for a whole session, repaired after each case."""

from __future__ import annotations

import os
import sys
from typing import Callable, Iterator, List

import pytest
from hosts import faults, packages
from hosts.commands import HostsError
from hosts.fleet import Fleet, reap
from hosts.seeding import seed_all
from localfleet import NPZ
from realfleet import RealFleet

FLIP = """
import pathlib, sys, time
(path,) = pathlib.Path(sys.argv[1]).glob(sys.argv[2])
content = bytearray(path.read_bytes())
content[len(content) // 2] ^= 1
path.write_bytes(content)
time.sleep(int(sys.argv[3]))
"""
At = Callable[..., "dict[str, object]"]


def pytest_configure(config: pytest.Config) -> None:
    """The handful that `make test` runs carries this marker."""
    config.addinivalue_line("markers", "short: part of make molecule-short")


@pytest.fixture(scope="session")
def hosts(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    """Zeus and two rigs, up for the session; taken down even where a test failed."""
    os.environ["HOSTS_OWNER"] = str(os.getpid())
    os.environ["PATH"] += os.pathsep + packages.SBIN
    try:
        packages.ensure()
    except HostsError as error:
        if os.environ.get("CI"):
            pytest.fail(f"no test hosts: {error}")
        pytest.skip(f"no test hosts, so these tests did not run: {error}")
    if os.environ.get("HOSTS_FLEET"):
        yield Fleet(os.environ["HOSTS_FLEET"])
        return
    reap()
    fleet = Fleet(str(tmp_path_factory.getbasetemp()))
    try:
        fleet.up(["zeus", "rig-6600", "rig-6600b"])
        yield fleet
    finally:
        fleet.down()


@pytest.fixture(scope="session")
def shared(hosts: Fleet, tmp_path_factory: pytest.TempPathFactory) -> RealFleet:
    """The session's fleet, seeded once."""
    fleet = RealFleet(hosts, tmp_path_factory.mktemp("controller"))
    if fleet.sha256(fleet.zeus) is None:
        seed_all(hosts)
    return fleet


@pytest.fixture
def fleet(shared: RealFleet, request: pytest.FixtureRequest) -> Iterator[RealFleet]:
    """The fleet as a healthy run left it, with new survivors waiting; afterwards a healthy run heals it.

    That last run is the end of every case: whatever a fault did, the next healthy run mends all of it.
    """
    if shared.sha256(shared.zeus) is None:
        shared.assert_healed(shared.run())
    shared.new_survivors()
    yield shared
    repair(shared)
    shared.wait_for_the_dead()
    shared.assert_healed(shared.run())


def repair(fleet: RealFleet) -> None:
    """Take every fault off every host."""
    for name, host in fleet.fleet.hosts.items():
        faults.unhang(fleet.fleet, name)
        faults.read_only(fleet.fleet, name, 0)
        faults.empty(fleet.fleet, name)
        if fleet.fleet.backend.pid(fleet.fleet.id, host):
            faults.heal(fleet.fleet, name)
        else:
            faults.start(fleet.fleet, name)
        if not fleet.dir(name).exists():
            fleet.seed(name)
    fleet.fleet.trust()


@pytest.fixture
def at(fleet: RealFleet) -> At:
    """`at(task, fault, host, *values)`: break a host when a task whose name holds `task` starts."""

    def entry(task: str, fault: str, host: str, *values: int) -> dict[str, object]:
        command: List[str] = [sys.executable, "-m", "hosts", "fault", fleet.fleet.id, fault, host]
        return {"task": task, "do": [*command, *map(str, values)]}

    return entry


@pytest.fixture
def tamper(fleet: RealFleet) -> At:
    """`tamper(task, host, which)`: flip a byte in a host's live or staged NPZ when a task starts.

    With `seconds` the task waits as long after that.
    """

    def entry(task: str, host: str, which: str, seconds: int = 0) -> dict[str, object]:
        pattern = {"live": NPZ, "staged": f".{NPZ}.*.staged"}[which]
        flip = [sys.executable, "-c", FLIP, str(fleet.dir(host)), pattern, str(seconds)]
        return {"task": task, "do": flip}

    return entry
