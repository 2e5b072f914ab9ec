"""After the recap: what happened on each host, why the run stopped, and what to do next."""

from __future__ import annotations

DOCUMENTATION = r"""
name: survivor_npz_report
type: aggregate
short_description: Report a run over the survivor fleet after the recap
description:
  - Collects the facts that tasks set as C(__survivor_npz_report_<section>), and every failure by host.
  - Prints a table of hosts, the reason of the conversion, seconds per phase, and why the run stopped.
  - With C(survivor_npz_report) it also writes the same as JSON. C(-) prints it as the last line.
  - A playbook of ours in which no task had anything to do, say with a C(--limit) that leaves out the
    coordinator, ends with exit code 2 and says that nothing was done.
requirements:
  - enable in configuration
"""

import functools
import json
import os
import re
import time
from pathlib import Path
from typing import Any, Callable, Dict, List, Optional

import ansible.module_utils
from ansible import context  # type: ignore[attr-defined]
from ansible.plugins.callback import CallbackBase

ROOT = Path(__file__).resolve().parents[2]
# Modules find our package through the setting `module_utils`; a plugin has to be told.
ansible.module_utils.__path__.append(str(ROOT / "module_utils"))
from ansible.module_utils.survivor_npz.controller.screen import harmless

PREFIX = "__survivor_npz_report_"
LAUNCHING = ("step25.yml",)
BEFORE_A_START = (*LAUNCHING, "prepare.yml", "rollback.yml")
WHERE_TO_LOOK = "Look at the inventory (-i; groups coordinator and rigs), --limit, --tags and --skip-tags."
NO_WORK = ("guard", "other")  # tasks that only look at who is played
# Task files that belong to a phase of another name.
PHASES = {
    "coordinator": "guard",
    "probe": "preflight",
    "enough": "convert",
    "plan": "distribute",
    "stage": "distribute",
    "stage_host": "distribute",
    "activate": "distribute",
    "switch": "distribute",
    "verdict": "prove",
    "judge": "run",
}


def _careful(method: Callable[..., None]) -> Callable[..., None]:
    """A report must never end a run: a fault in it becomes a warning."""

    @functools.wraps(method)
    def wrapper(self: CallbackModule, *args: Any, **kwargs: Any) -> None:
        try:
            method(self, *args, **kwargs)
        except Exception as error:
            self._display.warning(f"survivor_npz_report: {type(error).__name__}: {error}")

    return wrapper


def _plain(value: Any) -> Any:
    """`value` as plain JSON types (ansible-core hands out tagged ones)."""
    if isinstance(value, dict):
        return {str(key): _plain(entry) for key, entry in value.items()}
    if isinstance(value, (list, tuple, set)):
        return [_plain(entry) for entry in value]
    if value is None or isinstance(value, (bool, int, float)):
        return value
    return str(value)


def _message(result: Dict[str, Any]) -> str:
    """What a failed result says, of its failed items where it looped."""
    items = [item for item in result.get("results") or [] if isinstance(item, dict) and item.get("failed")]
    said = [str(item.get("msg") or "failed") for item in items] or [str(result.get("msg") or "failed")]
    return re.sub(r"^(Task failed: |Action failed: )+", "", "\n".join(said).strip())


def table(rows: List[Dict[str, Any]], columns: List[str]) -> List[str]:
    """Lines of a plain table, columns as wide as their widest entry."""
    cells = [columns] + [[str(row.get(column, "")) for column in columns] for row in rows]
    widths = [max(len(line[index]) for line in cells) for index in range(len(columns))]
    return ["  ".join(cell.ljust(width) for cell, width in zip(line, widths)).rstrip() for line in cells]


class CallbackModule(CallbackBase):  # type: ignore[misc]
    """See DOCUMENTATION."""

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "aggregate"
    CALLBACK_NAME = "survivor_npz_report"
    CALLBACK_NEEDS_ENABLED = True

    def __init__(self) -> None:
        super().__init__()
        self._forget()

    def _forget(self) -> None:
        """Begin anew: one ansible-playbook may play several playbooks."""
        self.playbook, self.is_ours, self.has_worked = "", False, False
        self.sections: Dict[str, Any] = {}
        self.seconds: Dict[str, float] = {}
        self.failures: Dict[str, str] = {}
        self.failed_task: Optional[str] = None
        self.fatal_unreachable = False
        self._phase: Optional[str] = None
        self._since = time.monotonic()

    @_careful
    def v2_playbook_on_start(self, playbook: Any) -> None:
        """Remember which playbook this is."""
        self._forget()
        path = Path(str(playbook._file_name)).resolve()
        self.playbook, self.is_ours = path.name, path.parent == ROOT / "playbooks"

    def _enter(self, phase: Optional[str]) -> None:
        now = time.monotonic()
        if self._phase:
            self.seconds[self._phase] = self.seconds.get(self._phase, 0.0) + now - self._since
        self._phase, self._since = phase, now

    @_careful
    def v2_playbook_on_task_start(self, task: Any, is_conditional: bool) -> None:  # noqa: ARG002
        """Count the time between tasks to the phase that a task's name begins with."""
        name = str(task.name or "").rpartition(" : ")[2]
        prefix = name.split(" | ")[0] if " | " in name else "other"
        self._enter(PHASES.get(prefix, prefix))

    @_careful
    def v2_runner_on_ok(self, result: Any) -> None:
        """Collect the sections of the report."""
        self.has_worked = self.has_worked or self._phase not in NO_WORK
        facts = result._result.get("ansible_facts") or {}
        for name, value in facts.items():
            if str(name).startswith(PREFIX) and value:
                self.sections[str(name)[len(PREFIX) :]] = _plain(value)
        if f"{PREFIX}options" in facts and os.path.isfile(self._path) and not context.CLIARGS.get("check"):
            os.unlink(self._path)  # an earlier run's must not pass for this one's

    def _fail(self, result: Any, message: str) -> None:
        task = str(result._task._uuid)
        if task != self.failed_task:
            self.failed_task, self.failures = task, {}
        self.failures[result._host.get_name()] = message

    @_careful
    def v2_runner_on_failed(self, result: Any, ignore_errors: bool = False) -> None:
        """Keep the failures of the last task that failed."""
        if not ignore_errors:
            self._fail(result, _message(result._result))

    @_careful
    def v2_runner_on_unreachable(self, result: Any) -> None:
        """Keep a host that is gone, where the task does not look after that itself."""
        if not result._task.ignore_unreachable:
            self.fatal_unreachable = True
            self._fail(result, f"unreachable: {_message(result._result)}")

    @_careful
    def v2_playbook_on_stats(self, stats: Any) -> None:
        """Print the report, write it where it was asked for; SystemExit where nothing was done at all."""
        self._enter(None)
        stopped = bool(stats.failures) or self.fatal_unreachable
        if self.is_ours and not self.has_worked and not stopped:
            self._show("", f"Nothing was done: nothing of {self.playbook} ran on the fleet. {WHERE_TO_LOOK}")
            raise SystemExit(2)  # Ansible's own exit code would be 0
        if not self.sections and not stopped:
            return
        report = self._report(stopped)
        self._show(*self._lines(report))
        self._save(report)

    def _show(self, *lines: str) -> None:
        """Show lines, one each: no name of a file or a link on some host can steer the terminal."""
        for line in lines:
            self._display.display(harmless(line).replace("\n", "\\n"))

    @property
    def _path(self) -> str:
        """The file that the report goes to; "" where it goes to none."""
        path = str((self.sections.get("options") or {}).get("path") or "")
        return "" if path == "-" else os.path.expanduser(path)

    def _report(self, stopped: bool) -> Dict[str, Any]:
        faults = self.sections.get("faults") or {}
        run = self.sections.get("run") or {}
        extra = {
            name: value
            for name, value in self.sections.items()
            if name not in ("faults", "run", "options", "fleet")
        }
        return {
            "playbook": self.playbook,
            "check": bool(context.CLIARGS.get("check")),
            "ok": not stopped,
            "skipped": (self.sections.get("options") or {}).get("skipped") or [],
            "fleet": self.sections.get("fleet") or [],
            "seconds": {phase: round(spent, 1) for phase, spent in self.seconds.items()},
            "stopped_in": faults.get("phase") if stopped and faults.get("hosts") else None,
            "faults": faults.get("hosts") or {} if stopped else {},
            "messages": self.failures if stopped else {},
            "started": bool(run.get("started")),
            "run": run or None,
            **extra,
        }

    def _lines(self, report: Dict[str, Any]) -> List[str]:
        lines = [""]
        if report["fleet"]:
            lines += [*table(report["fleet"], ["host", "before", "action", "proof"]), ""]
        status = report.get("status")
        if status:
            return lines + self._status(status) + self._ending(report)
        for rig in report["skipped"] if report["fleet"] else []:
            lines.append(f"Left out by name: {rig} (survivor_npz_skip_rigs).")
        convert = report.get("convert") or {}
        if convert:
            done = (
                "converted"
                if convert.get("converted")
                else "would convert"
                if convert.get("due")
                else "not converted"
            )
            known = convert.get("survivor_count") is not None
            count = f", {convert['survivor_count']:,} survivors" if known else ""
            lines.append(f"Conversion: {done} (reason: {convert.get('reason')}{count}).")
            lines += [f"  note: {note}" for note in convert.get("notes", [])]
        lines += [f"WARNING: {warning}" for warning in report.get("warnings") or []]
        if report["seconds"]:
            spent = ", ".join(f"{phase} {seconds}" for phase, seconds in report["seconds"].items())
            lines.append(f"Seconds: {spent}.")
        lines += self._ending(report)
        return lines

    def _status(self, status: Dict[str, Any]) -> List[str]:
        columns = ["host", "present", "short", "survivors", "schema", "age", "same", "previous", "copy"]
        shown = [
            {**row, "same": "-" if row.get("same") is None else "yes" if row["same"] else "NO"}
            for row in status["copies"]
            if row["present"] != "absent" or row.get("required")
        ]
        lines = [*table(shown, columns), ""]
        lines += [
            f"{row['host']}: {row['copy']}: {row['fault']}" for row in status["copies"] if row.get("fault")
        ]
        return [*lines, "step25.yml would now:", *(f"  {action}" for action in status["would"])]

    def _ending(self, report: Dict[str, Any]) -> List[str]:
        run = report["run"] or {}
        where = self._where(run) if report["ok"] else ""
        lines = [f"Step 2.5: {run['message']}{where}"] if run.get("message") else []
        if not report["ok"]:
            lines += self._why(report)
        waited_for = self.playbook in (LAUNCHING if report["ok"] else BEFORE_A_START)
        # A connection that was lost leaves it open.
        if waited_for and not report["started"] and run.get("verdict") != "lost":
            dry = "dry run" if report["check"] and report["ok"] else ""
            lines.append("Step 2.5 was NOT started" + (f" ({dry})." if dry else "."))
        return lines

    def _where(self, run: Dict[str, Any]) -> str:
        """Exit code and log of a run that ended well; of another one the failure below tells them."""
        parts = {"exit code": run.get("exit_code"), "log": run.get("log")}
        told = [f"{name} {value}" for name, value in parts.items() if value is not None]
        return f" ({', '.join(told)})" if told else ""

    def _why(self, report: Dict[str, Any]) -> List[str]:
        by_message: Dict[str, List[str]] = {}
        for host, message in report["messages"].items():
            by_message.setdefault(message, []).append(host)
        where = f" in {report['stopped_in']}" if report["stopped_in"] else ""
        lines = []
        for message, hosts in by_message.items():
            # A verdict over the fleet is told by the coordinator, but the hosts at fault follow.
            said = message if report["faults"] else f"{', '.join(hosts)}: {message}"
            lines += [
                f"STOPPED{where}: {said.splitlines()[0]}",
                *(f"  {line}" for line in said.splitlines()[1:]),
            ]
        for host, faults in report["faults"].items():
            lines += [f"  {host}: {fault}" for fault in faults]
        return lines

    def _save(self, report: Dict[str, Any]) -> None:
        if (self.sections.get("options") or {}).get("path") == "-":
            self._display.display(json.dumps(report))  # all ASCII: nothing in it is obeyed by a terminal
        elif self._path and not report["check"]:
            temp = f"{self._path}.tmp.{os.getpid()}"
            with open(temp, "w", encoding="utf-8") as file:
                file.write(json.dumps(report, ensure_ascii=False) + "\n")
            os.replace(temp, self._path)
