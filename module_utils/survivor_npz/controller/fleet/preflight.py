"""Before any work: who belongs to the fleet, and what is wrong with it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Dict, List, Optional

from ansible.module_utils.survivor_npz.controller.fleet.facts import Faults, Host
from ansible.module_utils.survivor_npz.controller.fleet.host import (
    estimate,
    host_faults,
    room_faults,
    same_file,
)


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


def lost(result: Any, what: str, is_coordinator: bool = False) -> Optional[str]:
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
        without = "" if is_coordinator else "; or leave it out by name: survivor_npz_skip_rigs"
        return f"unreachable ({message}). Start it or mend its network{without}."
    if result.get("failed") or "copies" not in result:
        if "timed out" in message.lower():
            return f"{what}: no answer in time (a hung disk?): {message}"
        if "interpreter" in message and "not found" in message:
            message += " Install Python 3.9 or newer there, or name it with ansible_python_interpreter."
        return f"{what}: {message or 'no answer'}"
    return None


def busy(result: Any, matters: bool) -> Optional[str]:
    """Why the coordinator's answer forbids to change what Step 2.5 reads; None where it doesn't."""
    if not isinstance(result, Mapping) or "running" not in result or result.get("failed"):
        message = result.get("msg", "") if isinstance(result, Mapping) else ""
        return f"can't tell whether Step 2.5 is running: {message or 'no answer'}. Mend that, then run again."
    if not result["running"] or not matters:
        return None
    said = str(result.get("message", "Step 2.5 is running")).rstrip(".")
    return (
        f"{said}. Its workers read the NPZ: wait for "
        "its end. To go on regardless: -e survivor_npz_prepare_while_running=true."
    )


def preflight(
    hostvars: Mapping[str, Host], hosts: Sequence[str], coordinator: str, options: Mapping[str, Any]
) -> Faults:
    """All faults of all hosts, `{host: [fault, …]}`; empty when the run may go on."""
    found: Faults = {}
    probes: Dict[str, Host] = {}
    for host in hosts:
        probe: Any = hostvars[host].get("__survivor_npz_probe")
        why = lost(probe, "preflight", host == coordinator)
        if why:
            found[host] = [why]
            continue
        probes[host] = probe
        faults = host_faults(probe, options, host == coordinator)
        if faults:
            found[host] = faults
    if coordinator in probes:
        why = busy(hostvars[coordinator].get("__survivor_npz_running"), options["busy"])
        if why:
            found.setdefault(coordinator, []).append(why)
    for host, faults in same_file(probes).items():
        found.setdefault(host, []).extend(faults)
    size, sha256 = estimate(probes.get(coordinator), options)
    for host, probe in probes.items():
        short = list(room_faults(probe, size, sha256))
        if short:
            found.setdefault(host, []).extend(short)
    return found
