# SPDX-License-Identifier: MIT
"""Show what changes and what fails; everything else with -v."""

from __future__ import annotations

DOCUMENTATION = r"""
name: survivor_npz_screen
type: stdout
short_description: A quiet screen for the survivor fleet
description:
  - Shows a line per play that has hosts, tasks that changed or failed something, and one line per failure. With C(-v)
    it is Ansible's own screen.
  - On a terminal, a task that takes longer than 3 s has a line that says what runs, for how long, and which hosts have
    not answered yet.
extends_documentation_fragment:
  - default_callback
  - result_format_callback
requirements:
  - set as stdout in configuration
"""

import sys
from pathlib import Path
from typing import Any

import ansible.module_utils
from ansible import constants as C  # type: ignore[attr-defined] # noqa: N812 - as in all of Ansible
from ansible.plugins.callback.default import CallbackModule as Default

# Modules find our package through the setting `module_utils`; a plugin needs this line.
ansible.module_utils.__path__.append(str(Path(__file__).resolve().parents[2] / "module_utils"))
from ansible.module_utils.survivor_npz.controller.fleet.answers import readable
from ansible.module_utils.survivor_npz.controller.progress import Progress
from ansible.module_utils.survivor_npz.controller.screen import harmless

MOST = 400  # characters of a failure here; the report after the recap has all
COUNTS = {
    "ok": "ok",
    "changed": "changed",
    "unreachable": "unreachable",
    "failed": "failures",
    "skipped": "skipped",
    "ignored": "ignored",
}
LIVE = "survivor_npz_live"  # shows Step 2.5's output, and a sign of life, by itself


class CallbackModule(Default):  # type: ignore[misc] # Ansible ships no types
    """See DOCUMENTATION."""

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "stdout"
    CALLBACK_NAME = "survivor_npz_screen"

    def __init__(self) -> None:
        super().__init__()
        self._unnamed_play: Any = None
        self._progress: Progress | None = None

    def v2_playbook_on_start(self, playbook: Any) -> None:
        """Show progress on a terminal only."""
        super().v2_playbook_on_start(playbook)
        if self._progress is None and sys.stdout.isatty():
            self._progress = Progress(self._display)

    def v2_runner_on_start(self, host: Any, task: Any) -> None:
        """Wait for this host."""
        super().v2_runner_on_start(host, task)
        if self._progress:
            self._progress.ask(host.get_name())

    def _answered(self, result: Any) -> None:
        if self._progress:
            self._progress.answer(result._host.get_name())

    def v2_playbook_on_stats(self, stats: Any) -> None:
        """Show the counts of each host within 100 columns."""
        if self._progress:
            self._progress.end()
        if not self._is_quiet:
            super().v2_playbook_on_stats(stats)
            return
        self._display.banner("PLAY RECAP")
        for host in sorted(stats.processed):
            found = stats.summarize(host)
            counts = "  ".join(f"{name}={found[key]:<2}" for name, key in COUNTS.items())
            colour = C.COLOR_CHANGED if found["changed"] else C.COLOR_OK
            colour = C.COLOR_ERROR if found["failures"] or found["unreachable"] else colour
            self._display.display(f"{host:<20} : {counts}".rstrip(), color=colour)

    @property
    def _is_quiet(self) -> bool:
        return not self._display.verbosity

    def v2_playbook_on_play_start(self, play: Any) -> None:
        """Name a play once it has something to show."""
        if not self._is_quiet:
            super().v2_playbook_on_play_start(play)
            return
        self._play, self._unnamed_play = play, play

    def v2_playbook_on_no_hosts_matched(self) -> None:
        """A group without hosts is a part of the story that was not needed."""
        if not self._is_quiet:
            super().v2_playbook_on_no_hosts_matched()

    def v2_playbook_on_task_start(self, task: Any, is_conditional: bool) -> None:
        """Show the play, the task only with something to show."""
        if self._progress:
            shows_itself = str(task.action).rpartition(".")[2] == LIVE
            self._progress.begin("" if shows_itself else task.get_name().strip().rpartition(" : ")[2])
        if not self._is_quiet:
            super().v2_playbook_on_task_start(task, is_conditional)
            return
        self._task_type_cache[task._uuid] = "TASK"
        self._last_task_name = task.get_name().strip()
        if self._unnamed_play is not None:
            self._display.display(f"PLAY [{self._unnamed_play.get_name().strip()}]", color=C.COLOR_HIGHLIGHT)
            self._unnamed_play = None

    def _print_task_banner(self, task: Any) -> None:
        if not self._is_quiet:
            super()._print_task_banner(task)
            return
        mode = " [CHECK MODE]" if task.check_mode and self.get_option("check_mode_markers") else ""
        self._display.display(f"TASK [{self._last_task_name or task.get_name().strip()}{mode}]")
        self._last_task_banner = task._uuid

    def v2_runner_on_ok(self, result: Any) -> None:
        """Show what changed."""
        self._answered(result)
        if not self._is_quiet or result._result.get("changed"):
            super().v2_runner_on_ok(result)

    def v2_runner_item_on_ok(self, result: Any) -> None:
        """Show what changed."""
        if not self._is_quiet or result._result.get("changed"):
            super().v2_runner_item_on_ok(result)

    def v2_runner_on_skipped(self, result: Any) -> None:
        """Show nothing."""
        self._answered(result)
        if not self._is_quiet:
            super().v2_runner_on_skipped(result)

    def v2_runner_on_failed(self, result: Any, ignore_errors: bool = False) -> None:
        """Show a failure in one line."""
        self._answered(result)
        if not self._is_quiet:
            super().v2_runner_on_failed(result, ignore_errors)
            return
        self._failure(result, "FAILED", ignore_errors)

    def v2_runner_on_unreachable(self, result: Any) -> None:
        """Show it in one line."""
        self._answered(result)
        if not self._is_quiet:
            super().v2_runner_on_unreachable(result)
            return
        self._failure(result, "UNREACHABLE", bool(result._task.ignore_unreachable))

    def _failure(self, result: Any, word: str, goes_on: bool) -> None:
        if self._last_task_banner != result._task._uuid:
            self._print_task_banner(result._task)
        text = harmless(readable(result._result.get("msg") or "failed"))
        text = text if len(text) <= MOST else f"{text[:MOST]}…"
        colour = C.COLOR_WARN if goes_on else C.COLOR_ERROR
        self._display.display(f"{word}: [{self.host_label(result)}]: {text}", color=colour)

    def _handle_warnings_and_exception(self, result: Any) -> None:
        """Show none in quiet: the report has those that matter."""
        if not self._is_quiet:
            super()._handle_warnings_and_exception(result)
