# SPDX-License-Identifier: MIT
"""The plan: what each host must do to hold the goal."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from ansible.module_utils.survivor_npz.controller.fleet.host_faults import attribute_faults, room_faults
from ansible.module_utils.survivor_npz.controller.fleet.looks import (
    Answer,
    Faults,
    is_right,
    must_be_right,
    previous_is,
    state,
)
from ansible.module_utils.survivor_npz.controller.fleet.preflight import sensible
from ansible.module_utils.survivor_npz.switch.names import Names

# Bytes a second, 100 Mbit/s less what SSH takes.
_SLOWEST_LINK = 10_000_000


def _other_attributes(copy: Answer, wanted: Mapping[str, Any]) -> bool:
    """Whether a file with the right bytes has another owner, group or mode than asked for."""
    if copy.get("kind") == "symlink":
        return False
    other_mode = int(copy["mode"], 8) != int(str(wanted["mode"]), 8)
    return other_mode or any(wanted[key] and wanted[key] != copy[key] for key in ("owner", "group"))


def part_of(look: Answer, goal: Mapping[str, Any], convert: str, coordinator: bool) -> dict[str, Any]:
    """Everything that one host must do to hold the goal on each live path.

    Args:
        look: the host's look, with `asked`: the owner, group and mode that the role's variables give it.
        goal: as made by goal.py.
        convert: survivor_npz_convert.
        coordinator: whether this is the coordinator.

    Returns:
        `directories` to make, `clean` (copies beside which dead runs left files), `restore` (copies whose
        previous file is the goal), `receive` (path that gets the content over the network, or None), `spread`
        (staged files to make from `source`), `switch` (`path`, `replaces`, `sidecars`), `settle` (the same, for a
        file that only gets an mtime or a pin), `attributes` (paths), `rest` (paths with nothing to do, which the look
        after the switch reads too), `open` (whether the host's own Python must open it), `changes` (bool), `before`
        and `action`.
    """
    sha256 = goal["sha256"]
    # Files show names, and an operator may have given numbers.
    names = {kind: account["name"] for kind, account in look["accounts"].items()}
    wanted = {**look["asked"], **names}
    follows = coordinator and convert == "never"
    part: dict[str, Any] = {
        name: [] for name in ("directories", "clean", "restore", "spread", "switch", "attributes", "rest")
    }
    source: str | None = None
    before: list[str] = []
    for copy in look["copies"]:
        if not must_be_right(copy):
            continue
        main = coordinator and copy["path"] == goal["live"]
        right = is_right(copy, sha256, follows)
        staged = Names(copy["path"]).staged(sha256)
        before.append(state(copy, sha256, follows))
        if not (main and goal["converts"]) and set(copy["leftovers"]) - (set() if right else {staged}):
            part["clean"].append({"path": copy["path"], "sidecars": main})
        if right:
            source = source or copy["path"]
            if _other_attributes(copy, wanted):
                part["attributes"].append(copy["path"])
            elif copy["kind"] == "file":
                part["rest"].append(copy["path"])
            continue
        if not copy["directory"]["exists"]:
            part["directories"].append(copy["directory"]["path"])
        replaces = goal["replaces"] if main else copy["sha256"]
        part["switch"].append({"path": copy["path"], "replaces": replaces, "sidecars": main})
        if sha256 in copy["staged"] or (main and goal["staged"]):
            source = source or staged
        elif previous_is(copy, sha256) and (main or not _other_attributes(copy["previous"], wanted)):
            part["restore"].append({"path": copy["path"], "sidecars": main})
            source = source or staged
            if _other_attributes(copy["previous"], wanted):
                part["attributes"].append(copy["path"])
        else:
            part["spread"].append(copy["path"])
    settle = {"path": goal["live"], "replaces": sha256, "sidecars": True, "mtime_ns": goal.get("mtime_ns")}
    part["settle"] = [settle] if coordinator and goal.get("settles") else []
    part["receive"] = None
    if part["spread"] and source is None:
        holds = coordinator and not goal.get("holder")
        source = goal["path"] if holds else _receives(look, part["spread"], sha256)
        part["receive"] = None if holds else source
    part["source"] = source
    part["open"] = bool(look["asked"]["rig_python"]) and not coordinator
    # The coordinator's own copy with its sidecar comes last.
    part["switch"].sort(key=lambda copy: copy["sidecars"])
    part["changes"] = any(part[key] for key in ("clean", "switch", "settle", "attributes"))
    part["before"] = ", ".join(dict.fromkeys(before))
    part["action"] = _action(part)
    return part


def _receives(look: Answer, paths: list[str], sha256: str) -> str:
    """The path that gets the content: in a directory that exists, since `copy` makes none."""
    existing = [
        copy["path"] for copy in look["copies"] if copy["path"] in paths and copy["directory"]["exists"]
    ]
    first = existing[0] if existing else f"{look['directory']}/{paths[0].rpartition('/')[2]}"
    return Names(first).staged(sha256)


def _action(part: Mapping[str, Any]) -> str:
    if part["switch"]:
        return "switch"
    if part["attributes"]:
        return "set owner and mode"
    if part["settle"]:
        return "set mtime"
    return "clean up" if part["clean"] else "none"


def plan(
    looks: Mapping[str, Answer], goal: Mapping[str, Any], convert: str, coordinator: str
) -> tuple[dict[str, dict[str, Any]], Faults]:
    """Each host's part, and the hosts that can't do theirs, now that size and digest of the NPZ are known."""
    parts: dict[str, dict[str, Any]] = {}
    found: Faults = {}
    for host, look in looks.items():

        def faults(host: str = host, look: Answer = look) -> list[str]:
            parts[host] = part_of(look, goal, convert, host == coordinator)
            room = room_faults(look, goal["size"], goal["sha256"])
            return [*room, *attribute_faults(look, parts[host])]

        trouble = sensible(faults)
        if trouble:
            found[host] = trouble
    return parts, found


def parcel(goal: Mapping[str, Any], connection: Any, folder: str) -> str:
    """Where the controller reads the goal for the rigs: as it lies, if its holder is this machine, else in `folder`."""
    is_here = connection == "local" and os.access(goal["path"], os.R_OK)
    return str(goal["path"]) if is_here else os.path.join(folder, "survivor_npz", f"{goal['sha256']}.npz")


def groups(
    parts: Mapping[str, Mapping[str, Any]], sender: str | None, coordinator: str, check: bool
) -> dict[str, list[str]]:
    """The groups that each host with a part joins; the playbooks tell what the hosts of a group do.

    Args:
        sender: the host from which the goal is fetched first; None where it lies on the controller.
    """
    found = {host: ["survivor_npz_differ"] for host, part in parts.items() if part["changes"] or part["open"]}
    receivers = [host for host, part in parts.items() if part["receive"] and not check]
    for host in receivers:
        found[host].append("survivor_npz_receive")
    if found and not check:
        found.setdefault(coordinator, []).append("survivor_npz_switching")
    if receivers and sender:
        found.setdefault(sender, []).append("survivor_npz_sending")
    return found


def copy_seconds(parts: Mapping[str, Mapping[str, Any]], size: int) -> int:
    """Seconds that the copies may take beyond a task's usual time: they share the controller's link."""
    return -(-size * sum(bool(part["receive"]) for part in parts.values()) // _SLOWEST_LINK)


def cleared(parts: Mapping[str, Mapping[str, Any]], coordinator: str) -> dict[str, list[str]]:
    """The groups of the hosts that change something live, once the barrier holds: the coordinator is last."""
    both = ["survivor_npz_cleared", "survivor_npz_cleared_rigs"]
    changing = (
        host for host, part in parts.items() if part["switch"] or part["settle"] or part["attributes"]
    )
    return {host: both[:1] if host == coordinator else both for host in changing}
