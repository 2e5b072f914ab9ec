# SPDX-License-Identifier: MIT
"""The result of a task that runs Step 2.5: the verdict, and what a playbook needs to act on it."""

from __future__ import annotations

from typing import Any, Dict

from ansible.module_utils.survivor_npz.controller.screen import harmless

WIDTH = 200  # characters of one of the last lines; the log has all
# What the pipeline's script, or the interpreter, writes of a conversion of its own.
_CONVERTING = ("NPZ Conversion Required", "NPZ conversion failed", "convert_survivors_to_binary")
_CONVERTED = (
    "The script tried to convert by itself, as it does where the JSON is newer than the NPZ: the JSON changed after "
    "the proof. Wait until Step 1 has ended, then run playbooks/step25.yml again: it converts, distributes and proves "
    "first."
)
_BAD = ("failed", "timeout", "stopped", "refused", "lost")
_OF_THE_RUN = ("pid", "start", "log", "exit_code", "elapsed", "log_cut", "creates")


def task_result(answer: Dict[str, Any], verdict: str, message: str, starts: bool) -> Dict[str, Any]:
    """Shape the result of a task, `__survivor_npz_run`, from the host's answer.

    Args:
        answer: what survivor_npz_run answered; with `record`, a dict, once the run is over.
        verdict, message: where the caller knows them; else the record's or the answer's own.
        starts: whether the task starts runs: one that it speaks of is its own.
    """
    record: Dict[str, Any] = answer["record"] if isinstance(answer.get("record"), dict) else {}
    if not verdict:
        verdict = record.get("verdict") or ("refused" if answer.get("refused") else "")
        verdict = verdict or ("lost" if answer.get("lost") else "failed" if answer.get("failed") else "none")
    source = answer.get("refused") or record or answer
    started = starts and bool(answer.get("run"))
    tail = [harmless(line) for line in record.get("tail", [])]
    text = message or record.get("message") or answer.get("msg") or answer.get("message", "")
    return {
        **{key: source.get(key) for key in _OF_THE_RUN},
        "run": source.get("run"),
        "record": source["record"] if isinstance(source.get("record"), str) else None,
        "command": answer.get("command") or source.get("command"),
        "verdict": verdict,
        "started": started,
        "running": bool(answer.get("running")),
        "left_running": record.get("left_running", []),
        "tail": tail,
        "message": text,
        "changed": started or verdict == "would_start",
        **({"failed": True, "msg": _failure(text, source, tail)} if verdict in _BAD else {"failed": False}),
    }


def _failure(text: str, source: Dict[str, Any], tail: list[str]) -> str:
    """What an operator needs after a run that failed: why, the log, and the last lines of the output."""
    log = [f"Log: {source['log']}"] if source.get("log") else []
    log += [_CONVERTED] if any(mark in line for line in tail for mark in _CONVERTING) else []
    lines = ["The last lines of its output:", *(f"  {line[:WIDTH]}" for line in tail)] if tail else []
    return "\n".join([text, *log, *lines])
