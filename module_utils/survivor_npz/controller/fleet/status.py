# SPDX-License-Identifier: MIT
"""playbooks/status.yml: every copy on every host, and what step25.yml would do."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ansible.module_utils.survivor_npz.common.digest import short
from ansible.module_utils.survivor_npz.controller.fleet import goal as goals
from ansible.module_utils.survivor_npz.controller.fleet.looks import Answer
from ansible.module_utils.survivor_npz.controller.fleet.membership import Team
from ansible.module_utils.survivor_npz.controller.fleet.plan import plan
from ansible.module_utils.survivor_npz.controller.fleet.preflight import busy, looks_of, warnings
from ansible.module_utils.survivor_npz.controller.fleet.preflight import preflight as faults_of

# What stands in the row of a host that nobody looked at.
LEFT_OUT, LIMITED, SILENT = "left out", "not checked (--limit)", "no answer"


def _row(host: str, copy: Answer, reference: str | None, made: int | None, now: float) -> dict[str, Any]:
    previous, sha256 = copy.get("previous") or {}, copy["sha256"]
    return {
        "host": host,
        "copy": copy["path"],
        "required": copy["required"],
        "present": copy["kind"],
        "sha256": sha256,
        "survivors": copy.get("survivors"),
        "schema": copy.get("schema"),
        "age": round(now - made / 1e9) if made else None,
        "same": None if sha256 is None or reference is None else sha256 == reference,
        "previous": previous.get("sha256"),
        "fault": copy.get("fault") or copy.get("error"),
    }


def _made(looks: Mapping[str, Answer]) -> dict[str, int | None]:
    """By SHA-256, the mtime of the JSON that an NPZ was made from; the first NPZ's own if no sidecar records it."""
    copies = [copy for look in looks.values() for copy in look["copies"] if copy["sha256"]]
    copies.sort(key=lambda copy: copy.get("source_mtime_ns") is None)
    return {copy["sha256"]: copy.get("source_mtime_ns") or copy.get("mtime_ns") for copy in reversed(copies)}


def _goal(look: Answer | None, decision: Any, convert: str) -> dict[str, Any] | None:
    if look is None:
        return None
    if convert == "never" and not look["copies"][0]["sha256"]:
        return None
    due = (look.get("decision") or {}).get("due", convert != "never")
    if due and (not isinstance(decision, Mapping) or decision.get("failed") or not decision.get("sha256")):
        return None
    return goals.decided(look, decision, convert)[1]


def _actions(
    looks: Mapping[str, Answer], lead: str, goal: Mapping[str, Any], options: Mapping[str, Any]
) -> list[str]:
    """What a run with this goal would do, host by host, or why it would refuse."""
    count = goal["survivor_count"]
    many = "an unknown number of" if count is None else f"{count:,}"
    verb = "convert" if goal["due"] else "not convert"
    would = [f"{verb} (reason: {goal['reason']}), {many} survivors"]
    few = goals.too_few(goal, options["min_survivors"], False)
    if few:
        return [f"refuse: {few}", *would]
    goal = {**goal, **goals.on_purpose(looks[lead], goal, options["json"])}
    parts, found = plan(looks, goal, options["convert"], lead)
    would += [
        f"{part['action']} on {host} ({part['before']})" for host, part in parts.items() if part["changes"]
    ]
    return [*_refusals(found), *would]


def _refusals(found: Mapping[str, Sequence[str]]) -> list[str]:
    return [f"refuse: {host}: {fault}" for host, faults in found.items() for fault in faults]


def status(
    team: Team,
    answers: Mapping[str, Any],
    decision: Any,
    options: Mapping[str, Any],
) -> dict[str, Any]:
    """What status.yml shows.

    Args:
        answers: what each host's look registered.
        decision: what the converter would do; None where it was not asked.
        options: as the decisions of a run take them; `played`, the hosts that --limit left; `now`, Unix seconds.

    Returns:
        `copies` (a row for each copy; ages in seconds), `would` (sentences: what step25.yml would do now),
        `refuses` (whether it would refuse for another reason than a running Step 2.5),
        `faults` by host, `warnings`, `run` (of Step 2.5), `same` (whether every required or existing copy
        has the coordinator's bytes), `reason`.
    """
    lead = team.coordinator
    hosts = list(dict.fromkeys([*([lead] if lead else []), *team.rigs]))
    limited = [host for host in hosts if host not in options["played"]]
    asked = {host: answers.get(host) for host in hosts if host not in limited}
    found = faults_of(asked, lead, options) if lead else {}
    looks, silent = looks_of(asked, lead)
    main, made = looks[lead]["copies"][0] if lead in looks else None, _made(looks)
    rows = [
        _row(host, copy, main["sha256"] if main else None, made.get(copy["sha256"]), options["now"])
        for host, look in looks.items()
        for copy in look["copies"]
    ]
    unseen = {**dict.fromkeys(silent, SILENT), **dict.fromkeys(limited, LIMITED)}
    unseen.update(dict.fromkeys(team.skipped, LEFT_OUT))
    rows += [{"host": host, "copy": None, "present": why} for host, why in unseen.items()]
    would = [f"refuse: {fault}" for fault in team.faults] + _refusals(found)
    goal = _goal(looks.get(lead) if lead else None, decision, options["convert"])
    if goal is not None and lead:
        would += _actions(looks, lead, goal, options)
    elif isinstance(decision, Mapping) and decision.get("failed") and not found.get(str(lead)):
        would.append(f"refuse: {lead}: {' '.join(str(decision.get('msg')).split())}")
    if limited:
        would.append(f"not known for {', '.join(limited)}: not checked (--limit)")
    wanted = [
        row
        for row in rows
        if row["present"] != LEFT_OUT and (row["present"] != "absent" or row.get("required"))
    ]
    run = (looks[lead].get("run") if lead in looks else None) or {}
    warned = warnings(looks, str(lead), options["addresses"])
    warned += foreign(looks.get(lead or ""), decision)
    if goal is not None and options["for_run"]:
        warned += goals.sample_warnings(goal["survivor_count"], options["scorer_args"])
    # While Step 2.5 runs nothing is wrong.
    excused = f"refuse: {lead}: {busy(run, options['busy'])}" if run.get("running") else None
    return {
        "copies": rows,
        "would": would,
        "refuses": any(line.startswith("refuse: ") and line != excused for line in would),
        "faults": found,
        "warnings": warned,
        "run": run,
        "same": bool(wanted) and all(row.get("same") for row in wanted),
        "reason": goal["reason"] if goal else None,
    }


def foreign(look: Answer | None, decision: Any) -> list[str]:
    """The converter's warnings, else one about a live NPZ on the coordinator that another program wrote."""
    asked = decision if isinstance(decision, Mapping) else {}
    found = list(asked.get("warned") or ((look or {}).get("decision") or {}).get("warnings") or [])
    if look is not None and not found and look["copies"][0].get("foreign"):
        main = look["copies"][0]
        found.append(f"{main['path']} ({short(main['sha256'])}) is not the NPZ that its sidecar records.")
    return found


def wrong(state: Mapping[str, Any]) -> str:
    """What a monitor should know; empty where all is well."""
    found = ["step25.yml would refuse"] if state["refuses"] else []
    found += [] if state["same"] else ["not every copy has the coordinator's bytes"]
    return " and ".join(found)
