"""What is wrong with one host, by one look at it; and what shows once the NPZ is known."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Dict, List, Optional

from ansible.module_utils.survivor_npz.controller.fleet.facts import Faults, Host, wanted

PYTHON_FLOOR = (3, 9)
# --sample-size of run_scorer_meta_optimizer.sh where it is not given.
DEFAULT_SAMPLE = 5000
ACCOUNTS = {"owner": "user", "group": "group"}


def _size(count: float) -> str:
    return f"{count / 1e6:.1f} MB"


def _copy_faults(copy: Host, options: Mapping[str, Any], coordinator: bool) -> Iterable[str]:
    path = copy["path"]
    follows = coordinator and options["convert"] == "never"
    if copy["kind"] == "symlink" and not follows:
        yield (
            f"{path} is a symlink to {copy['target']}, which somebody else owns: it is never replaced. "
            + (
                "To distribute the file that it points to: -e survivor_npz_convert=never."
                if coordinator
                else "Remove the link, then run again."
            )
        )
        return
    if copy["kind"] == "other":
        yield f"{path} is not a regular file. Move it away, then run again."
        return
    if copy.get("error"):
        yield f"{path} can't be read: {copy['error']}."
    if wanted(copy) and not (follows and copy["kind"] == "symlink"):
        yield from _directory_faults(copy["directory"], options)


def _directory_faults(directory: Host, options: Mapping[str, Any]) -> Iterable[str]:
    """Any directory but `options.homes` is made while staging: a rebooted rig has an empty RAM disk."""
    path, blocks = directory["path"], directory["in_the_way"]
    if blocks:
        yield f"directory {path} can't be there: {blocks} is no directory. Move it away, then run again."
    elif not directory["exists"] and path in options["homes"]:
        yield f"directory {path} is missing. Create it, then run again."
    elif not directory["writable"]:
        what = "" if directory["exists"] else f"{path} is missing and can't be made, as "
        yield (
            f"{what}directory {directory['nearest']} is not writable for {options['user']} "
            f"(read-only, or owned by {directory['owner']}). Mend that, then run again."
        )


def room_faults(probe: Host, size: int, sha256: Optional[str]) -> Iterable[str]:
    """Room for the staged file and, where a link is not possible, the previous one."""
    for copy in probe["copies"]:
        directory = copy["directory"]
        if not wanted(copy) or directory["in_the_way"] or (sha256 and copy["sha256"] == sha256):
            continue
        if sha256 not in copy["staged"] and directory["free"] < size:
            yield (
                f"{directory['path']} has {_size(directory['free'])} free, the staged NPZ needs "
                f"{_size(size)}. Make room, then run again."
            )


def _account_faults(probe: Host) -> Iterable[str]:
    for kind, account in probe["accounts"].items():
        if account["name"] is None:
            yield (
                f"survivor_npz_{kind} is {account['wanted']}, and no {ACCOUNTS[kind]} of that name is here. "
                "Create it, or correct the variable."
            )


def _file_faults(file: Host, options: Mapping[str, Any], user: str) -> Iterable[str]:
    """What is wrong with a file that the run needs on the coordinator."""
    if not file["exists"] and file["name"] == options["json"]:
        if options["needs_json"]:
            yield f"{file['path']} is missing. Run Step 1 (window_optimizer.py) first."
    elif not file["exists"]:
        yield f"{file['path']} is missing: Step 2.5 needs it."
    elif not file["readable"]:
        # No more is asked of the script: one that isn't executable is given to bash.
        yield f"{file['path']} is not readable for {user}."


def _source_faults(main: Host, options: Mapping[str, Any]) -> Iterable[str]:
    """What is wrong with the coordinator's own NPZ where it is distributed as it is."""
    if options["convert"] != "never":
        return
    if not main["sha256"]:
        yield f"{main['path']} is missing, and survivor_npz_convert: never forbids to make it."
    elif main["fault"]:
        yield (
            f"{main['path']} is no whole NPZ ({main['fault']}), and survivor_npz_convert: never would bring "
            "it to every rig as it is. Put a whole one there, or run without survivor_npz_convert=never."
        )


def host_faults(probe: Host, options: Mapping[str, Any], coordinator: bool) -> List[str]:
    """Whatever one look at a host tells of what would stop the run there."""
    if tuple(int(part) for part in probe["python"].split(".")[:2]) < PYTHON_FLOOR:
        return [f"{probe['executable']} is Python {probe['python']}; 3.9 or newer is needed."]
    found = []
    if abs(probe["skew"]) > options["skew"]:
        found.append(
            f"its clock is {probe['skew']:+.0f} s off the controller's. Set the clock (NTP), then run again."
        )
    found += _account_faults(probe)
    main = probe["copies"][0]
    # The converter makes no directory either.
    homes = [probe["directory"], *([main["directory"]["path"]] if coordinator else [])]
    for copy in probe["copies"]:
        found += _copy_faults(copy, {**options, "user": probe["user"], "homes": homes}, coordinator)
    if not coordinator:
        return found + [
            f"survivor_npz_rig_python {file['path']} is not there or not executable."
            for file in probe["files"]
            if not (file["exists"] and file["executable"])
        ]
    for file in probe["files"]:
        found += _file_faults(file, options, probe["user"])
    missing = [name for name, version in probe["libraries"].items() if version is None]
    if missing:
        found.append(
            f"{probe['executable']} lacks {' and '.join(missing)}. Install: "
            f"{probe['executable']} -m pip install {' '.join(missing)}"
        )
    return found + list(_source_faults(main, options))


def same_file(probes: Mapping[str, Host]) -> Faults:
    """Hosts whose copy is the very file of another host."""
    owners: Dict[str, str] = {}
    found: Faults = {}
    for host, probe in probes.items():
        for copy in probe["copies"]:
            identity = copy["directory"]["identity"]
            if not identity or not wanted(copy):
                continue
            key = f"{identity}/{os.path.basename(copy['path'])}"
            other = owners.setdefault(key, host)
            if other != host:
                found.setdefault(host, []).append(
                    f"{copy['path']} is the same file as on {other}: two inventory names for "
                    "one file. Edit the inventory."
                )
    return found


def estimate(probe: Optional[Host], options: Mapping[str, Any]) -> tuple[int, Optional[str]]:
    """Bytes the coming NPZ will take at least, and its SHA-256 where no conversion is in sight."""
    if probe is None:
        return 0, None
    main = probe["copies"][0]
    source = next((file for file in probe["files"] if file["name"] == options["json"]), None)
    size = int(main.get("size") or 0)
    if not source or not source["exists"]:
        return size, main["sha256"]
    if main["sha256"] and source["mtime_ns"] <= main["mtime_ns"] and not options["force"]:
        return size, main["sha256"]
    return max(size, int(source["size"] * options["room_ratio"])), None


def _foreign(facts: Host) -> Iterable[str]:
    """Files that can't be given the owner and mode asked for, by us: those there, and those to come."""
    todo, probe = facts["__survivor_npz_plan"], facts["__survivor_npz_probe"]
    for copy in probe["copies"]:
        if copy["path"] in todo["attributes"] and copy["sha256"] and not copy["mine"]:
            yield (
                f"{copy['path']} belongs to {copy['owner']} (mode {copy['mode']}), and {probe['user']} can't "
                "give it the owner and mode of survivor_npz_owner, _group and _mode. Correct that first."
            )
    for kind, account in probe["accounts"].items():
        if todo["switch"] and account["name"] is not None and not account["grantable"]:
            yield (
                f"{probe['user']} can't give a file to the {ACCOUNTS[kind]} {account['wanted']} "
                f"(survivor_npz_{kind}). Log in as a user who may, or correct the variable."
            )


def room(hostvars: Mapping[str, Host], hosts: Sequence[str], expected: Mapping[str, Any]) -> Faults:
    """Hosts that can't do their part, now that size and digest of the NPZ are known."""
    found: Faults = {}
    for host in hosts:
        facts = hostvars[host]
        probe = facts["__survivor_npz_probe"]
        faults = [*room_faults(probe, expected["size"], expected["sha256"]), *_foreign(facts)]
        if faults:
            found[host] = faults
    return found


def sample_warnings(survivors: Optional[int], arguments: Sequence[Any]) -> List[str]:
    """With no more survivors than the script's sample, its workers die and it still reports success."""
    words = [arguments] if isinstance(arguments, str) else [str(word) for word in arguments]
    sample = DEFAULT_SAMPLE
    for index, word in enumerate(words):
        value = words[index + 1] if word == "--sample-size" and index + 1 < len(words) else ""
        value = word.partition("=")[2] if word.startswith("--sample-size=") else value
        sample = int(value) if value.isdigit() else sample
    if survivors is None or survivors > sample:
        return []
    return [
        f"{survivors:,} survivors are not more than Step 2.5's --sample-size ({sample:,}): its workers will "
        "fail, and it will report success all the same. Give a smaller --sample-size in "
        "survivor_npz_scorer_args."
    ]
