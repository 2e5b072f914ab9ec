"""playbooks/status.yml: every copy on every host, and what step25.yml would do."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Dict, List, Optional

from ansible.module_utils.survivor_npz.controller.fleet.facts import Host
from ansible.module_utils.survivor_npz.controller.fleet.goal import expected
from ansible.module_utils.survivor_npz.controller.fleet.host import room
from ansible.module_utils.survivor_npz.controller.fleet.plan import plan
from ansible.module_utils.survivor_npz.controller.fleet.preflight import lost
from ansible.module_utils.survivor_npz.controller.fleet.preflight import preflight as faults_of

# What stands in the row of a host that nobody looked at.
LEFT_OUT, LIMITED, SILENT = "left out", "not looked at (--limit)", "no answer"


def age(seconds: float) -> str:
    """A time span in its largest unit."""
    for unit, length in (("d", 86400), ("h", 3600), ("min", 60)):
        if seconds >= length:
            return f"{seconds / length:.0f} {unit}"
    return f"{max(seconds, 0):.0f} s"


def _or_dash(value: Any) -> Any:
    return "-" if value is None else value


def _row(host: str, copy: Host, reference: Optional[str], now: float) -> Dict[str, Any]:
    previous = copy.get("previous") or {}
    sha256 = copy["sha256"]
    return {
        "host": host,
        "copy": copy["path"],
        "required": copy["required"],
        "present": copy["kind"],
        "sha256": sha256,
        "short": sha256[:12] if sha256 else "-",
        "survivors": _or_dash(copy.get("survivors")),
        "schema": _or_dash(copy.get("schema")),
        "age": age(now - copy["mtime_ns"] / 1e9) if copy.get("mtime_ns") else "-",
        "same": None if sha256 is None or reference is None else sha256 == reference,
        "previous": previous["sha256"][:12] if previous.get("sha256") else "-",
        "fault": copy.get("fault") or copy.get("error"),
    }


def _goal(probe: Optional[Host], decision: Any, convert: str) -> Optional[Dict[str, Any]]:
    if probe is None:
        return None
    if convert == "never":
        return dict(expected(probe)) if probe["copies"][0]["sha256"] else None
    if isinstance(decision, Mapping) and decision.get("sha256") and not decision.get("failed"):
        return dict(expected(probe, decision))
    return None


def _parts(
    probes: Mapping[str, Host], team: Host, goal: Host, options: Mapping[str, Any], least: int
) -> List[str]:
    """What a run with this goal would do, host by host, or why it would stop."""
    count = goal["survivor_count"]
    said = [f"{'convert' if goal['due'] else 'not convert'} (reason: {goal['reason']}), {count} survivors"]
    if count is not None and count < least:
        return [*said, f"stop: at least {least} survivors are needed (survivor_npz_min_survivors)"]
    facts: Dict[str, Dict[str, Any]] = {}
    for host, probe in probes.items():
        todo = plan(probe, goal, {**options, "coordinator": host == team["coordinator"]})
        facts[host] = {"__survivor_npz_probe": probe, "__survivor_npz_plan": todo}
        if todo["changes"]:
            said.append(f"{todo['action']} on {host} ({todo['before']})")
    return [*_stops(room(facts, list(facts), goal)), *said]


def _stops(found: Mapping[str, Sequence[str]]) -> List[str]:
    return [f"stop, because of {host}: {fault}" for host, faults in found.items() for fault in faults]


def status(
    hostvars: Mapping[str, Host],
    team: Mapping[str, Any],
    preflight: Mapping[str, Any],
    options: Mapping[str, Any],
    seen: Mapping[str, Any],
) -> Dict[str, Any]:
    """What status.yml shows.

    Args:
        preflight, options: as the filters for preflight and plan take them.
        seen: `now` (Unix seconds), `played` (hosts that --limit left) and `min_survivors`.

    Returns:
        `copies` (a row for each copy), `would` (sentences: what step25.yml would do now and why),
        `faults` by host, `same` (whether every required or existing copy has the coordinator's bytes).
    """
    lead = team["coordinator"]
    everybody = [host for host in dict.fromkeys([lead, *team["rigs"]]) if host is not None]
    hosts = [host for host in everybody if host in seen["played"]]
    limited = [host for host in everybody if host not in hosts]
    found: Dict[str, List[str]] = faults_of(hostvars, hosts, lead, preflight) if lead else {}
    probes = {
        host: hostvars[host]["__survivor_npz_probe"]
        for host in hosts
        if not lost(hostvars[host].get("__survivor_npz_probe"), "")
    }
    reference = probes[lead]["copies"][0]["sha256"] if lead in probes else None
    rows = [
        _row(host, copy, reference, seen["now"]) for host, probe in probes.items() for copy in probe["copies"]
    ]
    unseen = {host: SILENT for host in hosts if host not in probes}
    unseen.update(dict.fromkeys(limited, LIMITED))
    unseen.update((host, LEFT_OUT) for host in team["skipped"] if host in hostvars)
    rows += [{"host": host, "copy": "-", "present": why} for host, why in unseen.items()]
    decision = hostvars[lead].get("__survivor_npz_decision") if lead in probes else None
    goal = _goal(probes.get(lead), decision, options["convert"])
    would = [f"stop: {fault}" for fault in team["faults"]] + _stops(found)
    if goal is not None:
        would += _parts(probes, team, goal, options, seen["min_survivors"])
    elif isinstance(decision, Mapping) and decision.get("failed") and not found.get(lead):
        would.append(f"stop, because of {lead}: {' '.join(str(decision.get('msg')).split())}")
    if limited:
        would.append(f"not known of {', '.join(limited)}: not looked at (--limit)")
    wanted = [
        row
        for row in rows
        if row["present"] != LEFT_OUT and (row["present"] != "absent" or row.get("required"))
    ]
    return {
        "copies": rows,
        "would": would,
        "faults": found,
        "same": bool(wanted) and all(row.get("same") for row in wanted),
        "reason": goal["reason"] if goal else None,
    }
