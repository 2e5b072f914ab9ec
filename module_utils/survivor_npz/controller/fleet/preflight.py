# SPDX-License-Identifier: MIT
"""Before any work: all faults of all hosts at once."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ansible.module_utils.survivor_npz.controller.fleet.answers import why_no_answer
from ansible.module_utils.survivor_npz.controller.fleet.host_faults import (
    estimate,
    host_faults,
    room_faults,
    same_file,
)
from ansible.module_utils.survivor_npz.controller.fleet.looks import Answer, Faults, must_be_right
from ansible.module_utils.survivor_npz.controller.report import age

NONSENSE = (ArithmeticError, AttributeError, LookupError, TypeError, ValueError)
Registered = Mapping[str, Any]


def sensible(faults: Callable[[], Sequence[str]]) -> list[str]:
    """The faults of one host; a fault that says so where its answer makes no sense."""
    try:
        return list(faults())
    except NONSENSE as error:
        return [f"its answer makes no sense ({type(error).__name__}: {error}). Check what answers there."]


def looks_of(answers: Registered, coordinator: str | None) -> tuple[dict[str, Answer], Faults]:
    """Hosts that answered with a look, and why the others did not."""
    looks: dict[str, Answer] = {}
    silent: Faults = {}
    for host, answer in answers.items():
        why = why_no_answer(answer, "copies")
        if why is None:
            looks[host] = answer
            continue
        leave_out = f"; or leave it out by name: -e survivor_npz_skip_rigs={host}"
        is_gone = isinstance(answer, Mapping) and answer.get("unreachable")
        silent[host] = [f"{why.rstrip('.')}{leave_out if is_gone and host != coordinator else ''}."]
    return looks, silent


def busy(run: Any, matters: bool) -> str | None:
    """Why the coordinator's answer forbids a change to what Step 2.5 reads; None where it doesn't."""
    if not isinstance(run, Mapping) or "running" not in run:
        return f"can't tell whether Step 2.5 is running: {run or 'no answer'}. Fix this, then run again."
    if not run["running"] or not matters:
        return None
    message = str(run.get("message", "Step 2.5 is running")).rstrip(".")
    return (
        f"{message}. Its workers read the NPZ: wait until it ends. "
        "To go on regardless: -e survivor_npz_prepare_while_running=true."
    )


def held(run: Any) -> str | None:
    """Why another controller's lease forbids to begin; None where there is none in force."""
    lease = run.get("lease") if isinstance(run, Mapping) else None
    if not isinstance(lease, Mapping) or lease.get("expired") or lease.get("ended"):
        return None
    if lease.get("trouble"):
        return f"{lease['trouble']}."
    return (
        f"{lease.get('controller')} has been switching the fleet since {lease.get('begun_utc')} and holds the "
        f"lease until {lease.get('until')} (another {float(lease.get('left', 0)):.0f} s). Wait, then run again."
    )


def preflight(answers: Registered, coordinator: str, options: Mapping[str, Any]) -> Faults:
    """All faults of all hosts, `{host: [fault, …]}`; empty when the run may go on.

    Args:
        answers: what each host's look registered.
        options: `busy` (whether a running Step 2.5 matters), and what `host_faults` takes.
    """
    looks, found = looks_of(answers, coordinator)
    for host, look in looks.items():
        faults = sensible(lambda host=host, look=look: host_faults(look, options, host == coordinator))  # type: ignore[misc]
        if faults:
            found[host] = faults
    if coordinator in looks:
        run = looks[coordinator].get("run")
        why = [reason for reason in (busy(run, options["busy"]), held(run)) if reason]
        if why:
            found.setdefault(coordinator, []).extend(why)
    clear = {host: look for host, look in looks.items() if host not in found}
    for host, faults in same_file(looks).items():
        found.setdefault(host, []).extend(faults)
    for host, faults in same_files(looks, coordinator).items():
        found.setdefault(host, []).extend(faults)
    size, sha256 = estimate(looks.get(coordinator), options)
    for host, look in clear.items():
        short = list(room_faults(look, size, sha256))
        if short:
            found.setdefault(host, []).extend(short)
    return found


def same_files(looks: Mapping[str, Answer], coordinator: str) -> Faults:
    """Rigs on which a file of survivor_npz_same_files differs from the coordinator's."""
    found: Faults = {}
    wanted = (looks.get(coordinator) or {}).get("same_files") or {}
    for host, look in looks.items():
        for name, sha256 in (look.get("same_files") or {}).items():
            if host == coordinator:
                if sha256 is None:
                    found.setdefault(host, []).append(f"{name} (survivor_npz_same_files) is missing here.")
            elif wanted.get(name) is not None and sha256 != wanted[name]:
                how = "is missing" if sha256 is None else f"differs from {coordinator}'s"
                found.setdefault(host, []).append(
                    f"{name} {how} (survivor_npz_same_files). Deploy the pipeline's code, then run again."
                )
    return found


def unlike(looks: Mapping[str, Answer], coordinator: str, addresses: Mapping[str, str]) -> list[str]:
    """Where the pipeline's distributed_config.json and the inventory differ.

    Args:
        addresses: `ansible_host` of each rig of the inventory, by name.
    """
    config = (looks.get(coordinator) or {}).get("fleet_config")
    if not config:
        return []
    if config["trouble"]:
        return [f"{coordinator}: {config['trouble']}. It was not compared with the inventory."]
    listed = {name.lower() for name in config["hostnames"]} - {"localhost", coordinator.lower()}
    known = {name.lower() for pair in addresses.items() for name in pair}
    return [
        f"{name} is in {coordinator}'s distributed_config.json and not in the inventory: the pipeline gives it work, "
        "whatever NPZ it holds. Add it to the inventory, or take it out of the file."
        for name in sorted(listed - known)
    ] + [
        f"{rig} is in the inventory, and {coordinator}'s distributed_config.json does not list it, or lists it with "
        "gpu_count 0: the pipeline gives it no work. Correct one of the two."
        for rig, address in addresses.items()
        if not {rig.lower(), address.lower()} & listed
    ]


def leftovers(answers: Registered) -> list[str]:
    """Worker processes that an earlier run left, one sentence for each, and hosts that did not tell."""
    found = []
    for host, answer in answers.items():
        why = why_no_answer(answer, "workers")
        if why:
            found.append(f"{host} was not searched for leftover workers: {why}.")
            continue
        found += sensible(
            lambda host=host, answer=answer: [  # type: ignore[misc]
                f"{host}: a worker of an earlier run is left, pid {int(one['pid'])}, {age(one['age'])} old: "
                f"{str(one['command'])[:120]}. End it, or the next run gets its results: kill {int(one['pid'])}"
                for one in answer["workers"]
            ]
        )
    return found


def warnings(looks: Mapping[str, Answer], coordinator: str, addresses: Mapping[str, str]) -> list[str]:
    """What does not stop a run, but should be known: writable directories, other lists, leftover workers.

    While Step 2.5 runs, workers on the rigs are its own.
    """
    runs = ((looks.get(coordinator) or {}).get("run") or {}).get("running")
    judged = [host for host in looks if host == coordinator or not runs]
    asked = {host: looks[host] for host in judged if looks[host].get("workers")}
    found: dict[str, None] = {}
    for host, look in looks.items():
        for copy in look["copies"]:
            if must_be_right(copy):
                for text in copy["directory"].get("exposed") or []:
                    found[f"{host}: {text}"] = None
    return [*found, *unlike(looks, coordinator, addresses), *leftovers(asked)]
