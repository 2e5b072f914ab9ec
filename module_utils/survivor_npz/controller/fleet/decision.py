# SPDX-License-Identifier: MIT
"""What every decision over the fleet reads: results that tasks registered, and the operator's tags."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

TaskVars = Mapping[str, Any]


class Stop(Exception):  # noqa: N818 - it is a decision, not an error
    """The decision is no: why, in which phase, and what is wrong with each host."""

    def __init__(self, phase: str, message: str, hosts: Mapping[str, list[str]] | None = None) -> None:
        super().__init__(message)
        self.report = {"phase": phase, "hosts": dict(hosts or {})}


def registered(task_vars: TaskVars, hosts: Sequence[str], *names: str) -> tuple[dict[str, Any], ...]:
    """What tasks registered as `__survivor_npz_<name>`, for each name by host; hosts without it are left out."""
    found: tuple[dict[str, Any], ...] = tuple({} for _ in names)
    for host in hosts:
        known = task_vars["hostvars"][host]
        for place, name in zip(found, names):
            key = f"__survivor_npz_{name}"
            value = known.get(key)
            if isinstance(value, Mapping) and not value.get("skipped"):
                place[host] = value
    return found


def one(task_vars: TaskVars, name: str, needs: str) -> Mapping[str, Any]:
    """What a task registered on this host in this run.

    Raises:
        Stop: it did not run.
    """
    value = task_vars.get(f"__survivor_npz_{name}")
    if not isinstance(value, Mapping) or needs not in value:
        raise Stop(
            "guard",
            "The guard did not run (--start-at-task, or --skip-tags always?): run the whole playbook.",
        )
    return value


def plays(task_vars: TaskVars, own_tags: Iterable[str], tag: str) -> bool:
    """Whether the operator's tags let tasks with this tag run.

    Args:
        own_tags: of the deciding task: a role in a play of the operator's own inherits that play's tags.
    """
    run, skip = task_vars.get("ansible_run_tags", ["all"]), task_vars.get("ansible_skip_tags", [])
    inherited = set(own_tags) - {"always", "preflight", "convert", "distribute", "prove", "run"}
    wanted = inherited | {"all", "tagged", tag}
    return any(name in run for name in wanted) and not any(name in skip for name in wanted)
