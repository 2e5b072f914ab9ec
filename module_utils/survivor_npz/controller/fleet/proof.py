# SPDX-License-Identifier: MIT
"""What each host has shown in this run, and what that proves."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from ansible.module_utils.survivor_npz.common.digest import short
from ansible.module_utils.survivor_npz.controller.fleet.answers import steers, why_no_answer
from ansible.module_utils.survivor_npz.controller.fleet.looks import (
    Answer,
    Faults,
    is_right,
    must_be_right,
)

RELOOK = 35.0  # seconds: an older look is repeated before a start, which allows 60

Parts = Mapping[str, Mapping[str, Any]]
Registered = Mapping[str, Any]


def received(answers: Registered) -> Faults:
    """Hosts whose answer to `copy` is a failure, or would steer the controller."""
    found: Faults = {}
    for host, answer in answers.items():
        keys = steers(answer)
        if keys:
            found[host] = [
                f"its answer to the copy task carries {', '.join(keys)}, which no such task returns: something on "
                "that host answers in Ansible's place. Take it off the network and look at its Python."
            ]
        elif why := why_no_answer(answer, "changed"):
            found[host] = [f"the copy failed: {why}"]
    return found


def barrier(parts: Parts, answers: Registered, sha256: str) -> Faults:
    """Hosts that have not shown the goal, live or staged, on each of their paths in this run."""
    found: Faults = {}
    for host, part in parts.items():
        needs_stage = part["changes"] or part["open"]
        if not needs_stage:
            continue
        why = why_no_answer(answers.get(host), "staged")
        if why:
            found[host] = [f"staging failed: {why}"]
            continue
        held = {copy["path"]: copy["sha256"] for copy in answers[host]["staged"]}
        lacks = [copy["path"] for copy in part["switch"] if held.get(copy["path"]) != sha256]
        if lacks:
            found[host] = [f"{path}: no staged NPZ with {short(sha256)} beside it." for path in lacks]
    return found


def not_ready(found: Faults) -> str:
    """The message where the barrier does not open."""
    verb = "is" if len(found) == 1 else "are"
    return f"{', '.join(found)} {verb} not ready to switch. Nothing live was changed."


def unswitched(hosts: list[str], answers: Registered) -> Faults:
    """Hosts that were asked to switch and have not shown that they did."""
    failed = ((host, why_no_answer(answers.get(host), "look")) for host in hosts)
    return {host: [f"switch failed: {why}"] for host, why in failed if why}


def answered(hosts: list[str], answers: Registered) -> bool:
    """Whether each host that was asked to switch has answered, be it with a failure.

    One that did not may still rename until its permission ends: then the lease must run out by itself.
    """
    return all(
        isinstance(answers.get(host), Mapping)
        and not answers[host].get("unreachable")
        and (not answers[host].get("failed") or "code" in answers[host])
        for host in hosts
    )


def latest(hosts: list[str], results: Mapping[str, Registered], lease: Answer) -> dict[str, Any]:
    """Each host's most recent look in this run: after a change, the one that the change ended with.

    Args:
        results: `look`, `switched` and `reverted`, each by host.
        lease: what taking the lease registered; empty where none was taken.

    Returns:
        By host a look, or the answer that takes its place, with `by`, the task that it came from; None for none.
    """
    return {
        host: _latest({name: answers.get(host) for name, answers in results.items()}, lease) for host in hosts
    }


def _latest(answers: Registered, lease: Answer) -> Any:
    first = answers["look"]
    if first is None:
        return None
    # Every change follows the lease; a look that does too is the one repeated before a start.
    is_repeated = "asked_at" in lease and float(first.get("asked_at") or 0) > lease["asked_at"]
    name = next((name for name in ("reverted", "switched") if answers[name] is not None), "look")
    if name == "look" or is_repeated:
        return {**first, "by": "look"}
    why = why_no_answer(answers[name], "look")
    if why:
        return {"failed": True, "msg": why, "by": name}
    # What the change did not read again counts as of the first look, and so does the whole host.
    read = {copy["path"] for copy in answers[name]["look"]["copies"]}
    rest = [copy for copy in first.get("copies", []) if copy["path"] not in read and must_be_right(copy)]
    if rest:
        return {"copies": [*answers[name]["look"]["copies"], *rest], "by": "look"}
    return {**answers[name]["look"], "by": name}


def waves(looks: Registered, first: Answer, lease: Answer) -> dict[str, tuple[float, float]]:
    """For each host's latest look a moment before it: by the coordinator's boot clock, and by the controller's.

    Args:
        first: the coordinator's look, which every other host's first look followed.
        lease: what taking the lease registered; every switch followed it. Empty where none was taken.
    """
    begun = (first["run"]["stamp"]["clock"], first["asked_at"])
    switched = (lease["begun"], lease["asked_at"]) if "begun" in lease else begun
    return {host: begun if look["by"] == "look" else switched for host, look in looks.items()}


def too_old(moments: Mapping[str, tuple[float, float]]) -> list[str]:
    """Hosts whose look must be repeated before a start."""
    now = time.clock_gettime(time.CLOCK_BOOTTIME)
    return [host for host, (_there, here) in moments.items() if now - here > RELOOK]


def stamp(moments: Mapping[str, tuple[float, float]], first: Answer, lease: Answer) -> dict[str, Any]:
    """When the fleet was proven: the coordinator's boot, its clock before the oldest look, the transaction."""
    clock = min(there for there, _here in moments.values())
    seen = first["run"]["stamp"]
    if "number" in lease:
        return {"boot": seen["boot"], "clock": clock, "number": lease["number"], "token": lease["token"]}
    return {"boot": seen["boot"], "clock": clock, "number": seen["number"]}


def proof(
    latest_looks: Registered,
    parts: Parts,
    goal: Mapping[str, Any],
    follows: str | None,
    *,
    planned: bool = False,
) -> Faults:
    """Hosts that have not shown the goal on each live path by their latest look.

    Args:
        follows: the host whose own copy may be a symlink (convert: never); None for none.
        planned: a dry run: a copy counts as right that the distribution, if it runs, would switch.
    """
    found: Faults = {}
    for host, look in latest_looks.items():
        why = why_no_answer(look, "copies")
        if why:
            found[host] = [f"proof failed: {why}"]
            continue
        by_plan = {copy["path"] for copy in parts[host]["switch"]} if planned and host in parts else set()
        wrong = [
            f"{copy['path']}: {_holds(copy)} instead of {short(goal['sha256'])}."
            for copy in look["copies"]
            if must_be_right(copy)
            and not is_right(copy, goal["sha256"], host == follows)
            and copy["path"] not in by_plan
        ]
        if wrong:
            found[host] = wrong
    return found


def _holds(copy: Answer) -> str:
    if copy["kind"] == "absent":
        return "missing"
    return str(copy["kind"] if copy["kind"] != "file" else short(copy["sha256"]))


def states(latest_looks: Registered, sha256: str) -> dict[str, str]:
    """Each host's state after a failed switch: `new`, `old`, `mixed` or `unknown`."""
    found = {}
    for host, look in latest_looks.items():
        if why_no_answer(look, "copies"):
            found[host] = "unknown"
            continue
        new = {copy["sha256"] == sha256 for copy in look["copies"] if must_be_right(copy)}
        found[host] = "mixed" if len(new) > 1 else "new" if new == {True} else "old"
    return found


def went_back(unswitched: Faults, named: Mapping[str, str]) -> str:
    """The message after a failed switch."""
    each = ", ".join(f"{host} {state}" for host, state in named.items())
    return (
        f"The switch failed on {', '.join(unswitched)}, so the fleet went back. State of each host: {each}. "
        "Fix the host, then run again."
    )
