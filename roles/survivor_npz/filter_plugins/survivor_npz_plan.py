"""Filters for the transaction: what each host must do, and what each has shown."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any, Dict, List, Optional

Host = Mapping[str, Any]
Faults = Dict[str, List[str]]


# Reasons of the contract's section 5 that convert nothing.
SETTLED = ("fresh", "pinned", "never")


def short(sha256: Optional[str]) -> str:
    """The first digits of a SHA-256, as shown to people."""
    return sha256[:12] if sha256 else "none"


def staged_name(path: str, sha256: str) -> str:
    """Name of the staged file beside `path` (docs/state-machine.md)."""
    directory, name = os.path.split(path)
    return os.path.join(directory, f".{name}.{sha256[:16]}.staged")


def expected(probe: Host, decision: Optional[Host] = None) -> Dict[str, Any]:
    """What every copy must become: from the conversion, or, without one, from the coordinator's live NPZ."""
    main = probe["copies"][0]
    if decision is None:
        return {
            "sha256": main["sha256"],
            "checksum": main["sha1"],
            "size": main["size"],
            "survivor_count": main["survivors"],
            "source_mtime": None,
            "reason": "never",
            "due": False,
            "path": main.get("target", main["path"]),
            "staged": None,
            "live": main["path"],
            "expect": main["sha256"],
            "converts": False,
        }
    return {
        "sha256": decision["sha256"],
        "checksum": decision["checksum"],
        "size": decision["size"],
        "survivor_count": decision["survivor_count"],
        "source_mtime": (decision.get("source") or {}).get("mtime_ns"),
        "reason": decision["reason"],
        "due": _due(main, decision),
        "path": decision.get("staged") or main["path"],
        "staged": decision.get("staged"),
        "live": main["path"],
        "expect": decision.get("live_sha256"),
        "converts": True,
    }


def _due(main: Host, decision: Host) -> bool:
    """Whether a conversion is still to be done: it is due, and no earlier run has staged its result."""
    return decision["reason"] not in SETTLED and decision["sha256"] not in main["staged"]


def rollback_to(probe: Host, json_name: str) -> Dict[str, Any]:
    """What every copy must become in a rollback: the coordinator's previous NPZ, {} for none.

    Where a rollback is in force already, its NPZ stays the goal: a second one heals hosts that missed it
    and never goes forward again.
    """
    main = probe["copies"][0]
    source: Host = next((file for file in probe["files"] if os.path.basename(file["path"]) == json_name), {})
    pin = {name: source.get(name) for name in ("path", "size", "mtime_ns")}
    held = main.get("pin") or {}
    stays = bool(main["sha256"]) and held.get("sha256") == main["sha256"] and held.get("source") == pin
    goal: Host = main if stays else main["previous"] or {}
    if not goal.get("sha256"):
        return {}
    return {
        "sha256": goal["sha256"],
        "checksum": goal["sha1"],
        "size": goal["size"],
        "survivor_count": goal["survivors"],
        "source_mtime": None,
        "reason": "rollback",
        "due": False,
        "path": goal["path"],
        "staged": None,
        "live": main["path"],
        "expect": main["sha256"],
        "converts": False,
        "pin": pin,
    }


def conversion(result: Host, goal: Host, dry: bool) -> Dict[str, Any]:
    """What the report tells of the conversion: its `reason`, and whether it was done or is due."""
    if result.get("skipped"):
        return {"reason": "never", "converted": False, "due": False}
    kept = ("sha256", "size", "elapsed", "source", "notes", "left_out", "defaulted", "warnings")
    told = {key: result[key] for key in kept if result.get(key)}
    done = bool(result["changed"]) and not dry
    told.update(reason=result["reason"], survivor_count=result["survivor_count"])
    return {**told, "converted": done, "due": bool(goal["due"]) and not done}


def _is_right(copy: Host, sha256: str, follows: bool) -> bool:
    return copy["sha256"] == sha256 and (copy["kind"] == "file" or (follows and copy["kind"] == "symlink"))


def _attributes(copy: Host, wanted: Mapping[str, Any]) -> bool:
    """Whether a file with the right bytes has another owner, group or mode than asked for."""
    if copy.get("kind") == "symlink":
        return False
    other_mode = int(copy["mode"], 8) != int(str(wanted["mode"]), 8)
    return other_mode or any(wanted[key] and wanted[key] != copy[key] for key in ("owner", "group"))


def plan(probe: Host, goal: Mapping[str, Any], options: Mapping[str, Any]) -> Dict[str, Any]:
    """Everything that one host must do to hold the expected bytes on each live path.

    Args:
        probe: what survivor_npz_copies found there in this run.
        goal: `expected`.
        options: `coordinator` (bool), `convert`, `make_extra`, `owner`, `group`, `mode`.

    Returns:
        `directories` to make, `clean` (copies beside which dead runs left files), `restore` (copies whose
        previous file is the one), `receive` (staged path that gets the content over the network, or None),
        `spread` (copies on the host, `src` and `dest`), `switch` (`path`, `expect`, `sidecars`),
        `attributes` (paths), `open` (a path with the content), `changes` (bool), `before` and `action`.
    """
    sha256 = goal["sha256"]
    follows = options["coordinator"] and options["convert"] == "never"
    lists = ("directories", "clean", "restore", "spread", "switch", "attributes")
    done: Dict[str, Any] = {name: [] for name in lists}
    source: Optional[str] = None
    before: List[str] = []
    unstaged: List[str] = []
    for copy in probe["copies"]:
        if not copy["required"] and not copy["exists"] and not options["make_extra"]:
            continue
        main = bool(options["coordinator"]) and copy["path"] == goal["live"]
        right = _is_right(copy, sha256, follows)
        staged = staged_name(copy["path"], sha256)
        before.append(_before(copy, right))
        if not (main and goal["converts"]) and set(copy["leftovers"]) - (set() if right else {staged}):
            done["clean"].append({"path": copy["path"], "sidecars": main})
        if right:
            source = source or copy["path"]
            if _attributes(copy, options):
                done["attributes"].append(copy["path"])
            continue
        if not copy["directory"]["exists"]:
            done["directories"].append(copy["directory"]["path"])
        expect = goal["expect"] if main else copy["sha256"]
        done["switch"].append({"path": copy["path"], "expect": expect, "sidecars": main})
        if sha256 in copy["staged"] or (main and goal["staged"]):
            source = source or staged
        elif _previous_is(copy, sha256) and (main or not _attributes(copy["previous"], options)):
            done["restore"].append({"path": copy["path"], "sidecars": main})
            source = source or staged
            if _attributes(copy["previous"], options):
                done["attributes"].append(copy["path"])
        else:
            unstaged.append(staged)
    if unstaged and source is None and options["coordinator"]:
        source = goal["path"]
    done["receive"] = None
    if unstaged and source is None:
        source = done["receive"] = unstaged.pop(0)
    done["spread"] = [{"src": source, "dest": dest} for dest in unstaged]
    done["open"] = source
    # The coordinator's own copy with its sidecar comes last.
    done["switch"].sort(key=lambda copy: copy["sidecars"])
    done["changes"] = any(done[key] for key in ("directories", "clean", "switch", "attributes"))
    done["before"] = ", ".join(dict.fromkeys(before))
    done["action"] = _action(done)
    return done


def _previous_is(copy: Host, sha256: str) -> bool:
    return (copy["previous"] or {}).get("sha256") == sha256


def _before(copy: Host, right: bool) -> str:
    if right:
        return "right"
    if copy["kind"] == "absent":
        return "missing"
    if copy.get("fault"):
        return f"corrupt {short(copy['sha256'])}"
    return f"differs {short(copy['sha256'])}"


def _action(done: Mapping[str, Any]) -> str:
    if done["switch"]:
        return "switch"
    if done["attributes"]:
        return "set owner and mode"
    return "clean up" if done["clean"] else "none"


def receivers(hostvars: Mapping[str, Host], hosts: Sequence[str]) -> List[str]:
    """Hosts that need the NPZ over the network."""
    return [host for host in hosts if (hostvars[host].get("__survivor_npz_plan") or {}).get("receive")]


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

    In a dry run (`options.check`) a copy that the plan switches counts as right.
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
        planned = {copy["path"] for copy in todo["switch"]} if options["check"] else set()
        follows = host == options["coordinator"] and options["convert"] == "never"
        faults = [
            f"{copy['path']}: {_seen(copy)} instead of {short(goal['sha256'])}."
            for copy in look["copies"]
            if (copy["required"] or copy["exists"])
            and not _is_right(copy, goal["sha256"], follows)
            and copy["path"] not in planned
        ]
        if faults:
            found[host] = faults
    return found


def _seen(copy: Host) -> str:
    if copy["kind"] == "absent":
        return "missing"
    return copy["kind"] if copy["kind"] != "file" else short(copy["sha256"])


def states(hostvars: Mapping[str, Host], hosts: Sequence[str], sha256: str) -> Dict[str, str]:
    """Each host's state after a failed switch: `new`, `old`, `mixed` or `unknown`."""
    found = {}
    for host in hosts:
        look: Any = hostvars[host].get("__survivor_npz_proof")
        if _complaint(look, "copies"):
            found[host] = "unknown"
            continue
        new = {copy["sha256"] == sha256 for copy in look["copies"] if copy["required"] or copy["exists"]}
        found[host] = "mixed" if len(new) > 1 else "new" if new == {True} else "old"
    return found


def _seen_only(probe: Any) -> Dict[str, Any]:
    """A host's row before there is a plan."""
    if not isinstance(probe, Mapping) or "copies" not in probe:
        return {}
    seen = [
        _before(copy, False).replace("differs ", "")
        for copy in probe["copies"]
        if copy["required"] or copy["exists"]
    ]
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
        verdict = "not looked at"
        if proofs is not None:
            verdict = "no" if host in proofs else "would hold" if dry and todo.get("changes") else "yes"
        if named:
            verdict = named[host]
        row = {
            "host": host,
            "before": todo.get("before", "unknown"),
            "action": _done(facts, dry),
            "proof": verdict,
        }
        table.append(row)
    return table + [
        {"host": host, "before": "not looked at", "action": "left out by name", "proof": "left out"}
        for host in team["skipped"]
    ]


def _done(facts: Host, dry: bool) -> str:
    """What became of a host's plan."""

    def changed(step: str) -> bool:
        result = facts.get(f"__survivor_npz_{step}")
        return isinstance(result, Mapping) and bool(result.get("changed"))

    action = str((facts.get("__survivor_npz_plan") or {}).get("action", "none"))
    if changed("way_back"):
        return "went back"
    if changed("activation"):
        return "switched"
    if action == "none" or changed("attributes") or (action == "clean up" and changed("stage_clean")):
        return action
    return f"{'would' if dry else 'did not'} {action}"


class FilterModule:
    """Register the filters."""

    def filters(self) -> Dict[str, Any]:
        """Names as the role's tasks call them."""
        return {
            "survivor_npz_conversion": conversion,
            "survivor_npz_expected": expected,
            "survivor_npz_rollback_to": rollback_to,
            "survivor_npz_plan": plan,
            "survivor_npz_receivers": receivers,
            "survivor_npz_barrier": barrier,
            "survivor_npz_activation": activation,
            "survivor_npz_proof": proof,
            "survivor_npz_states": states,
            "survivor_npz_rows": rows,
        }
