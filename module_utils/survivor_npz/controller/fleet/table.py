# SPDX-License-Identifier: MIT
"""The report's table: one row per host with `host`, `before`, `action`, `proof`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible.module_utils.survivor_npz.controller.fleet.answers import why_no_answer
from ansible.module_utils.survivor_npz.controller.fleet.looks import Faults, must_be_right, state
from ansible.module_utils.survivor_npz.controller.fleet.membership import Team

NOT_CHECKED = "not checked"


def before(look: Any) -> str:
    """What a host holds, while there is no goal yet."""
    if look is None:
        return NOT_CHECKED
    if why_no_answer(look, "copies"):
        return "unknown"
    return ", ".join(dict.fromkeys(state(copy, None) for copy in look["copies"] if must_be_right(copy)))


def _action(part: Mapping[str, Any], answers: Mapping[str, Any], will: bool) -> str:
    """What became of a host's part."""
    done = {
        name: bool((answers.get(name) or {}).get("changed")) for name in ("switched", "reverted", "staged")
    }
    action = str(part["action"])
    if done["reverted"]:
        return "reverted"
    if will and action != "none":
        return f"would {action}"
    if action == "switch":
        return "switched" if done["switched"] else "did not switch"
    if action == "none" or done["switched" if action.startswith("set ") else "staged"]:
        return action
    return f"did not {action}"


def rows(
    team: Team,
    looks: Mapping[str, Any],
    parts: Mapping[str, Mapping[str, Any]],
    results: Mapping[str, Mapping[str, Any]],
    *,
    unproven: Faults | None = None,
    named: Mapping[str, str] | None = None,
    will: bool = False,
) -> list[dict[str, Any]]:
    """The table.

    Args:
        results: `switched`, `reverted` and `staged`, each by host.
        unproven: hosts that did not prove the goal; None while nothing was compared.
        named: states after a failed switch, instead of a proof.
        will: a dry run that would distribute.
    """
    table = []
    for host in team.hosts:
        part = parts.get(host)
        proven = NOT_CHECKED
        if named:
            proven = named[host]
        elif unproven is not None:
            predicted = will and part is not None and part["changes"]
            proven = "no" if host in unproven else "predicted" if predicted else "yes"
        action = "none"
        if part is not None:
            action = _action(part, {name: answers.get(host) for name, answers in results.items()}, will)
        table.append(
            {
                "host": host,
                "before": part["before"] if part else before(looks.get(host)),
                "action": action,
                "proof": proven,
            }
        )
    return table + [
        {"host": host, "before": NOT_CHECKED, "action": "left out by name", "proof": "left out"}
        for host in team.skipped
    ]
