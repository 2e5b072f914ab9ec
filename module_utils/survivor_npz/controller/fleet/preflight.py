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


def warnings(looks: Mapping[str, Answer]) -> list[str]:
    """What does not stop a run, but should be known: writable directories and the like."""
    found: dict[str, None] = {}
    for host, look in looks.items():
        for copy in look["copies"]:
            if must_be_right(copy):
                for text in copy["directory"].get("exposed") or []:
                    found[f"{host}: {text}"] = None
    return list(found)
