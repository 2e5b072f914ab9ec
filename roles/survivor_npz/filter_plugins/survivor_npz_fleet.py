"""Filters that read the fleet's state: who belongs to it, what is wrong, what is proven."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Dict, List, Optional

from ansible import constants  # type: ignore[attr-defined]

Host = Mapping[str, Any]
Faults = Dict[str, List[str]]

PYTHON_FLOOR = (3, 9)
# --sample-size of run_scorer_meta_optimizer.sh where it is not given.
DEFAULT_SAMPLE = 5000


def names_of(value: Any) -> List[str]:
    """A list of names, also where a variable came as one comma-separated word from the command line."""
    if isinstance(value, str):
        return [name.strip() for name in value.split(",") if name.strip()]
    return [str(name) for name in value or []]


def fleet(  # noqa: PLR0917 - a filter's arguments come by position
    groups: Mapping[str, Sequence[str]],
    coordinator_group: str,
    rigs_group: str,
    skip: Any,
    played: Sequence[str],
    limit: Optional[str] = None,
) -> Dict[str, Any]:
    """Who takes part: `coordinator`, `rigs`, `skipped`, `hosts` (rigs, then coordinator) and `faults`."""
    skipped = names_of(skip)
    coordinators = list(groups.get(coordinator_group, []))
    listed = list(groups.get(rigs_group, []))
    rigs = [rig for rig in listed if rig not in skipped]
    hosts = rigs + coordinators[:1]
    faults = []
    if len(coordinators) != 1:
        count = ", ".join(coordinators) or "none"
        faults.append(f"group {coordinator_group} must have exactly one host; it has: {count}.")
    if not listed:
        faults.append(f"group {rigs_group} has no host: nothing to distribute to. Edit the inventory.")
    faults += [
        f"survivor_npz_skip_rigs names {name}, which is not in group {rigs_group}."
        for name in skipped
        if name not in listed
    ]
    faults += [
        f"{host} is in both groups, {coordinator_group} and {rigs_group}."
        for host in rigs
        if host in coordinators
    ]
    missing = [host for host in hosts if host not in played]
    if missing and not faults:
        faults.append(
            f"--limit {limit or ''} leaves out {', '.join(missing)}: the fleet switches as a whole or not at "
            "all. Run without --limit; to leave a rig out by name: -e survivor_npz_skip_rigs=RIG."
        )
    return {
        "coordinator": coordinators[0] if coordinators else None,
        "rigs": rigs,
        "skipped": skipped,
        "hosts": hosts,
        "faults": faults,
    }


def lost(result: Any, what: str) -> Optional[str]:
    """Why a registered result is no answer; None where it is one."""
    if not isinstance(result, Mapping):
        return f"{what}: no answer."
    message = " ".join(str(result.get("msg", "")).split()).removeprefix("Task failed: ")
    if result.get("unreachable") and (
        "host key verification" in message.lower() or "IDENTIFICATION HAS CHANGED" in message
    ):
        return (
            "refused: its SSH host key is not the one known here. It was reimaged, or somebody else answers: "
            "compare the fingerprint at the host itself, then ssh-keygen -R its name or address, and connect "
            "once by hand."
        )
    if result.get("unreachable"):
        return (
            f"unreachable ({message}). Start it or mend its network; or leave it out by name: "
            "survivor_npz_skip_rigs."
        )
    if result.get("failed") or "copies" not in result:
        if "timed out" in message.lower():
            return f"{what}: no answer in time (a hung disk?): {message}"
        return f"{what}: {message or 'no answer'}"
    return None


def _size(count: float) -> str:
    return f"{count / 1e6:.1f} MB"


def _copy_faults(copy: Host, options: Mapping[str, Any], coordinator: bool) -> Iterable[str]:
    path, directory = copy["path"], copy["directory"]
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
    if not copy["required"] and not copy["exists"]:
        return
    if not directory["exists"]:
        # Any other is made while staging: a rig that was rebooted has an empty RAM disk.
        if directory["path"] == options["directory"]:
            yield f"directory {directory['path']} is missing. Create it, then run again."
    elif not directory["writable"] and not (follows and copy["kind"] == "symlink"):
        yield (
            f"directory {directory['path']} is not writable for {options['user']} "
            f"(read-only, or owned by {directory['owner']}). Mend that, then run again."
        )


def _room_faults(probe: Host, size: int, sha256: Optional[str]) -> Iterable[str]:
    """Room for the staged file and, where a link is not possible, the previous one."""
    for copy in probe["copies"]:
        directory = copy["directory"]
        wanted = copy["required"] or copy["exists"]
        if not wanted or not directory["exists"] or (sha256 and copy["sha256"] == sha256):
            continue
        if sha256 not in copy["staged"] and directory["free"] < size:
            yield (
                f"{directory['path']} has {_size(directory['free'])} free, the staged NPZ needs "
                f"{_size(size)}. Make room, then run again."
            )


def _host_faults(probe: Host, options: Mapping[str, Any], coordinator: bool) -> List[str]:
    if tuple(int(part) for part in probe["python"].split(".")[:2]) < PYTHON_FLOOR:
        return [f"{probe['executable']} is Python {probe['python']}; 3.9 or newer is needed."]
    found = []
    if abs(probe["skew"]) > options["skew"]:
        found.append(
            f"its clock is {probe['skew']:+.0f} s off the controller's. Set the clock (NTP), then run again."
        )
    for copy in probe["copies"]:
        found += _copy_faults(
            copy, {**options, "user": probe["user"], "directory": probe["directory"]}, coordinator
        )
    if not coordinator:
        return found + [
            f"survivor_npz_rig_python {file['path']} is not there or not executable."
            for file in probe["files"]
            if not (file["exists"] and file["executable"])
        ]
    for file in probe["files"]:
        name = os.path.basename(file["path"])
        if not file["exists"] and name == options["json"]:
            if options["needs_json"]:
                found.append(f"{file['path']} is missing. Run Step 1 (window_optimizer.py) first.")
        elif not file["exists"]:
            found.append(f"{file['path']} is missing: Step 2.5 needs it.")
        elif not file["readable"]:
            found.append(f"{file['path']} is not readable for {probe['user']}.")
        elif name == options["scorer"] and not file["executable"]:
            found.append(f"{file['path']} is not executable. chmod +x it, then run again.")
    missing = [name for name, version in probe["libraries"].items() if version is None]
    if missing:
        found.append(
            f"{probe['executable']} lacks {' and '.join(missing)}. Install: "
            f"{probe['executable']} -m pip install {' '.join(missing)}"
        )
    main = probe["copies"][0]
    if options["convert"] == "never" and not main["sha256"]:
        found.append(f"{main['path']} is missing, and survivor_npz_convert: never forbids to make it.")
    return found


def _same_file(probes: Mapping[str, Host]) -> Faults:
    owners: Dict[str, str] = {}
    found: Faults = {}
    for host, probe in probes.items():
        for copy in probe["copies"]:
            identity = copy["directory"]["identity"]
            if not identity or not (copy["required"] or copy["exists"]):
                continue
            key = f"{identity}/{os.path.basename(copy['path'])}"
            other = owners.setdefault(key, host)
            if other != host:
                found.setdefault(host, []).append(
                    f"{copy['path']} is the same file as on {other}: two inventory names for "
                    "one file. Edit the inventory."
                )
    return found


def preflight(
    hostvars: Mapping[str, Host], hosts: Sequence[str], coordinator: str, options: Mapping[str, Any]
) -> Faults:
    """All faults of all hosts, `{host: [fault, …]}`; empty when the run may go on."""
    found: Faults = {}
    probes: Dict[str, Host] = {}
    for host in hosts:
        probe: Any = hostvars[host].get("__survivor_npz_probe")
        why = lost(probe, "preflight")
        if why:
            found[host] = [why]
            continue
        probes[host] = probe
        faults = _host_faults(probe, options, host == coordinator)
        if faults:
            found[host] = faults
    busy = hostvars[coordinator].get("__survivor_npz_running") or {}
    if busy.get("running") and options["busy"]:
        found.setdefault(coordinator, []).append(
            f"Step 2.5 is running: {busy.get('message') or busy.get('pid')} The workers read these files. "
            "Wait for it, or end it with playbooks/stop.yml; to go on regardless: "
            "-e survivor_npz_prepare_while_running=true."
        )
    for host, faults in _same_file(probes).items():
        found.setdefault(host, []).extend(faults)
    size, sha256 = _estimate(probes.get(coordinator), options)
    for host, probe in probes.items():
        short = list(_room_faults(probe, size, sha256))
        if short:
            found.setdefault(host, []).extend(short)
    return found


def _estimate(probe: Optional[Host], options: Mapping[str, Any]) -> tuple[int, Optional[str]]:
    """Bytes the coming NPZ will take at least, and its SHA-256 where no conversion is in sight."""
    if probe is None:
        return 0, None
    main = probe["copies"][0]
    source = next(
        (file for file in probe["files"] if os.path.basename(file["path"]) == options["json"]), None
    )
    size = int(main.get("size") or 0)
    if not source or not source["exists"]:
        return size, main["sha256"]
    if main["sha256"] and source["mtime_ns"] <= main["mtime_ns"] and not options["force"]:
        return size, main["sha256"]
    return max(size, int(source["size"] * options["room_ratio"])), None


def _foreign(facts: Host) -> Iterable[str]:
    """Copies with the right bytes whose owner and mode can't be set by us."""
    wrong = facts["__survivor_npz_plan"]["attributes"]
    probe = facts["__survivor_npz_probe"]
    for copy in probe["copies"]:
        if copy["path"] in wrong and copy["sha256"] and not copy["mine"]:
            yield (
                f"{copy['path']} belongs to {copy['owner']} (mode {copy['mode']}), and {probe['user']} can't "
                "give it the owner and mode of survivor_npz_owner, _group and _mode. Correct that first."
            )


def room(hostvars: Mapping[str, Host], hosts: Sequence[str], expected: Mapping[str, Any]) -> Faults:
    """Hosts that can't do their part, now that size and digest of the NPZ are known."""
    found: Faults = {}
    for host in hosts:
        facts = hostvars[host]
        probe = facts["__survivor_npz_probe"]
        faults = [*_room_faults(probe, expected["size"], expected["sha256"]), *_foreign(facts)]
        if faults:
            found[host] = faults
    return found


def sample_warnings(survivors: Optional[int], arguments: Sequence[Any]) -> List[str]:
    """With no more survivors than the script's sample, its workers die and it still reports success."""
    words = [str(word) for word in arguments]
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


def parcel(sha256: str) -> str:
    """Where the controller keeps the NPZ on its way: a private directory that ends with this run."""
    return os.path.join(constants.DEFAULT_LOCAL_TMP, "survivor_npz", f"{sha256}.npz")


class FilterModule:
    """Register the filters."""

    def filters(self) -> Dict[str, Any]:
        """Names as the role's tasks call them."""
        return {
            "survivor_npz_fleet": fleet,
            "survivor_npz_preflight": preflight,
            "survivor_npz_room": room,
            "survivor_npz_parcel": parcel,
            "survivor_npz_sample_warnings": sample_warnings,
        }
