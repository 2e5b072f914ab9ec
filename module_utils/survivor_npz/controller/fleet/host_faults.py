# SPDX-License-Identifier: MIT
"""Find the faults of one host, before and after the NPZ is known."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from typing import Any

from ansible.module_utils.survivor_npz.controller.fleet.looks import (
    Answer,
    Faults,
    must_be_right,
    source_of,
)

PYTHON_FLOOR = (3, 9)
ACCOUNTS = {"owner": "user", "group": "group"}


def size_text(count: float) -> str:
    """Bytes in a unit in which they are not 0."""
    for unit, factor in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if count >= factor:
            return f"{count / factor:.1f} {unit}"
    return f"{count:.0f} bytes"


def _not_writable(directory: Answer, user: str) -> str:
    """Why a user can't write to a directory."""
    if directory["owner"] == user and directory.get("mode"):
        return f"it is yours, but its mode is {directory['mode']}, or its file system is read-only"
    return f"owned by {directory['owner']}, or its file system is read-only"


def _copy_faults(copy: Answer, options: Mapping[str, Any], coordinator: bool) -> Iterable[str]:
    path = copy["path"]
    follows = coordinator and options["convert"] == "never"
    if copy["kind"] == "symlink" and not follows:
        yield (
            f"{path} is a symlink to {copy['target']}, which another program owns: it is never replaced. "
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
    if must_be_right(copy) and copy["kind"] != "symlink":
        yield from _directory_faults(copy["directory"], options)
        yield from copy["directory"].get("untrusted") or []


def _directory_faults(directory: Answer, options: Mapping[str, Any]) -> Iterable[str]:
    """Any directory but `options.homes` is made while staging: a rebooted rig has an empty RAM disk."""
    path, blocks = directory["path"], directory["in_the_way"]
    if blocks:
        yield f"directory {path} can't exist: {blocks} is not a directory. Move it away, then run again."
    elif not directory["exists"] and path in options["homes"]:
        yield f"directory {path} is missing. Is survivor_npz_pipeline_dir right? If so, create it, then run again."
    elif not directory["writable"]:
        what = "" if directory["exists"] else f"{path} is missing and can't be made, as "
        yield (
            f"{what}directory {directory['nearest']} is not writable for {options['user']} "
            f"({_not_writable(directory, options['user'])}). Fix this, then run again."
        )


def room_faults(look: Answer, size: int, sha256: str | None) -> Iterable[str]:
    """Room for the staged file and, where a link is not possible, the previous one."""
    for copy in look["copies"]:
        directory = copy["directory"]
        if not must_be_right(copy) or directory["in_the_way"] or (sha256 and copy["sha256"] == sha256):
            continue
        if sha256 not in copy["staged"] and directory["free"] < size:
            yield (
                f"{directory['path']} has {size_text(directory['free'])} free, the staged NPZ needs "
                f"{size_text(size)}. Make room, then run again."
            )


def _account_faults(look: Answer) -> Iterable[str]:
    for kind, account in look["accounts"].items():
        if account["name"] is None:
            yield (
                f"survivor_npz_{kind} is {account['wanted']}, and there is no {ACCOUNTS[kind]} of that name. "
                "Create it, or correct the variable."
            )


def _file_faults(file: Answer, options: Mapping[str, Any], user: str) -> Iterable[str]:
    """What is wrong with a file that the run needs on the coordinator."""
    is_json = file["name"] == options["json"]
    if is_json and not options["needs_json"]:
        return
    if not file["exists"] and is_json:
        yield f"{file['path']} is missing. Run Step 1 (window_optimizer.py) first."
    elif not file["exists"]:
        variable = "survivor_npz_scorer" if file["name"] == options["scorer"] else "survivor_npz_scorer_needs"
        yield f"{file['path']} is missing, and Step 2.5 needs it. Put it there, or correct {variable}."
    elif not file["readable"]:
        # No more is asked of the script: one that isn't executable is given to bash.
        yield f"{file['path']} is not readable for {user}. Change its mode or owner, then run again."


def _source_faults(look: Answer, options: Mapping[str, Any]) -> Iterable[str]:
    """What is wrong with the coordinator's own NPZ where it is distributed as it is."""
    if options["convert"] != "never":
        return
    main, source = look["copies"][0], source_of(look, options["json"])
    if not main["sha256"]:
        yield f"{main['path']} is missing, and with survivor_npz_convert: never it is not made."
    elif main["fault"]:
        yield (
            f"{main['path']} is incomplete or damaged ({main['fault']}), and survivor_npz_convert: never would bring "
            "it to every rig as it is. Put an intact one there, or run without survivor_npz_convert=never."
        )
    elif (
        options["for_run"] and main["kind"] == "symlink" and (source.get("mtime_ns") or 0) > main["mtime_ns"]
    ):
        yield (
            f"{source['path']} is newer than {main['target']}, to which {main['path']} leads: {options['scorer']} "
            "would convert it by itself, and change another program's file. Let that program write its NPZ "
            "anew, or move the JSON away, then run again."
        )


def host_faults(look: Answer, options: Mapping[str, Any], coordinator: bool) -> list[str]:
    """Whatever one look at a host tells of what would stop the run there."""
    if tuple(int(part) for part in look["python"].split(".")[:2]) < PYTHON_FLOOR:
        return [
            f"{look['executable']} is Python {look['python']}; 3.9 or newer is needed. Install it, or name another "
            "one with ansible_python_interpreter."
        ]
    found = []
    if abs(look["skew"]) > options["skew"]:
        found.append(
            f"its clock is {abs(look['skew']):.0f} s {'ahead of' if look['skew'] > 0 else 'behind'} the "
            "controller's. Set the clock (NTP), then run again."
        )
    found += _account_faults(look)
    main = look["copies"][0]
    # The converter makes no directory either.
    homes = [look["directory"], *([main["directory"]["path"]] if coordinator else [])]
    for copy in look["copies"]:
        found += _copy_faults(copy, {**options, "user": look["user"], "homes": homes}, coordinator)
    if not coordinator:
        return found + [
            f"survivor_npz_rig_python {file['path']} does not exist or is not executable."
            for file in look["files"]
            if not (file["exists"] and file["executable"])
        ]
    for file in look["files"]:
        found += _file_faults(file, options, look["user"])
    missing = [name for name, version in look["libraries"].items() if version is None]
    if missing:
        python, venv = look["executable"], f"{look['directory']}/.venv-survivor-npz"
        # Ansible takes an interpreter's path as it is, without ~; and a new environment has neither library.
        found.append(
            f"{python} lacks {' and '.join(missing)}. Install: {python} -m pip install {' '.join(missing)}. If pip "
            f"refuses (externally managed): {python} -m venv {venv} && {venv}/bin/pip install numpy orjson, then set "
            f"ansible_python_interpreter to {venv}/bin/python. On Debian and Ubuntu this needs python3-venv."
        )
    return found + list(_source_faults(look, options))


def same_file(looks: Mapping[str, Answer]) -> Faults:
    """Hosts whose copy is the very file of another host."""
    owners: dict[str, str] = {}
    found: Faults = {}
    for host, look in looks.items():
        for copy in look["copies"]:
            identity = copy["directory"]["identity"]
            if not identity or not must_be_right(copy):
                continue
            key = f"{identity}/{os.path.basename(copy['path'])}"
            other = owners.setdefault(key, host)
            if other != host:
                found.setdefault(host, []).append(
                    f"{copy['path']} is the same file as on {other}: two inventory names for "
                    "one file. Edit the inventory."
                )
    return found


def estimate(look: Answer | None, options: Mapping[str, Any]) -> tuple[int, str | None]:
    """Bytes the coming NPZ will take at least, and its SHA-256 where no conversion is in sight."""
    if look is None:
        return 0, None
    main = look["copies"][0]
    source = source_of(look, options["json"])
    size = int(main.get("size") or 0)
    if not source.get("exists") or not options["needs_json"]:
        return size, main["sha256"]
    if main["sha256"] and source["mtime_ns"] <= main["mtime_ns"] and not options["force"]:
        return size, main["sha256"]
    return max(size, int(source["size"] * options["room_ratio"])), None


def attribute_faults(look: Answer, part: Mapping[str, Any]) -> Iterable[str]:
    """Files that can't get the owner and mode asked for: those there, and those to come."""
    for copy in look["copies"]:
        if copy["path"] in part["attributes"] and copy["sha256"] and not copy["mine"]:
            yield (
                f"{copy['path']} belongs to {copy['owner']} (mode {copy['mode']}), and {look['user']} can't "
                "give it the owner and mode of survivor_npz_owner, _group and _mode. Correct that first."
            )
    for kind, account in look["accounts"].items():
        if part["switch"] and account["name"] is not None and not account["grantable"]:
            yield (
                f"{look['user']} can't give a file to the {ACCOUNTS[kind]} {account['wanted']} "
                f"(survivor_npz_{kind}). Log in as a user who may, or correct the variable."
            )
