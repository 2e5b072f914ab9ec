# SPDX-License-Identifier: MIT
"""The goal: the NPZ that every copy must become, and why."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any

from ansible.module_utils.survivor_npz.controller.fleet.looks import Answer, source_of

# Reasons of the contract's section 5 that convert nothing.
SETTLED = ("fresh", "pinned", "never")
# --sample-size of run_scorer_meta_optimizer.sh where it is not given.
DEFAULT_SAMPLE = 5000


def from_live(look: Answer, reason: str = "never") -> dict[str, Any]:
    """The goal is what the coordinator has live: nothing calls for a conversion, or `convert: never` forbids it."""
    main = look["copies"][0]
    return {
        "sha256": main["sha256"],
        "sha1": main["sha1"],
        "size": main["size"],
        "survivor_count": main["survivors"],
        "source_mtime_ns": main.get("source_mtime_ns"),
        "reason": reason,
        "due": False,
        "path": main.get("target") or main["path"],
        "staged": None,
        "live": main["path"],
        "replaces": main["sha256"],
        "converts": reason != "never",
    }


def from_decision(look: Answer, decision: Answer) -> dict[str, Any]:
    """The goal is the result of the conversion, done or predicted."""
    main = look["copies"][0]
    return {
        "sha256": decision["sha256"],
        "sha1": decision["checksum"],
        "size": decision["size"],
        "survivor_count": decision["survivor_count"],
        "source_mtime_ns": (decision.get("source") or {}).get("mtime_ns"),
        "reason": decision["reason"],
        "due": decision["reason"] not in SETTLED and decision["sha256"] not in main["staged"],
        "path": decision.get("staged") or main["path"],
        "staged": decision.get("staged"),
        "live": main["path"],
        "replaces": decision.get("live_sha256"),
        "converts": True,
    }


def decided(look: Answer, conversion: Any, convert: str) -> tuple[Answer, dict[str, Any]]:
    """What was decided on the coordinator, by its look or by the converter, and the goal that follows from it.

    Args:
        conversion: what the converter registered; it ran only if the look found that a conversion is due.
    """
    decision = look.get("decision") or {}
    if convert == "never":
        return {}, from_live(look)
    if decision.get("due", True):
        return conversion, from_decision(look, conversion)
    return decision, from_live(look, decision["reason"])


def on_purpose(look: Answer, goal: Mapping[str, Any], json_name: str) -> dict[str, Any]:
    """What keeps an NPZ that is already live on the coordinator although it was not made from the JSON.

    The script converts by itself where the JSON is newer, so the NPZ gets the JSON's mtime (`mtime_ns`) and, unless
    a rollback's pin holds it, a `pin`. A symlink leads to another program's file, which stays as it is.

    Returns:
        To be added to the goal; empty where nothing is to be done.
    """
    main, source = look["copies"][0], source_of(look, json_name)
    newer = (source.get("mtime_ns") or 0) > (main.get("mtime_ns") or 0)
    if (
        goal["reason"] not in ("pinned", "never", "rollback")
        or (main["kind"], main["sha256"]) != ("file", goal["sha256"])
        or not (newer or goal.get("stays") is False)
    ):
        return {}
    found = {"settles": True, "mtime_ns": source.get("mtime_ns")}
    if goal["reason"] == "never":
        stat = {name: source.get(name) for name in ("path", "size", "mtime_ns")}
        found["pin"] = {**stat, "unconverted": True}
    return found


def _no_way_back(held: Answer, live: str) -> str | None:
    """Why nobody can go back to this file; None where the fleet can."""
    if not held.get("sha256"):
        return f"{live} has no readable previous NPZ beside it: there is nothing to go back to."
    if held["fault"]:
        return (
            f"{held['path']} is incomplete or damaged ({held['fault']}): there is nothing to go back to. "
            "To bring every host to Step 1's survivors: playbooks/prepare.yml."
        )
    if held["survivors"] is None:
        return (
            f"{held['path']} does not record how many survivors it holds: there is nothing to go back to. To "
            f"bring it to every host all the same: make it {live}, then -e survivor_npz_convert=never."
        )
    return None


def _last_proven(lead: str, looks: Mapping[str, Answer]) -> tuple[str, Answer]:
    """The last NPZ that was proven and is not live: a host that holds it, and what it holds."""
    known = looks[lead].get("proven") or []
    wanted = next((sha256 for sha256 in known if sha256 != looks[lead]["copies"][0]["sha256"]), None)
    for host in [lead, *looks]:
        for copy in looks[host]["copies"]:
            for held in (copy, copy["previous"] or {}):
                if wanted and held.get("sha256") == wanted and not held.get("target"):
                    return host, held
    return lead, {}


def from_previous(lead: str, looks: Mapping[str, Answer], json_name: str) -> dict[str, Any]:
    """The goal of a rollback: the coordinator's previous NPZ, or why there is none (`refused`).

    One that the old converter made is passed over for the last proven one, if some host still holds it (`holder`).
    Where a rollback is in force already, its NPZ stays the goal: a second one heals hosts that missed it
    and never goes forward again (`stays`).
    """
    main, source = looks[lead]["copies"][0], source_of(looks[lead], json_name)
    pin = {name: source.get(name) for name in ("path", "size", "mtime_ns")}
    held = main.get("pin") or {}
    holds = held.get("sha256") == main["sha256"] and held.get("source") == pin
    stays = holds and not held.get("unconverted")
    kept: Answer = main if stays else main["previous"] or {}
    holder, old = lead, kept["path"] if kept.get("old_converter") else None
    if old:
        holder, kept = _last_proven(lead, looks)
    refused = _no_way_back(kept, main["path"])
    if old and not kept:
        refused = (
            f"{old} was made by the old converter, which labels hybrids java_lcg, and no host holds the NPZ that "
            "was proven before it: there is nothing to go back to."
        )
    if refused:
        return {"refused": refused}
    return {
        "sha256": kept["sha256"],
        "sha1": kept["sha1"],
        "size": kept["size"],
        "survivor_count": kept["survivors"],
        "source_mtime_ns": kept.get("source_mtime_ns"),
        "reason": "rollback",
        "due": False,
        "path": kept["path"],
        "staged": None,
        "live": main["path"],
        "replaces": main["sha256"],
        "converts": False,
        "pin": pin,
        "stays": stays,
        "holder": holder if holder != lead else None,
    }


def rollback(goal: Mapping[str, Any], json_name: str, done: bool) -> dict[str, Any]:
    """What the report says of a rollback; `age` is that of the JSON, in seconds."""
    made = goal["source_mtime_ns"]
    return {
        "sha256": goal["sha256"],
        "survivor_count": goal["survivor_count"],
        "age": round(time.time() - made / 1e9) if made else None,
        "replaced": goal["replaces"],
        "stays": goal["stays"],
        "json": json_name,
        "done": done,
    }


def too_few(goal: Mapping[str, Any], least: int, rolls_back: bool) -> str | None:
    """Why the goal holds too few survivors for a run; None where it holds enough or does not say.

    Only `convert: never` distributes an NPZ of another schema, which may not record its survivors.
    """
    count = goal["survivor_count"]
    if count is None or count >= least:
        return None
    advice = "The previous NPZ holds no more." if rolls_back else "Look at Step 1's result."
    return (
        f"{count} survivors, at least {least} are needed (survivor_npz_min_survivors). No rig was touched, the "
        f"old NPZ stays everywhere. {advice}"
    )


def conversion(result: Answer | None, goal: Mapping[str, Any], dry: bool) -> dict[str, Any]:
    """What the report says of the conversion: its `reason`, and whether it was done or is due."""
    kept = ("elapsed", "source", "notes", "left_out", "defaulted")
    found = {key: result[key] for key in kept if result and result.get(key)}
    done = bool(result and result.get("changed")) and not dry and goal["reason"] not in SETTLED
    reuses = not done and goal["reason"] not in SETTLED and bool(goal["staged"]) and not goal["due"]
    return {
        **found,
        "reason": goal["reason"],
        "sha256": goal["sha256"],
        "size": goal["size"],
        "survivor_count": goal["survivor_count"],
        "converted": done,
        "reuses": reuses,
        "due": bool(goal["due"]) and not done,
    }


def sample_warnings(survivors: int | None, arguments: Sequence[Any] | str) -> list[str]:
    """With no more survivors than the script's sample, its workers fail and it still reports success."""
    words = [arguments] if isinstance(arguments, str) else [str(word) for word in arguments]
    sample = DEFAULT_SAMPLE
    for index, word in enumerate(words):
        value = words[index + 1] if word == "--sample-size" and index + 1 < len(words) else ""
        value = word.partition("=")[2] if word.startswith("--sample-size=") else value
        sample = int(value) if value.isdigit() else sample
    if survivors is None or survivors > sample:
        return []
    return [
        f"--sample-size {sample:,} needs more than {survivors:,} survivors: workers will fail although the "
        "script reports success. Give a smaller --sample-size in survivor_npz_scorer_args."
    ]
