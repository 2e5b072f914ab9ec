"""The goal: which NPZ every copy must become, and why."""

from __future__ import annotations

from typing import Any, Dict, Optional

from ansible.module_utils.survivor_npz.controller.fleet.facts import Host

# Reasons of the contract's section 5 that convert nothing.
SETTLED = ("fresh", "pinned", "never")


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


def _no_way_back(goal: Host, live: str) -> Optional[str]:
    """Why nobody can go back to this file; None where the fleet can."""
    if not goal.get("sha256"):
        return f"{live} has no readable previous NPZ beside it: there is nothing to go back to."
    if goal["fault"]:
        return (
            f"{goal['path']} is no whole NPZ ({goal['fault']}): there is nothing to go back to. "
            "To bring every host to Step 1's survivors: playbooks/prepare.yml."
        )
    if goal["survivors"] is None:
        return (
            f"{goal['path']} does not tell how many survivors it holds: there is nothing to go back to. To "
            f"bring it to every host all the same: make it {live}, then -e survivor_npz_convert=never."
        )
    return None


def rollback_to(probe: Host, json_name: str) -> Dict[str, Any]:
    """What every copy must become in a rollback: the coordinator's previous NPZ, or why not (`refused`).

    Where a rollback is in force already, its NPZ stays the goal: a second one heals hosts that missed it
    and never goes forward again.
    """
    main = probe["copies"][0]
    source: Host = next((file for file in probe["files"] if file["name"] == json_name), {})
    pin = {name: source.get(name) for name in ("path", "size", "mtime_ns")}
    held = main.get("pin") or {}
    stays = bool(main["sha256"]) and held.get("sha256") == main["sha256"] and held.get("source") == pin
    goal: Host = main if stays else main["previous"] or {}
    refused = _no_way_back(goal, main["path"])
    if refused:
        return {"refused": refused}
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
