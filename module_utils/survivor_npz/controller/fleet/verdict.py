"""The verdict: what each host has shown, and what became of its plan."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Dict, List, Optional

from ansible.module_utils.survivor_npz.controller.fleet.facts import Faults, Host, is_right, short, wanted
from ansible.module_utils.survivor_npz.controller.fleet.plan import describe


def _complaint(result: Any, shows: Optional[str] = None) -> Optional[str]:
    """What a registered result says about its failure; None where it went well.

    Args:
        shows: a key that only a real answer has. A skipped task is then no answer.
    """
    if not isinstance(result, Mapping):
        return "gave no answer"
    if result.get("unreachable"):
        return f"became unreachable ({' '.join(str(result.get('msg', '')).split())})"
    if result.get("failed"):
        message = str(result.get("msg", "failed"))
        if result.get("stderr"):
            message = str(result["stderr"]).strip().splitlines()[-1]
        for item in result.get("results", []):
            if isinstance(item, Mapping) and item.get("failed"):
                message = str(item.get("msg", message))
        return " ".join(message.split())
    return "gave no answer" if shows and shows not in result else None


_STAGING = ("clean", "directories", "restore", "receive", "spread", "opened")


def barrier(hostvars: Mapping[str, Host], hosts: Sequence[str], sha256: str) -> Faults:
    """Hosts that have not shown the expected bytes, live or staged, on each of their paths in this run."""
    found: Faults = {}
    for host in hosts:
        facts = hostvars[host]
        todo = facts.get("__survivor_npz_plan")
        if todo is None:
            found[host] = ["has no plan: it did not answer."]
            continue
        faults = []
        for step in _STAGING:
            result = facts.get(f"__survivor_npz_stage_{step}")
            why = _complaint(result) if result is not None else None
            if why:
                faults.append(f"staging failed: {why}")
        if todo["switch"] and not faults:
            look: Any = facts.get("__survivor_npz_staged")
            why = _complaint(look, "copies")
            if why:
                faults.append(f"the look at the staged NPZ failed: {why}")
            else:
                held = {copy["path"]: copy["staged"] for copy in look["copies"]}
                faults += [
                    f"{copy['path']}: no staged NPZ with {short(sha256)} beside it."
                    for copy in todo["switch"]
                    if sha256 not in held.get(copy["path"], {})
                ]
        if faults:
            found[host] = faults
    return found


def activation(hostvars: Mapping[str, Host], hosts: Sequence[str]) -> Faults:
    """Hosts that should have switched and have not shown that they did."""
    found: Faults = {}
    for host in hosts:
        facts = hostvars[host]
        todo = facts["__survivor_npz_plan"]
        steps = (("activation", "switch", "copies"), ("attributes", "attributes", "results"))
        for step, part, shows in steps:
            if todo[part] and (why := _complaint(facts.get(f"__survivor_npz_{step}"), shows)):
                found.setdefault(host, []).append(f"{step} failed: {why}")
    return found


def proof(
    hostvars: Mapping[str, Host], hosts: Sequence[str], goal: Mapping[str, Any], options: Mapping[str, Any]
) -> Faults:
    """Hosts that have not shown the expected SHA-256 on each live path in this run.

    In a dry run (`options.check`) a copy counts as right that the distribution, if played, would switch.
    """
    found: Faults = {}
    for host in hosts:
        facts = hostvars[host]
        look: Any = facts.get("__survivor_npz_proof")
        why = _complaint(look, "copies")
        if why:
            found[host] = [f"proof failed: {why}"]
            continue
        todo = facts.get("__survivor_npz_plan") or {"switch": []}
        dry = options["check"] and _changed(facts, "prediction")
        planned = {copy["path"] for copy in todo["switch"]} if dry else set()
        follows = host == options["coordinator"] and options["convert"] == "never"
        faults = [
            f"{copy['path']}: {_seen(copy)} instead of {short(goal['sha256'])}."
            for copy in look["copies"]
            if wanted(copy) and not is_right(copy, goal["sha256"], follows) and copy["path"] not in planned
        ]
        if faults:
            found[host] = faults
    return found


def _changed(facts: Host, step: str) -> bool:
    result = facts.get(f"__survivor_npz_{step}")
    return isinstance(result, Mapping) and bool(result.get("changed"))


def _seen(copy: Host) -> str:
    if copy["kind"] == "absent":
        return "missing"
    return str(copy["kind"] if copy["kind"] != "file" else short(copy["sha256"]))


def states(hostvars: Mapping[str, Host], hosts: Sequence[str], sha256: str) -> Dict[str, str]:
    """Each host's state after a failed switch: `new`, `old`, `mixed` or `unknown`."""
    found = {}
    for host in hosts:
        look: Any = hostvars[host].get("__survivor_npz_proof")
        if _complaint(look, "copies"):
            found[host] = "unknown"
            continue
        new = {copy["sha256"] == sha256 for copy in look["copies"] if wanted(copy)}
        found[host] = "mixed" if len(new) > 1 else "new" if new == {True} else "old"
    return found


def _seen_only(probe: Any) -> Dict[str, Any]:
    """A host's row before there is a plan."""
    if not isinstance(probe, Mapping) or "copies" not in probe:
        return {}
    seen = [describe(copy, False).replace("differs ", "") for copy in probe["copies"] if wanted(copy)]
    return {"before": ", ".join(dict.fromkeys(seen))}


def rows(
    hostvars: Mapping[str, Host],
    team: Mapping[str, Any],
    proofs: Optional[Faults] = None,
    named: Optional[Mapping[str, str]] = None,
    dry: bool = False,
) -> List[Dict[str, Any]]:
    """The report's table: one row per host with `host`, `before`, `action`, `proof`."""
    table = []
    for host in team["hosts"]:
        facts = hostvars[host]
        todo = facts.get("__survivor_npz_plan") or _seen_only(facts.get("__survivor_npz_probe"))
        predicted = dry and _changed(facts, "prediction")
        verdict = "not looked at"
        if proofs is not None:
            verdict = "no" if host in proofs else "would hold" if predicted else "yes"
        if named:
            verdict = named[host]
        row = {
            "host": host,
            "before": todo.get("before", "unknown"),
            "action": _done(facts, predicted),
            "proof": verdict,
        }
        table.append(row)
    return table + [
        {"host": host, "before": "not looked at", "action": "left out by name", "proof": "left out"}
        for host in team["skipped"]
    ]


def _done(facts: Host, predicted: bool) -> str:
    """What became of a host's plan."""
    action = str((facts.get("__survivor_npz_plan") or {}).get("action", "none"))
    if _changed(facts, "way_back"):
        return "went back"
    if _changed(facts, "activation"):
        return "switched"
    cleaned = action == "clean up" and _changed(facts, "stage_clean")
    if action == "none" or cleaned or _changed(facts, "attributes"):
        return action
    return f"{'would' if predicted else 'did not'} {action}"
