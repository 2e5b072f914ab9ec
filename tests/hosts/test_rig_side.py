# SPDX-License-Identifier: MIT
"""What a run asks of a rig: few connections, no heavy work, its own Python, no marks."""

from __future__ import annotations

import os

from hosts import faults
from hosts.image import UID
from realfleet import RealFleet

MANY = 40_000


def test_rigs_hung_under_26_connections_at_once(fleet: RealFleet) -> None:
    """A rig sees at most two connections in a whole run, and gets the NPZ once."""
    fleet.new_survivors(MANY)
    fleet.fleet.hang_up()
    for rig in fleet.rigs:
        faults.count_connections(fleet.fleet, rig)
    fleet.assert_healed(fleet.run())
    size = fleet.npz(fleet.zeus).stat().st_size
    for rig in fleet.rigs:
        seen = faults.connections(fleet.fleet, rig)
        assert 1 <= seen.opened <= 2, (rig, seen)
        assert size < seen.bytes < 2 * size + 2_000_000, (rig, seen, size)


def test_rig_jobs_died_because_the_rigs_own_python_could_not_open_it(fleet: RealFleet) -> None:
    """Where the operator asks for it, a rig proves with its own interpreter that it can open the NPZ."""
    before, starts = fleet.digests, fleet.starts
    run = fleet.run("step25.yml", "-e", '{"survivor_npz_rig_python": "/usr/bin/python3"}')
    assert run.rc != 0, "the rigs have no numpy"
    assert "numpy" in run.tail and "rig-6600" in run.tail and "NOT started" in run.tail, run.tail
    assert fleet.digests == before
    assert fleet.starts == starts


def test_ready_mark_without_its_files_is_no_proof(fleet: RealFleet) -> None:
    """Localhost jobs failed in 3.1 s on a `.ready` mark; and an old copy beside a mark was believed."""
    for host in fleet.names:
        folder = fleet.ram(host).parent
        folder.mkdir(parents=True, exist_ok=True)
        (folder / ".ready").write_text("")
        os.chown(folder, UID, UID)
    fleet.warm_ram("rig-6600b")
    fleet.assert_healed(fleet.run())
    assert fleet.ram_sha256("rig-6600b") == fleet.sha256(fleet.zeus)
    for host in fleet.names:
        fleet.ram(host).unlink(missing_ok=True)
        (fleet.ram(host).parent / ".ready").unlink()


def test_survivors_not_more_than_the_sample_size_warn(fleet: RealFleet) -> None:
    """4,900 survivors with `--sample-size` 5,000: workers died, best score -1.0, "SUCCESS"."""
    run = fleet.run("step25.yml", "-e", '{"survivor_npz_scorer_args": ["7", "--sample-size", "5000"]}')
    fleet.assert_healed(run)
    assert "needs more than 300 survivors" in run.tail, run.tail
    enough = fleet.run("step25.yml", "-e", '{"survivor_npz_scorer_args": ["7", "--sample-size", "299"]}')
    assert "needs more than" not in enough.out, enough.tail
