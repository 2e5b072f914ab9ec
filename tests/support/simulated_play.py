# SPDX-License-Identifier: MIT
"""One controller of a simulated fleet: the playbooks' order, the project's own decisions, one event at a time."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from ansible.module_utils.survivor_npz.common import boot
from ansible.module_utils.survivor_npz.look import host
from ansible.module_utils.survivor_npz.look.live_copy import look_at_live
from ansible.module_utils.survivor_npz.run import control
from ansible.module_utils.survivor_npz.run.supervise import lease, proof
from ansible.module_utils.survivor_npz.switch import stage, switch
from ansible.module_utils.survivor_npz.switch.names import Names
from ansible.module_utils.survivor_npz.switch.ownership import Ownership
from hostfacts import ASKED, OPTIONS
from simulated_world import FLEET, NPZ, RIGS, ZEUS, Step, Violation, World, sha256, sidecar

from plugins import plugin

deciding = plugin("action", "survivor_npz_fleet")


class _Nothing:
    """Takes every attribute and call; a Mock would take a third of a simulation's time."""

    def __getattr__(self, _name: str) -> _Nothing:
        return self

    def __call__(self, *_args: object, **_more: object) -> _Nothing:
        return self


NOTHING = (_Nothing(),) * 5
LEASE, RUNS = 188.0, (5.0, 400.0)
TEAM = {"coordinator": ZEUS, "rigs": list(RIGS), "skipped": [], "faults": []}
Controller = Iterator[None]


class Play:
    """One controller that brings new bytes to the fleet and starts Step 2.5: a generator of events."""

    def __init__(self, world: World, name: str, data: bytes, starts: bool = True) -> None:
        self.world, self.name, self.data, self.starts = world, name, data, starts
        self.token = f"{name} {data.decode()}"
        self.began_step = False
        self.vars: dict[str, Any] = {
            "groups": {"survivor_npz_reverting": []},
            "hostvars": {host_name: {} for host_name in FLEET},
            "__survivor_npz_guard": {"team": TEAM, "played": list(FLEET)},
        }

    def _decide(self, phase: str, **args: Any) -> dict[str, Any]:
        options = {
            **OPTIONS,
            "for_run": self.starts,
            "json": "survivors.json",
            "needs_json": False,
            "skew": 10**9,
        }
        task = SimpleNamespace(
            args={"phase": phase, "options": options, **args}, check_mode=False, tags=[], async_val=0
        )
        task.action = "survivor_npz_fleet"
        answer: dict[str, Any] = deciding.ActionModule(task, *NOTHING).run(task_vars=self.vars)
        self.vars[f"__survivor_npz_{phase}"] = answer
        return answer

    def _keep(self, host_name: str, name: str, answer: dict[str, Any], asked_at: float) -> None:
        self.vars["hostvars"][host_name][f"__survivor_npz_{name}"] = {
            **answer,
            "asked": dict(ASKED),
            "asked_at": asked_at,
        }

    def _each(self, hosts: list[str], name: str, step: Callable[[str], Step]) -> Controller:
        for host_name in hosts:
            asked_at = self.world.clock()
            answer = self.world.ask(host_name, f"{self.name} {name}", step(host_name))
            self._keep(host_name, name, answer, asked_at)
            yield

    def _registered(self, host_name: str, name: str) -> dict[str, Any]:
        found: dict[str, Any] = self.vars["hostvars"][host_name].get(f"__survivor_npz_{name}") or {}
        return found

    # What each host does: library/survivor_npz_*.py.

    def _look(self, host_name: str) -> Step:
        world, settle = (
            self.world,
            bool((self._registered(ZEUS, "look").get("run") or {}).get("lease", None) or {}),
        )

        def step() -> dict[str, Any]:
            place = str(world.root / host_name)
            run = control.query(place) if host_name == ZEUS else None
            found = host.look(place, [f"{place}/{NPZ}"], [], settle=settle, accounts={}, now=time.time())
            return {**found, "changed": False, "run": run, "same_files": {}, "workers": []}

        return step

    def _stage(self, host_name: str) -> Step:
        part, digest, names = self.parts[host_name], sha256(self.data), self.world.names(host_name)

        def step() -> dict[str, Any]:
            began = boot.stamp()
            if part["receive"]:
                Path(names.staged(digest)).write_bytes(self.data)
            return {
                "staged": stage.stage(part, digest, Ownership(mode=0o644), ""),
                "stamp": began,
                "removed": [],
            }

        return step

    def _until(self, host_name: str, held: dict[str, Any]) -> dict[str, Any]:
        """A host's permission, as vars/main.yml computes it."""
        staged, look = self._registered(host_name, "staged"), self._registered(host_name, "look")
        began = staged.get("stamp") or look["stamp"]
        return {"boot": began["boot"], "clock": began["clock"] + held["expires"] - held["begun"]}

    def _switch(self, host_name: str) -> Step:
        part, held = self.parts[host_name], self.vars["__survivor_npz_lease"]
        until = self._until(host_name, held)
        names, digest = self.world.names(host_name), sha256(self.data)

        def step() -> dict[str, Any]:
            for copy in part["switch"]:
                switch.activate(
                    names, digest, replaces=copy["replaces"], sidecars=copy["sidecars"], valid_until=until
                )
            return self._after(names)

        return step

    def _revert(self, host_name: str) -> Step:
        part, held = self.parts[host_name], self.vars["__survivor_npz_renewed"]
        until = self._until(host_name, held)
        names, digest = self.world.names(host_name), sha256(self.data)

        def step() -> dict[str, Any]:
            for copy in part["switch"]:
                switch.revert(names, digest, copy["replaces"], sidecars=copy["sidecars"], valid_until=until)
            return self._after(names)

        return step

    @staticmethod
    def _after(names: Names) -> dict[str, Any]:
        began = boot.stamp()
        look = {"stamp": began, "copies": [look_at_live(names.live, required=True)]}
        return {"changed": True, "look": look, "copies": []}

    def _lease(self, act: Callable[[str], dict[str, Any]]) -> Step:
        def step() -> dict[str, Any]:
            try:
                return {"changed": True, **act(str(self.world.root / ZEUS))}
            except (control.RunError, lease.LeaseError) as error:
                return {"failed": True, "msg": str(error)}

        return step

    def _start(self, stamp: dict[str, Any]) -> Step:
        world, digest = self.world, sha256(self.data)

        def step() -> dict[str, Any]:
            place = str(world.root / ZEUS)
            npz = {"path": f"{place}/{NPZ}", "sha256": digest}
            if world.running or proof.disproved({"dir": place, "npz": npz, "stamp": stamp}):
                return {"failed": True, "msg": "refused"}
            held = world.live()
            if set(held.values()) != {digest}:
                raise Violation(f"Step 2.5 was started by {self.name} on differing bytes: {held}")
            world.running_until = world.now + world.random.uniform(*RUNS)
            world.starts += 1
            self.began_step = True
            return {"changed": True}

        return step

    # The story: playbooks/step25.yml.

    def play(self) -> Controller:
        """The events in their order; returns where a decision stops the run."""
        yield from self._each([ZEUS], "look", self._look)
        yield from self._each(list(RIGS), "look", self._look)
        if self._decide("preflight").get("failed"):
            return
        yield from self._convert()
        if self._decide("plan", conversion=self.conversion).get("failed"):
            return
        self.parts = self.vars["__survivor_npz_plan"]["parts"]
        differ = [name for name in FLEET if self.parts[name]["changes"]]
        if differ:
            yield from self._each(differ, "staged", self._stage)
            if self._decide("barrier").get("failed"):
                return
            yield from self._distribute(differ)
        yield from self._prove_and_start()

    def _convert(self) -> Controller:
        world, names, digest = self.world, self.world.names(ZEUS), sha256(self.data)
        look = self._registered(ZEUS, "look")
        held = look["copies"][0]["sha256"]

        def step() -> dict[str, Any]:
            if held != digest:
                Path(names.pending(digest)).write_text(sidecar(self.data))
                Path(names.staged(digest)).write_bytes(self.data)
            return {}

        world.ask(ZEUS, f"{self.name} convert", step)
        staged = None if held == digest else names.staged(digest)
        known = {
            "sha256": digest,
            "checksum": "0" * 40,
            "size": len(self.data),
            "survivor_count": 9,
            "changed": True,
        }
        self.conversion = {**known, "reason": "newer", "staged": staged, "live_sha256": held, "source": {}}
        # Only what is on the disk counts: the plan stages it, or fails.
        look["copies"][0]["staged"] = {} if held == digest else {digest: names.staged(digest)}
        yield

    def _distribute(self, differ: list[str]) -> Controller:
        seen = self._registered(ZEUS, "look")["run"]["stamp"]["number"]
        asked_at = self.world.clock()
        taken = self.world.ask(
            ZEUS,
            f"{self.name} lease",
            self._lease(lambda place: control.take_lease(place, self.token, self.name, LEASE, seen=seen)),
        )
        yield
        if "begun" not in taken:
            self.vars["__survivor_npz_lease"] = {}
            self.parts = {}
            raise Stopped()
        self.vars["__survivor_npz_lease"] = {**taken, "asked_at": asked_at}
        changing = [name for name in differ if self.parts[name]["switch"]]
        rigs = [name for name in changing if name != ZEUS]
        yield from self._each(rigs, "switched", self._switch)
        if not self._decide("switched", hosts=rigs)["unswitched"] and ZEUS in changing:
            yield from self._each([ZEUS], "switched", self._switch)
        last = self._decide("switched", hosts=changing)
        self.vars["__survivor_npz_all_switched"] = last
        if last["unswitched"]:
            yield from self._go_back([entry["name"] for entry in last["members"] if _reverts(entry)])

    def _end(self, place: str) -> dict[str, Any]:
        return {"changed": lease.end(place, self.token)}

    def _go_back(self, hosts: list[str]) -> Controller:
        renewed = self.world.ask(
            ZEUS, f"{self.name} renew", self._lease(lambda place: lease.renew(place, self.token, LEASE))
        )
        yield
        held = renewed if "expires" in renewed else self.vars["__survivor_npz_lease"]
        self.vars["__survivor_npz_renewed"] = held
        self.vars["groups"]["survivor_npz_reverting"] = hosts
        yield from self._each(hosts, "reverted", self._revert)
        if self.vars["__survivor_npz_all_switched"]["answered"] and self._decide("reverted")["answered"]:
            self.world.ask(ZEUS, f"{self.name} end", self._lease(self._end))
            yield
        yield from self._each(hosts, "look", self._look)

    def _prove_and_start(self) -> Controller:
        found = self._decide("proof")
        if self.vars.get("__survivor_npz_all_switched", {}).get("settled"):
            self.world.ask(ZEUS, f"{self.name} end", self._lease(self._end))
            yield
        again = [
            entry["name"]
            for entry in found.get("members", [])
            if "survivor_npz_look_again" in entry["groups"]
        ]
        if again:
            yield from self._each([ZEUS], "look", self._look)
            yield from self._each([name for name in again if name != ZEUS], "look", self._look)
            found = self._decide("proof")
        if found.get("failed") or not found.get("proven") or not self.starts:
            return
        final = self._decide("proof", final=True)
        if not final.get("failed") and final.get("proven"):
            self.world.ask(ZEUS, f"{self.name} start", self._start(final["stamp"]))
            yield


def _reverts(entry: dict[str, Any]) -> bool:
    return "survivor_npz_reverting" in entry["groups"]


class Stopped(Exception):  # noqa: N818 - ends one controller's play
    """A task failed that ends the playbook."""
