# SPDX-License-Identifier: MIT
"""Ask one host by one of our modules, and keep of its answer what was asked for and no more.

Under the name of each module that runs on hosts: Ansible then runs this in the module's place. A host whose
Python lies can set facts, add hosts to groups or print without end through a module's result; not through this.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import ansible.module_utils
from ansible.plugins.action import ActionBase

# Modules find our package through the setting `module_utils`; a plugin needs this line.
ansible.module_utils.__path__.append(str(Path(__file__).resolve().parents[2] / "module_utils"))
from ansible.module_utils.survivor_npz.controller.fleet.answers import clean


class ActionModule(ActionBase):  # type: ignore[misc] # Ansible ships no types
    """Run the module of the task's name; `asked` stays on the controller and comes back with the answer."""

    TRANSFERS_FILES = False

    def run(self, tmp: Any = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Returns the module's clean result, with `asked` and `asked_at` (seconds of the boot clock here)."""
        super().run(tmp, task_vars)
        arguments = dict(self._task.args)
        kept = {
            "asked": arguments.pop("asked", None),
            "asked_at": time.clock_gettime(time.CLOCK_BOOTTIME),
        }
        name = str(self._task.action)
        if name.endswith("convert_survivors"):
            result = self._execute_module(module_name=name, module_args=arguments, task_vars=task_vars)
        else:
            job = {"job": name.rpartition("_")[2], "given": arguments}
            result = self._execute_module(
                module_name="survivor_npz_host", module_args=job, task_vars=task_vars
            )
        # The path of its Python is Ansible's own finding: without it each task would look for it again.
        facts = {
            key: value
            for key, value in (result.get("ansible_facts") or {}).items()
            if str(key).startswith("discovered_interpreter")
        }
        answer = {**clean(self._task.action, result), **kept}
        return {**answer, "ansible_facts": facts} if facts else answer
