# SPDX-License-Identifier: MIT
"""A host's answer is data about that host: keep what was asked for, in the shape it must have, and no more."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from ansible.module_utils.survivor_npz.controller.screen import harmless

MOST_TEXT, MOST_ITEMS, MOST_DEPTH = 4000, 20000, 12
# Keys of a result by which Ansible itself would act, change variables or print. None of our modules needs them.
_STEERING = ("add_host", "add_group", "invocation")
_NOISY = ("deprecations", "exception", "module_stdout", "module_stderr")


class Maybe(tuple):  # type: ignore[type-arg] # a one-element tuple with a name
    """A shape that may be null or left out."""


def maybe(shape: Any) -> Maybe:
    """`shape`, or null, or nothing at all."""
    return Maybe((shape,))


class Table(dict):  # type: ignore[type-arg] # {str: shape}
    """A mapping from any text to one shape, given as {str: shape}."""


_CONTENT = {
    "sha256": maybe(str),
    "sha1": maybe(str),
    "size": maybe(int),
    "mtime_ns": maybe(int),
    "survivors": maybe(int),
    "schema": maybe(int),
    "fault": maybe(str),
    "error": maybe(str),
    "source_mtime_ns": maybe(int),
    "foreign": maybe(bool),
}
_OWNED = {"mode": maybe(str), "owner": maybe(str), "group": maybe(str), "mine": maybe(bool)}
_BRIEF = {
    "path": str,
    "required": bool,
    "exists": bool,
    "kind": str,
    "target": maybe(str),
    **_CONTENT,
    **_OWNED,
}
_DIRECTORY = {
    "path": str,
    "exists": bool,
    "nearest": str,
    "identity": maybe(str),
    "writable": bool,
    "free": int,
    "owner": maybe(str),
    "mode": maybe(str),
    "in_the_way": maybe(str),
    "untrusted": maybe([str]),
    "exposed": maybe([str]),
}
_COPY = {
    **_BRIEF,
    "directory": _DIRECTORY,
    "staged": Table({str: str}),
    "leftovers": [str],
    "pin": maybe(Table({str: object})),
    "previous": maybe({"path": str, "old_converter": maybe(bool), **_CONTENT, **_OWNED}),
}
STAMP = {"boot": str, "clock": float}
_FILE = {
    "name": str,
    "path": str,
    "exists": bool,
    "readable": maybe(bool),
    "executable": maybe(bool),
    "size": maybe(int),
    "mtime_ns": maybe(int),
    "sha256": maybe(str),
    "error": maybe(str),
}
_WORKER = {"pid": int, "age": float, "command": str}
_RUN = Table({str: object})
LOOK = {
    "directory": str,
    "hostname": str,
    "python": str,
    "executable": str,
    "user": str,
    "skew": maybe(float),
    "stamp": STAMP,
    "copies": [_COPY],
    "files": [_FILE],
    "same_files": maybe(Table({str: object})),
    "accounts": Table({str: {"wanted": str, "name": maybe(str), "grantable": bool}}),
    "libraries": Table({str: maybe(str)}),
    "run": maybe(_RUN),
    "proven": maybe([str]),
    "decision": maybe(
        {
            "due": bool,
            "reason": maybe(str),
            "why": maybe(str),
            "warnings": maybe([str]),
            "notes": maybe([str]),
            "source": maybe(Table({str: object})),
            "left_out": maybe(Table({str: int})),
            "defaulted": maybe(Table({str: int})),
        }
    ),
    "fleet_config": maybe({"hostnames": [str], "trouble": maybe(str)}),
    "workers": maybe([_WORKER]),
}
BRIEF = {"stamp": STAMP, "copies": [_BRIEF]}
STAGED = {"staged": [{"path": str, "sha256": maybe(str)}], "stamp": STAMP, "removed": maybe([str])}
SWITCHED = {"look": BRIEF, "copies": [{"path": str, "changed": bool}]}
SHAPES: dict[str, Any] = {
    "survivor_npz_look": LOOK,
    "survivor_npz_stage": STAGED,
    "survivor_npz_switch": SWITCHED,
}


def _trim(value: Any, depth: int = 0) -> Any:
    """Plain JSON types, within bounds."""
    if depth > MOST_DEPTH:
        return None
    if isinstance(value, Mapping):
        items = list(value.items())[:MOST_ITEMS]
        return {str(key)[:MOST_TEXT]: _trim(entry, depth + 1) for key, entry in items}
    if isinstance(value, (list, tuple)):
        return [_trim(entry, depth + 1) for entry in value[:MOST_ITEMS]]
    if value is None or isinstance(value, (bool, int, float)):
        return value
    text = str(value)
    return (
        text if len(text) <= MOST_TEXT else f"{text[:MOST_TEXT]}… ({len(text) - MOST_TEXT} more characters)"
    )


def _printable(value: Any) -> Any:
    """`value` without anything that a terminal obeys: Ansible prints a diff as it is."""
    if isinstance(value, Mapping):
        return {key: _printable(entry) for key, entry in value.items()}
    if isinstance(value, list):
        return [_printable(entry) for entry in value]
    return harmless(value) if isinstance(value, str) else value


def _fit(value: Any, shape: Any, where: str) -> Any:
    """`value` with the keys of `shape` only. Raises ValueError where it has another shape."""
    if isinstance(shape, Maybe):
        return None if value is None else _fit(value, shape[0], where)
    if isinstance(shape, Table):
        if not isinstance(value, Mapping):
            raise ValueError(where)
        (entry,) = shape.values()
        return {str(key): _fit(item, entry, f"{where}.{key}"[:200]) for key, item in value.items()}
    if isinstance(shape, dict):
        if not isinstance(value, Mapping):
            raise ValueError(where)
        return {
            key: _fit(value.get(key), entry, f"{where}.{key}")
            for key, entry in shape.items()
            if key in value or not isinstance(entry, Maybe)
        }
    if isinstance(shape, list):
        if not isinstance(value, list):
            raise ValueError(where)
        return [_fit(item, shape[0], where) for item in value]
    if shape is object:
        return value
    kinds = (int, float) if shape is float else (shape,)
    if not isinstance(value, kinds) or (isinstance(value, bool) and shape is not bool):
        raise ValueError(where)
    return value


def clean(module: str, result: Mapping[str, Any]) -> dict[str, Any]:
    """What the controller keeps of a module's result: no facts, no groups, no text without end.

    Args:
        module: its name; of those in SHAPES a successful result must have that shape.

    Returns:
        A result for Ansible; `failed`, with a message that says so, where the answer has another shape.
    """
    plain = _trim({key: value for key, value in result.items() if key not in _STEERING + _NOISY})
    kept = {key: value for key, value in plain.items() if not key.startswith(("ansible_", "_ansible"))}
    # Ansible would print warnings at once; the report has them at its end.
    kept["warned"] = kept.pop("warnings", None) or []
    if "diff" in kept:
        kept["diff"] = _printable(kept["diff"])
    if kept.get("failed") or kept.get("unreachable") or kept.get("skipped"):
        broke_off = getattr(getattr(result.get("exception"), "event", None), "msg", None)
        if broke_off and not kept.get("msg"):
            kept["msg"] = f"{module} broke off: {_trim(broke_off)}"
        kept["msg"] = readable(kept.get("msg"))
        return kept
    shape = SHAPES.get(module.rpartition(".")[2])
    if shape is None:
        return kept
    try:
        fitted = _fit(kept, shape, "answer")
    except ValueError as error:
        return {
            "failed": True,
            "changed": False,
            "msg": f"the host's answer is not one of {module}: {error} is missing or has the wrong type. "
            "Check that host: its Python or the module's files there were tampered with, or are damaged.",
        }
    return {**fitted, **{key: kept[key] for key in ("changed", "diff") if key in kept}}


# What Ansible and ssh write around the reason.
_NOISE = re.compile(
    r"Data could not be sent to remote host \S+ Make sure this host can be reached over ssh: "
    r"|Failed to connect to the host via ssh: |@{2,}\s*"
)


def readable(message: Any) -> str:
    """A message in one line."""
    text = re.sub(r"^(Task failed: |Action failed: )+", "", " ".join(str(message or "").split()))
    return _NOISE.sub("", text.split(" See stdout/stderr for the exact error")[0])


def steers(result: Any) -> list[str]:
    """Keys of a built-in module's result by which a host would steer the controller."""
    if not isinstance(result, Mapping):
        return []
    facts = [key for key in result.get("ansible_facts") or {} if "discovered_interpreter" not in str(key)]
    found = [key for key in ("add_host", "add_group", "ansible_stats") if key in result]
    return found + (["ansible_facts"] if facts else [])


def why_no_answer(result: Any, needs: str) -> str | None:
    """Why a registered result does not count as an answer; None where it is one.

    Args:
        needs: a key that only a real answer has. A skipped task is then no answer.
    """
    if not isinstance(result, Mapping):
        return "no answer"
    message = readable(result.get("msg"))
    if result.get("unreachable"):
        return unreachable(message)
    if result.get("failed"):
        if "timed out" in message.lower() or "timeout" in message.lower():
            return (
                f"no answer in time ({message.rstrip('.')}): a hung disk or a stuck process? Check dmesg "
                "and `df` there."
            )
        if "interpreter" in message and "not found" in message:
            message += " Install Python 3.9 or newer there, or name it with ansible_python_interpreter."
        return message or "failed without a message"
    return None if needs in result else "no answer"


_SSH_ADVICE = (
    (
        ("identification has changed",),
        "Its SSH host key has changed: the host was reinstalled, or another machine answers. Compare the "
        "fingerprint at the host itself, then remove the old key: ssh-keygen -R ADDRESS",
    ),
    (
        ("host key verification failed", "no ed25519 host key is known", "host key is known for"),
        "Its SSH host key is not known here. Compare the fingerprint at the host itself and accept it by "
        "connecting once: ssh ADDRESS",
    ),
    (
        ("failed to create temporary directory", "failed to set permissions on the temporary"),
        "The login works, but its user can't write to ~/.ansible/tmp: check that directory's owner and mode, and "
        "whether the disk is full or read-only (df -h ~)",
    ),
    (
        ("permission denied", "authentication"),
        "The login was refused: check ansible_user and that its SSH key is in the host's authorized_keys",
    ),
)


def unreachable(message: str) -> str:
    """What to do about a host that could not be reached."""
    found = f"unreachable ({message.rstrip('.')})"
    for marks, advice in _SSH_ADVICE:
        if any(mark in message.lower() for mark in marks):
            return f"{found}. {advice}"
    return f"{found}. Power it on or fix its network"
