# SPDX-License-Identifier: MIT
"""Act at the start of a task: the tests break hosts, or kill the controller, exactly there."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from typing import Any

from ansible.plugins.callback import CallbackBase

DOCUMENTATION = r"""
name: at_task
type: aggregate
short_description: Break a test host when a task starts
description:
  - C(AT_TASK) is a JSON list of C({"task" = part of its name or its number from 0, "do" = an argument list}).
  - The command ends before the task goes on; with C("host"), before that host begins the task.
  - C(["SIGKILL"]) kills the controller, at that task.
  - C(AT_TASK_TRACE) gets the names of all tasks started.
"""


class CallbackModule(CallbackBase):  # type: ignore[misc] # Ansible ships no types
    """See DOCUMENTATION."""

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "aggregate"
    CALLBACK_NAME = "at_task"
    CALLBACK_NEEDS_ENABLED = True

    def __init__(self) -> None:
        super().__init__()
        self.number = -1
        self.armed = False
        self.waiting = json.loads(os.environ.get("AT_TASK", "[]"))
        self.trace = os.environ["AT_TASK_TRACE"]
        with open(self.trace, "w", encoding="utf-8"):
            pass

    def v2_playbook_on_task_start(self, task: Any, is_conditional: bool) -> None:
        """Note the task, then do what waits for it."""
        if self.armed:  # The task before had nothing to run.
            os.kill(os.getpid(), signal.SIGKILL)
        self.number += 1
        name = str(task.get_name())
        with open(self.trace, "a", encoding="utf-8") as handle:
            handle.write(name + "\n")
        for entry in [entry for entry in self.waiting if "host" not in entry]:
            if self._due(entry["task"], name):
                self._act(entry)

    def _act(self, entry: dict[str, Any]) -> None:
        self.waiting.remove(entry)
        if entry["do"] == ["SIGKILL"]:
            self.armed = True
        else:
            subprocess.run(entry["do"], check=True, stdin=subprocess.DEVNULL)

    def v2_runner_on_start(self, host: Any, task: Any) -> None:
        """Kill the controller while a worker is at the task; the worker has a session of its own."""
        if self.armed:
            os.kill(os.getpid(), signal.SIGKILL)
        for entry in [entry for entry in self.waiting if entry.get("host") == host.get_name()]:
            if self._due(entry["task"], str(task.get_name())):
                self._act(entry)

    def _due(self, wanted: Any, name: str) -> bool:
        return bool(wanted == self.number if isinstance(wanted, int) else wanted in name)
