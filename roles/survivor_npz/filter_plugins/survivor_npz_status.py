"""Filter for playbooks/status.yml: every copy on every host, and what step25.yml would do."""

from __future__ import annotations

import importlib.util
import os
import sys
from collections.abc import Mapping
from types import ModuleType
from typing import Any, Dict, List, Optional

Host = Mapping[str, Any]


def _neighbour(name: str) -> ModuleType:
    """Another filter file of this role: Ansible loads each by its path, so there is no package to import."""
    full = f"_survivor_npz_filters_{name}"
    if full not in sys.modules:
        spec = importlib.util.spec_from_file_location(
            full, os.path.join(os.path.dirname(__file__), f"{name}.py")
        )
        if spec is None or spec.loader is None:
            raise ImportError(name)
        module = importlib.util.module_from_spec(spec)
        sys.modules[full] = module
        spec.loader.exec_module(module)
    return sys.modules[full]


def age(seconds: float) -> str:
    """A time span in its largest unit."""
    for unit, length in (("d", 86400), ("h", 3600), ("min", 60)):
        if seconds >= length:
            return f"{seconds / length:.0f} {unit}"
    return f"{max(seconds, 0):.0f} s"


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
        "survivors": copy.get("survivors"),
        "schema": copy.get("schema"),
        "age": age(now - copy["mtime_ns"] / 1e9) if copy.get("mtime_ns") else "-",
        "same": None if sha256 is None or reference is None else sha256 == reference,
        "previous": previous["sha256"][:12] if previous.get("sha256") else "-",
        "fault": copy.get("fault") or copy.get("error"),
    }


def _goal(probe: Optional[Host], decision: Any, convert: str) -> Optional[Dict[str, Any]]:
    plans = _neighbour("survivor_npz_plan")
    if probe is None:
        return None
    if convert == "never":
        return dict(plans.expected(probe)) if probe["copies"][0]["sha256"] else None
    if isinstance(decision, Mapping) and decision.get("sha256") and not decision.get("failed"):
        return dict(plans.expected(probe, decision))
    return None


def status(
    hostvars: Mapping[str, Host],
    team: Mapping[str, Any],
    preflight: Mapping[str, Any],
    options: Mapping[str, Any],
    now: float,
) -> Dict[str, Any]:
    """What status.yml shows.

    Returns:
        `copies` (a row for each copy), `would` (sentences: what step25.yml would do now and why),
        `faults` by host, `same` (whether every required or existing copy has the coordinator's bytes).
    """
    fleets, plans = _neighbour("survivor_npz_fleet"), _neighbour("survivor_npz_plan")
    lead, hosts = team["coordinator"], [team["coordinator"], *team["rigs"], *team["skipped"]]
    hosts = [host for host in dict.fromkeys(hosts) if host in hostvars]
    found: Dict[str, List[str]] = fleets.preflight(hostvars, hosts, lead, preflight)
    probes = {
        host: hostvars[host]["__survivor_npz_probe"]
        for host in hosts
        if not fleets.lost(hostvars[host].get("__survivor_npz_probe"), "")
    }
    reference = probes[lead]["copies"][0]["sha256"] if lead in probes else None
    rows = [_row(host, copy, reference, now) for host, probe in probes.items() for copy in probe["copies"]]
    rows += [{"host": host, "copy": "-", "present": "no answer"} for host in hosts if host not in probes]
    decision = hostvars[lead].get("__survivor_npz_decision") if lead in hostvars else None
    goal = _goal(probes.get(lead), decision, options["convert"])
    would = [f"stop, because of {host}: {fault}" for host, faults in found.items() for fault in faults]
    would += [f"stop: {fault}" for fault in team["faults"]]
    if goal is None and lead in probes and isinstance(decision, Mapping) and decision.get("failed"):
        message = " ".join(str(decision.get("msg")).split())
        if not found.get(lead):
            would.append(f"stop, because of {lead}: {message}")
    if goal is not None:
        verb = "convert" if goal["due"] else "not convert"
        would.append(f"{verb} (reason: {goal['reason']}), {goal['survivor_count']} survivors")
        for host in hosts:
            if host in probes and host not in team["skipped"]:
                todo = plans.plan(probes[host], goal, {**options, "coordinator": host == lead})
                if todo["changes"]:
                    would.append(f"{todo['action']} on {host} ({todo['before']})")
    wanted = [row for row in rows if row["present"] not in ("absent",)]
    return {
        "copies": rows,
        "would": would,
        "faults": found,
        "same": bool(wanted) and all(row.get("same") for row in wanted),
        "reason": goal["reason"] if goal else None,
    }


class FilterModule:
    """Register the filter."""

    def filters(self) -> Dict[str, Any]:
        """Names as the role's tasks call them."""
        return {"survivor_npz_status": status}
