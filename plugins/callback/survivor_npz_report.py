# SPDX-License-Identifier: MIT
"""After the recap: what happened on each host, why the run stopped, and what to do next."""

from __future__ import annotations

DOCUMENTATION = r"""
name: survivor_npz_report
type: aggregate
short_description: Report a run over the survivor fleet after the recap
description:
  - Prints a table of hosts, the reason of the conversion, seconds per phase, and why the run stopped. Everything in
    it comes from the decisions that the controller took (C(survivor_npz_fleet)) and from the run of Step 2.5, nothing
    from what a host calls itself.
  - With C(survivor_npz_report) it also writes the same as JSON. C(-) prints it as the last line.
  - A playbook of this project in which no task had anything to do, say with a C(--limit) that leaves out the
    coordinator, ends with exit code 2 and says that nothing was done.
  - After Ctrl-C or SIGTERM it reports too.
"""

import atexit
import functools
import json
import multiprocessing
import os
import re
import shutil
import signal
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import ansible.module_utils
from ansible import context  # type: ignore[attr-defined]
from ansible.plugins.callback import CallbackBase

ROOT = Path(__file__).resolve().parents[2]
# Modules find our package through the setting `module_utils`; a plugin needs this line.
ansible.module_utils.__path__.append(str(ROOT / "module_utils"))
from ansible.module_utils.survivor_npz.controller import interruption
from ansible.module_utils.survivor_npz.controller import report as reports
from ansible.module_utils.survivor_npz.controller.fleet.answers import readable, unreachable
from ansible.module_utils.survivor_npz.controller.screen import harmless

DECISION = "survivor_npz_fleet"
LEASE = "survivor_npz_lease"
RUN = "survivor_npz_live"
STOP = "survivor_npz_run"
SWITCH = "survivor_npz_switch"
SUMMARY = "__survivor_npz_summary"  # set by the tasks of hook.yml
COLOURS = {r"^(STOPPED|INTERRUPTED|Step 2\.5 was NOT)|\bNO\b": "red", "^WARNING": "bright purple"}
NO_WORK = ("guard", "other")  # tasks that only look at who takes part


def _careful(method: Callable[..., None]) -> Callable[..., None]:
    """A report must never end a run: a fault in it becomes a warning."""

    @functools.wraps(method)
    def wrapper(self: CallbackModule, *args: Any, **kwargs: Any) -> None:
        try:
            method(self, *args, **kwargs)
        except Exception as error:
            self._display.warning(f"survivor_npz_report: {type(error).__name__}: {error}")

    return wrapper


def _message(result: Mapping[str, Any]) -> str:
    """What a failed result says, of its failed items where it looped."""
    items = [item for item in result.get("results") or [] if isinstance(item, Mapping) and item.get("failed")]
    texts = [str(item.get("msg") or "failed") for item in items] or [str(result.get("msg") or "failed")]
    return re.sub(r"^(Task failed: |Action failed: )+", "", "\n".join(texts).strip())[:8000]


class CallbackModule(CallbackBase):  # type: ignore[misc] # Ansible ships no types
    """See DOCUMENTATION."""

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "aggregate"
    CALLBACK_NAME = "survivor_npz_report"
    CALLBACK_NEEDS_ENABLED = False

    def __init__(self) -> None:
        super().__init__()
        self._pid = os.getpid()
        self._signal = ""
        self._is_done = True
        self._forget()

    def _forget(self) -> None:
        """Begin anew: one ansible-playbook may play several playbooks."""
        self.playbook, self.is_ours, self.has_worked = "", False, False
        self.sections: dict[str, Any] = {}
        self.seconds: dict[str, float] = {}
        self.failures: dict[str, str] = {}
        self.failed_task: str | None = None
        self.failed_phase: str | None = None
        self.decided = False
        self.fatal_unreachable = False
        self.live: dict[str, str] = {}
        self._phase: str | None = None
        self._since = time.monotonic()

    @_careful
    def v2_playbook_on_start(self, playbook: Any) -> None:
        """Remember which playbook this is, and be there when it is interrupted."""
        self._forget()
        path = Path(str(playbook._file_name)).resolve()
        self.playbook, self.is_ours = path.name, path.parent == ROOT / "playbooks"
        self._is_done = not self.is_ours
        if self.is_ours and not self._signal:
            atexit.register(self._at_exit)
            for number in (signal.SIGINT, signal.SIGTERM):
                signal.signal(number, self._on_signal)

    def _on_signal(self, number: int, frame: Any) -> None:
        """End as Ansible does on Ctrl-C, by whichever signal: workers first, then this process by way of exit."""
        if os.getpid() != self._pid or self._signal:
            return
        if interruption.is_deaf(frame):
            signal.signal(signal.SIGALRM, lambda _, later: self._on_signal(number, later))
            signal.setitimer(signal.ITIMER_REAL, 0.02)
            return
        self._signal = "Ctrl-C" if number == signal.SIGINT else signal.Signals(number).name
        for worker in multiprocessing.active_children():
            if worker.pid:
                os.kill(worker.pid, number)
        interruption.insist(self._at_exit)
        raise KeyboardInterrupt

    def _enter(self, phase: str | None) -> None:
        now = time.monotonic()
        if self._phase:
            self.seconds[self._phase] = self.seconds.get(self._phase, 0.0) + now - self._since
        self._phase, self._since = phase, now

    @_careful
    def v2_playbook_on_task_start(self, task: Any, is_conditional: bool) -> None:  # noqa: ARG002
        """Count the time between tasks to the phase that a task's name begins with."""
        if self._signal:  # something caught the interruption
            raise KeyboardInterrupt
        name = str(task.name or "").rpartition(" : ")[2]
        self._enter(name.split(" | ")[0] if " | " in name else "other")
        if self._does(task, RUN):  # it may take hours: what is known to be wrong with it must not wait
            self._show(*(f"WARNING: {warning}" for warning in self.sections.get("warnings") or []))

    @_careful
    def v2_runner_on_start(self, host: Any, task: Any) -> None:
        """Note who is asked to switch, or to go back from that: until it answers, its live files may change."""
        if self._does(task, SWITCH) and not task.check_mode:
            name = host.get_name()
            if task.args.get("state") != "reverted" or name in self.live:
                self.live[name] = "unknown"

    @staticmethod
    def _does(task: Any, action: str) -> bool:
        return str(getattr(task, "action", "")).rpartition(".")[2] == action

    def _take(self, result: Any) -> None:
        """Collect what belongs into the report from a result."""
        content, task = result._result, result._task
        if self._does(task, DECISION):
            given = reports.plain(content.get("report") or {})
            self.sections.update({name: value for name, value in given.items() if value})
            if "options" in given:
                self._remove_old()
        elif self._does(task, LEASE) and (content.get("refused") or {}).get("run"):
            self.sections["running"] = True
        elif self._does(task, RUN) and "verdict" in content:
            self.sections["run"] = reports.plain(
                {key: value for key, value in content.items() if key != "msg"}
            )
        elif self._does(task, STOP) and content.get("message"):
            stopped = {key: content.get(key) for key in ("message", "changed")}
            if stopped["changed"] and context.CLIARGS.get("check"):
                what = f"Step 2.5 (pid {content.get('pid', '?')}) would be stopped, with its children"
                stopped = {"message": what, "changed": False}
            self.sections["stop"] = reports.plain(stopped)
        elif self._does(task, "set_fact") and SUMMARY in (content.get("ansible_facts") or {}):
            self.sections["summary"] = reports.plain(content["ansible_facts"][SUMMARY])
        elif self._does(task, SWITCH):
            self._note_live(result._host.get_name(), content, task.args.get("state") == "reverted")

    def _note_live(self, host: str, content: Mapping[str, Any], goes_back: bool) -> None:
        """Note what an answer to the switch, or to the way back, says; one without it leaves the host unknown."""
        changed, failed = bool(content.get("changed")), bool(content.get("failed"))
        if not failed and changed:
            self.live[host] = "reverted" if goes_back else "switched"
        elif not failed or (not goes_back and not changed and "code" in content):
            self.live.pop(host, None)

    def _remove_old(self) -> None:
        """An earlier run's report must not pass for this one's."""
        path = self._path
        if path and os.path.isfile(path) and not os.path.islink(path) and not context.CLIARGS.get("check"):
            os.unlink(path)

    @_careful
    def v2_runner_on_ok(self, result: Any) -> None:
        """Collect the sections of the report."""
        self.has_worked = self.has_worked or self._phase not in NO_WORK
        self._take(result)

    @_careful
    def v2_runner_on_skipped(self, result: Any) -> None:
        """Ansible starts a task on a host before it skips it there: that host was not asked to switch."""
        if self._does(result._task, SWITCH):
            self.live.pop(result._host.get_name(), None)

    def _fail(self, result: Any, message: str) -> None:
        task = str(result._task._uuid)
        self.decided = self._does(result._task, DECISION)
        if task != self.failed_task:
            self.failed_task, self.failed_phase, self.failures = task, self._phase, {}
        self.failures[result._host.get_name()] = message

    @_careful
    def v2_runner_on_failed(self, result: Any, ignore_errors: bool = False) -> None:
        """Keep the failures of the last task that failed."""
        self._take(result)
        if not ignore_errors:
            self._fail(result, _message(result._result))

    @_careful
    def v2_runner_on_unreachable(self, result: Any) -> None:
        """Keep a host that is gone, where no decision looks after that."""
        if not result._task.ignore_unreachable:
            self.fatal_unreachable = True
            self._fail(result, unreachable(readable(_message(result._result))))

    @_careful
    def v2_playbook_on_stats(self, stats: Any) -> None:
        """Print the report, write it where it was asked for; SystemExit where nothing was done at all."""
        self._is_done = True
        stopped = bool(stats.failures) or self.fatal_unreachable
        self._enter(None)
        if self.is_ours and not self.has_worked and not stopped:
            why = f"Nothing was done: nothing of {self.playbook} ran on the fleet. {self._left_out()}"
            self._show(
                "", why, *(["Step 2.5 was NOT started."] if self.playbook in reports.LAUNCHING else [])
            )
            raise SystemExit(2)  # Ansible's own exit code would be 0
        if self.sections or stopped:
            self._report(stopped)

    @staticmethod
    def _left_out() -> str:
        """What in the command line left everything out, as far as it can be told."""
        if context.CLIARGS.get("start_at_task"):
            return "--start-at-task leaves out the guard, without which nothing else runs. Run the whole playbook."
        if "always" in (context.CLIARGS.get("skip_tags") or []):
            return "--skip-tags always leaves out the guard, without which nothing else runs. Run without it."
        return "Look at the inventory (-i; groups coordinator and rigs), --limit, --tags and --skip-tags."

    def _at_exit(self) -> None:
        """Report a run that a signal ended: Ansible sends no statistics then."""
        if os.getpid() == self._pid and self._signal and not self._is_done:
            self._is_done = True
            self._enter(None)
            self._report(False)

    @_careful
    def _report(self, stopped: bool) -> None:
        report = reports.compose(
            self.sections,
            playbook=self.playbook,
            check=bool(context.CLIARGS.get("check")),
            stopped=stopped,
            seconds=self.seconds,
            messages=self.failures,
            phase=self.failed_phase,
            interrupted=self._signal,
            live=self.live,
        )
        self._show(*reports.lines(report, self.live, self.decided))
        self._save(report)

    def _show(self, *lines: str) -> None:
        """Show lines, one each: no name of a file or a link on some host can steer the terminal."""
        width = shutil.get_terminal_size().columns if sys.stdout.isatty() else 0
        for line in lines:
            text = harmless(line).replace("\n", "\\n")
            colour = next((colour for mark, colour in COLOURS.items() if re.search(mark, text)), None)
            self._display.display(reports.wrapped(text, width), color=colour)

    @property
    def _path(self) -> str:
        """The file that the report goes to; "" where it goes to none."""
        path = str((self.sections.get("options") or {}).get("path") or "")
        return "" if path == "-" else os.path.expanduser(path)

    def _save(self, report: dict[str, Any]) -> None:
        if (self.sections.get("options") or {}).get("path") == "-":
            self._display.display(json.dumps(report))  # all ASCII: nothing in it is obeyed by a terminal
        elif self._path and not report["check"]:
            reports.write(report, self._path)
