# SPDX-License-Identifier: MIT
"""The guard: refuse, before any host is asked anything, what can't become a run over the whole fleet."""

from __future__ import annotations

import getpass
import os
import platform
import uuid
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import yaml
from ansible.module_utils.survivor_npz.controller.fleet import membership, variables
from ansible.module_utils.survivor_npz.controller.fleet.decision import Stop, TaskVars
from ansible.module_utils.survivor_npz.controller.fleet.membership import Team

Values = Mapping[str, Mapping[str, Any]]
Evaluate = Callable[[str, str], Any]


def _without_coordinator(team: Team, played: list[str], limit: Any) -> list[str]:
    if team.coordinator is None:
        return team.faults[:1]
    if team.coordinator not in played:
        return [f"--limit {limit or ''} leaves out {team.coordinator}, the coordinator; run without --limit."]
    return []


def _values(task_vars: TaskVars, hosts: list[str], evaluate: Evaluate) -> dict[str, dict[str, Any]]:
    """Variables with our prefix that the inventory, -e or a play sets, by host; internal ones by name only."""
    found = {}
    for host in hosts:
        known = task_vars["hostvars"][host]
        values: dict[str, Any] = {}
        for name in known:
            if not name.startswith((variables.PREFIX, variables.INTERNAL)):
                continue
            try:
                values[name] = evaluate(host, name) if name.startswith(variables.PREFIX) else None
            except Exception as error:  # a template that can't be evaluated: whatever Jinja raises
                why = " ".join(str(error).split())
                raise Stop(
                    "guard", f"{name} can't be evaluated for {host}: {why}. Nothing was done."
                ) from error
        found[host] = values
    return found


def _reserved(task_vars: TaskVars, values: Values) -> list[str]:
    """Names of the run's own that come from outside: with them a gate could be forged."""
    earlier = task_vars.get("__survivor_npz_guard")
    if isinstance(earlier, Mapping) and earlier.get("controller_pid") == os.getppid():
        return []  # an earlier playbook of the same command left its groups and results
    taken = variables.reserved({name for known in values.values() for name in known})
    taken += sorted(name for name in task_vars["groups"] if name.startswith(variables.PREFIX))
    if not taken:
        return []
    return [
        f"{', '.join(taken)} was given from outside: names that begin like this are internal; do not set them."
    ]


def _misgiven(values: Values, specs: Path) -> list[str]:
    """What is wrong with variables; each fault once, with the hosts that it concerns."""
    content = yaml.safe_load(specs.read_text(encoding="utf-8"))
    known = variables.options_of(content["argument_specs"])
    judged: dict[str, list[str]] = {}
    found: dict[str, list[str]] = {}
    for host, given in values.items():
        ours = {name: value for name, value in given.items() if name.startswith(variables.PREFIX)}
        key = repr(sorted(ours.items()))
        if key not in judged:
            judged[key] = variables.problems(ours, known)
        for fault in judged[key]:
            found.setdefault(fault, []).append(host)
    everywhere = len(values)
    return [
        fault if len(hosts) == everywhere else f"{', '.join(hosts)}: {fault}"
        for fault, hosts in found.items()
    ]


def guard(task_vars: TaskVars, args: Mapping[str, Any], playbooks: Path, evaluate: Evaluate) -> Any:
    """Decide whether to begin.

    Args:
        args: `scope` (`fleet`, `coordinator`, or `status`, which accepts a part of the fleet), the names of the
            groups, `skip_rigs`, and `argument_specs`, a path.
        playbooks: where our own playbooks are: only there are tags ours to judge.
        evaluate: a variable of a host, by name.

    Returns:
        The task's result: the team, the groups that its hosts join, a token of this run, and report sections.

    Raises:
        Stop: no.
    """
    scope, limit = args["scope"], task_vars.get("ansible_limit")
    team = membership.team_of(task_vars["groups"], args)
    played = list(task_vars["ansible_play_hosts_all"])
    if scope == "coordinator":
        faults = _without_coordinator(team, played, limit)
    else:
        faults = list(team.faults)
        batch = list(task_vars.get("ansible_play_batch", played))
        faults += [] if faults or scope == "status" else membership.left_out(team, played, batch, limit)
    reached = [host for host in team.hosts if host in played]
    values = _values(task_vars, reached if scope == "status" else team.hosts, evaluate)
    wrong = _reserved(task_vars, values) + _misgiven(values, Path(args["argument_specs"]))
    if Path(str(task_vars.get("playbook_dir", ""))).resolve() == playbooks:
        run, skip = task_vars.get("ansible_run_tags", []), task_vars.get("ansible_skip_tags", [])
        wrong += variables.tag_problems(run, skip)
    tolerated = scope == "status" and bool(reached)
    if wrong or (faults and not tolerated):
        raise Stop("guard", " ".join([*([] if tolerated else faults), *wrong]) + " Nothing was done.")
    members = membership.groups_for(team if scope != "coordinator" else team._replace(rigs=[]))
    if scope == "coordinator":
        members = {**{rig: ["survivor_npz_rigs"] for rig in team.rigs}, **members}
    chosen = {host: groups for host, groups in members.items() if host in played}
    report = str(
        values.get(str(team.coordinator), {}).get(
            "survivor_npz_report", task_vars.get("survivor_npz_report", "")
        )
    )
    return {
        "team": {**team._asdict(), "faults": faults},
        "members": [{"name": host, "groups": groups} for host, groups in chosen.items()],
        "played": played,
        "token": uuid.uuid4().hex,
        "controller": f"{getpass.getuser()}@{platform.node()} (pid {os.getppid()})",
        "controller_pid": os.getppid(),
        "report": {"options": {"path": report, "skipped": team.skipped}},
    }
