# SPDX-License-Identifier: MIT
"""Two controllers on a fleet whose network loses, delays and repeats: the project's own decisions, switches and leases.

Hosts are directories; their files are changed by the project's own code. Time is the simulation's. An operation on a
host is one event: it is done once, not at all, later (when its controller has long given up), or twice. A
controller plays the playbooks' order, and may die between any two events. Everything follows from one seed.
"""

from __future__ import annotations

from pathlib import Path

from ansible.module_utils.survivor_npz.run.supervise import lease
from simulated_play import Controller, Play, Stopped
from simulated_world import Violation, World, physics, sha256

__all__ = ["Violation", "interleave"]


def _next(controller: Controller) -> bool:
    """One event of a controller; False once it has ended."""
    try:
        next(controller)
    except (StopIteration, Stopped):
        return False
    return True


def interleave(root: Path, seed: int) -> World:
    """Two controllers at once, then a healthy one.

    Raises:
        Violation: a promise was broken; the message names the seed and the events.
    """
    world = World(root, seed)
    with physics(world):
        try:
            _interleave(world)
        except Violation as broken:
            raise Violation(f"seed {seed}: {broken}\n" + "\n".join(world.trace)) from broken
    return world


def _interleave(world: World) -> None:
    choose = world.random
    plays = [
        Play(world, name, b"bytes %d" % number, choose.random() < 0.8)
        for number, name in ((1, "A"), (2, "B"))
    ]
    if choose.random() < 0.2:
        plays[1].data = b"bytes 0"  # as a rollback: what is live already, or was
    running = [play.play() for play in plays]
    while running:
        world.tick()
        controller = choose.choice(running)
        if choose.random() < 0.01 or not _next(controller):
            running.remove(controller)
    _heal(world)


def _heal(world: World) -> None:
    """Nobody is blocked for ever, and one healthy run repairs everything."""
    while world.late:
        world.now += 50.0
        world.tick()
    world.now = max(world.now, world.running_until) + 1.0
    world.now += lease.LONGEST
    world.is_calm = True
    healthy = Play(world, "healthy", b"bytes 3")
    controller = healthy.play()
    while _next(controller):
        world.now += 0.1
    if not healthy.began_step or set(world.live().values()) != {sha256(b"bytes 3")}:
        raise Violation(f"the healthy run did not repair the fleet: {world.live()}")
