"""What each host has shown in this run, and what that proves."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible.module_utils.survivor_npz.controller.fleet.answers import steers, why_no_answer
from ansible.module_utils.survivor_npz.controller.fleet.looks import (
    Answer,
    Faults,
    is_right,
    must_be_right,
    short,
)

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


def latest(host: str, looks: Registered, switches: Registered, again: Registered) -> Any:
    """A host's most recent look in this run: after a change, the one that the change ended with.

    Args:
        looks, switches, again: what the look, the last switch or revert, and a later look registered.
    """
    if again.get(host) is not None:
        return again[host]
    answer = switches.get(host)
    if answer is None:
        return looks.get(host)
    why = why_no_answer(answer, "look")
    return {"failed": True, "msg": why} if why else answer["look"]


def proof(
    latest_looks: Registered,
    parts: Parts,
    goal: Mapping[str, Any],
    coordinator: str,
    convert: str,
    planned: bool = False,
) -> Faults:
    """Hosts that have not shown the goal on each live path by their latest look.

    Args:
        planned: a dry run: a copy counts as right that the distribution, if it runs, would switch.
    """
    found: Faults = {}
    for host, look in latest_looks.items():
        why = why_no_answer(look, "copies")
        if why:
            found[host] = [f"proof failed: {why}"]
            continue
        by_plan = {copy["path"] for copy in parts[host]["switch"]} if planned and host in parts else set()
        follows = host == coordinator and convert == "never"
        wrong = [
            f"{copy['path']}: {_holds(copy)} instead of {short(goal['sha256'])}."
            for copy in look["copies"]
            if must_be_right(copy)
            and not is_right(copy, goal["sha256"], follows)
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
