#!/usr/bin/python
# SPDX-License-Identifier: MIT
"""Stage the survivor NPZ on one host, beside each live copy that lacks it."""

from __future__ import annotations

DOCUMENTATION = r"""
module: survivor_npz_stage
short_description: Stage the survivor NPZ beside each live copy of a host
description:
  - Removes what dead runs left, makes missing directories, reuses bytes that the host has, checks and flushes
    what the copy task brought, and reads the SHA-256 of every staged file from the disk. No live file changes.
options:
  sha256:
    description: SHA-256 of the NPZ to stage.
    type: str
    required: true
  part:
    description: The host's part of the plan, as M(survivor_npz_fleet) returns it.
    type: dict
    required: true
  open_with:
    description: Python of this host that must open the staged NPZ with numpy. Empty for none.
    type: str
    default: ""
extends_documentation_fragment: ansible.builtin.files
attributes:
  check_mode:
    support: full
    description: Predicts; writes nothing.
  diff_mode:
    support: full
    description: Shows each copy before and after.
  platform:
    platforms: posix
    support: full
    description: Linux.
author:
  - survivor-npz project (@survivor-npz)
"""

EXAMPLES = r"""
- name: Stage the goal
  survivor_npz_stage:
    sha256: "{{ plan.goal.sha256 }}"
    part: "{{ plan.parts[inventory_hostname] }}"
    mode: "0644"
"""

RETURN = r"""
staged:
  description: Each copy to switch with its C(path) and the C(sha256) staged beside it.
  returned: success
  type: list
  elements: dict
removed:
  description: Files of dead runs that were removed.
  returned: success
  type: list
  elements: str
stamp:
  description: The host's C(boot) id and boot C(clock), seconds, read before anything else.
  returned: success
  type: dict
code:
  description: Why it was refused, as one word.
  returned: failure
  type: str
"""

from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.survivor_npz.common.boot import stamp
from ansible.module_utils.survivor_npz.common.errors import SwitchError
from ansible.module_utils.survivor_npz.switch.cleanup import clean
from ansible.module_utils.survivor_npz.switch.names import Names
from ansible.module_utils.survivor_npz.switch.ownership import ownership_of
from ansible.module_utils.survivor_npz.switch.stage import stage


def _clean(part: dict[str, Any], sha256: str) -> list[str]:
    """Remove what dead runs left; a switch that was broken off is finished first."""
    keep = [sha256] if part["switch"] else []
    removed = []
    for copy in part["clean"]:
        removed += clean(Names(copy["path"]), keep, sidecars=copy["sidecars"])
    return removed


def main() -> None:
    """Stage, or predict."""
    module = AnsibleModule(
        argument_spec={
            "sha256": {"type": "str", "required": True},
            "part": {"type": "dict", "required": True},
            "open_with": {"type": "str", "default": ""},
        },
        add_file_common_args=True,
        supports_check_mode=True,
    )
    given, began = module.params, stamp()
    part, sha256 = given["part"], given["sha256"]
    keys = ("switch", "settle", "attributes", "clean", "directories")
    changed = any(part[key] for key in keys)
    diff = [
        {
            "header": copy["path"],
            "before": f"sha256 {copy['replaces'] or 'missing'}\n",
            "after": f"sha256 {sha256}\n",
        }
        for copy in part["switch"]
    ]
    if module.check_mode:
        staged = [{"path": copy["path"], "sha256": sha256} for copy in part["switch"]]
        module.exit_json(changed=changed, staged=staged, removed=[], stamp=began, diff=diff)
    try:
        removed = _clean(part, sha256)
        staged = stage(
            part,
            sha256,
            ownership_of(given["owner"], given["group"], str(given["mode"] or "0644")),
            given["open_with"],
        )
    except (SwitchError, ValueError) as error:
        module.fail_json(msg=str(error), code=getattr(error, "code", "path"))
    except (OSError, KeyError) as error:
        where = getattr(error, "filename", None) or "staging"
        module.fail_json(msg=f"{where}: {getattr(error, 'strerror', None) or error}.", code="system")
    done = bool(removed) or bool(part["switch"]) or bool(part["directories"])
    module.exit_json(changed=done, staged=staged, removed=removed, stamp=began, diff=diff)


if __name__ == "__main__":
    main()
