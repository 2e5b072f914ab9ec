"""The plan: what each host must do to hold the expected bytes."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any, Dict, List, Optional

from ansible.module_utils.survivor_npz.controller.fleet.facts import Host, is_right, short, wanted


def staged_name(path: str, sha256: str) -> str:
    """Name of the staged file beside `path` (docs/state-machine.md)."""
    directory, name = os.path.split(path)
    return os.path.join(directory, f".{name}.{sha256[:16]}.staged")


def _attributes(copy: Host, options: Mapping[str, Any]) -> bool:
    """Whether a file with the right bytes has another owner, group or mode than asked for."""
    if copy.get("kind") == "symlink":
        return False
    other_mode = int(copy["mode"], 8) != int(str(options["mode"]), 8)
    return other_mode or any(options[key] and options[key] != copy[key] for key in ("owner", "group"))


def plan(probe: Host, goal: Mapping[str, Any], options: Mapping[str, Any]) -> Dict[str, Any]:
    """Everything that one host must do to hold the expected bytes on each live path.

    Args:
        probe: what survivor_npz_copies found there in this run.
        goal: `expected`.
        options: `coordinator` (bool), `convert`, `owner`, `group`, `mode`.

    Returns:
        `directories` to make, `clean` (copies beside which dead runs left files), `restore` (copies whose
        previous file is the one), `receive` (staged path that gets the content over the network, or None),
        `spread` (copies on the host, `src` and `dest`), `switch` (`path`, `expect`, `sidecars`),
        `attributes` (paths), `open` (a path with the content), `changes` (bool), `before` and `action`.
    """
    sha256 = goal["sha256"]
    # Files show names, and an operator may have given numbers.
    names = {kind: account["name"] for kind, account in probe["accounts"].items()}
    attributes = {**options, **names}
    follows = options["coordinator"] and options["convert"] == "never"
    lists = ("directories", "clean", "restore", "spread", "switch", "attributes")
    done: Dict[str, Any] = {name: [] for name in lists}
    source: Optional[str] = None
    before: List[str] = []
    unstaged: List[str] = []
    for copy in probe["copies"]:
        if not wanted(copy):
            continue
        main = bool(options["coordinator"]) and copy["path"] == goal["live"]
        right = is_right(copy, sha256, follows)
        staged = staged_name(copy["path"], sha256)
        before.append(describe(copy, right))
        if not (main and goal["converts"]) and set(copy["leftovers"]) - (set() if right else {staged}):
            done["clean"].append({"path": copy["path"], "sidecars": main})
        if right:
            source = source or copy["path"]
            if _attributes(copy, attributes):
                done["attributes"].append(copy["path"])
            continue
        if not copy["directory"]["exists"]:
            done["directories"].append(copy["directory"]["path"])
        expect = goal["expect"] if main else copy["sha256"]
        done["switch"].append({"path": copy["path"], "expect": expect, "sidecars": main})
        if sha256 in copy["staged"] or (main and goal["staged"]):
            source = source or staged
        elif _previous_is(copy, sha256) and (main or not _attributes(copy["previous"], attributes)):
            done["restore"].append({"path": copy["path"], "sidecars": main})
            source = source or staged
            if _attributes(copy["previous"], attributes):
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


def describe(copy: Host, right: bool) -> str:
    """What a copy was before this run, in a word."""
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
