"""Real hosts for these tests: one fleet for a whole session, mended after each case."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Callable, Iterator, List

import pytest
from hosts import faults, packages
from hosts.commands import HostsError
from hosts.fleet import Fleet, reap
from realfleet import RealFleet

At = Callable[..., "dict[str, object]"]


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
    for name in fleet.names:
        fleet.seed(name)
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
    mend(shared)
    shared.assert_healed(shared.run())


def mend(fleet: RealFleet) -> None:
    """Take every fault off every host."""
    for name, host in fleet.fleet.hosts.items():
        faults.unhang(fleet.fleet, name)
        faults.read_only(fleet.fleet, name, 0)
        faults.empty(fleet.fleet, name)
        if fleet.fleet.backend.pid(fleet.fleet.id, host):
            faults.heal(fleet.fleet, name)
        else:
            faults.start(fleet.fleet, name)
    fleet.fleet.trust()


@pytest.fixture
def at(fleet: RealFleet) -> At:
    """`at(task, fault, host, *values)`: break a host when a task whose name holds `task` starts."""

    def entry(task: str, fault: str, host: str, *values: int) -> dict[str, object]:
        command: List[str] = [sys.executable, "-m", "hosts", "fault", fleet.fleet.id, fault, host]
        return {"task": task, "do": [*command, *map(str, values)]}

    return entry


@pytest.fixture
def scratch(tmp_path: Path) -> Path:
    """A folder of the case's own."""
    return tmp_path
