#!/usr/bin/python
"""Ansible module: a managed block in the head of a shell script."""

from __future__ import annotations

DOCUMENTATION = r"""
module: survivor_npz_hook
short_description: Keep a managed block right after the shebang of a shell script
version_added: "1.0.0"
description:
  - Puts a block of shell text right after the first line of a script, or takes it out again byte for byte.
  - Only the block is ever changed, so any encoding, any line ending and a missing final newline survive.
  - The file is replaced by a rename. A shell that is running the script at that moment keeps the old text.
  - M(ansible.builtin.blockinfile) can't do this. It takes the last line that matches a shebang, and ends
    the file with a newline.
options:
  path:
    description: The script. A symlink is refused.
    type: path
    required: true
  block:
    description: The block's text, without its marker lines. Required when O(state=present).
    type: str
  state:
    description: Whether the block is there.
    type: str
    choices: [present, absent]
    default: present
  backup:
    description: Keep a copy of the script beside it before changing it.
    type: bool
    default: true
attributes:
  check_mode:
    description: Tells what would change and refuses what would be refused, and writes nothing.
    support: full
  diff_mode:
    description: Shows the script before and after.
    support: full
  idempotency:
    description: A block that is right is left alone.
    support: full
author:
  - survivor-npz project (@survivor-npz)
"""

EXAMPLES = r"""
- name: Prepare the fleet whenever the script is started
  survivor_npz_hook:
    path: ~/distributed_prng_analysis/run_scorer_meta_optimizer.sh
    block: "{{ lookup('ansible.builtin.template', 'hook_block.sh.j2') }}"

- name: Take it out again
  survivor_npz_hook:
    path: ~/distributed_prng_analysis/run_scorer_meta_optimizer.sh
    state: absent
"""

RETURN = r"""
path:
  description: The script.
  returned: always
  type: str
backup_file:
  description: The copy made before the change.
  returned: when something changed, O(backup) is true, and it is not check mode
  type: str
"""

import os
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.survivor_npz.hook import block as hook
from ansible.module_utils.survivor_npz.hook.scriptfile import read_script, replace_script


def wanted(data: bytes, state: str, block: str | None) -> bytes:
    """The script's bytes as they should be."""
    if state == "absent":
        return hook.take_out(data)
    return hook.put_in(data, (block or "").encode("utf-8", "surrogateescape"))


def apply(module: AnsibleModule, path: str) -> dict[str, Any]:
    """Bring the script into the wanted state; the module's result."""
    state = module.params["state"]
    try:
        before, seen = read_script(path)
    except FileNotFoundError:
        if state == "absent":
            return {"changed": False, "path": path}
        raise
    after = wanted(before, state, module.params["block"])
    result: dict[str, Any] = {"changed": after != before, "path": path}
    if module._diff:
        result["diff"] = {
            "before": before.decode("utf-8", "replace"),
            "after": after.decode("utf-8", "replace"),
            "before_header": path,
            "after_header": path,
        }
    if result["changed"] and not module.check_mode:
        if module.params["backup"]:
            result["backup_file"] = module.backup_local(path)
        replace_script(path, after, seen)
    return result


def main() -> None:
    """Entry point."""
    module = AnsibleModule(
        argument_spec={
            "path": {"type": "path", "required": True},
            "block": {"type": "str"},
            "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
            "backup": {"type": "bool", "default": True},
        },
        required_if=[("state", "present", ["block"])],
        supports_check_mode=True,
    )
    path = os.path.abspath(module.params["path"])
    try:
        result = apply(module, path)
    except hook.HookError as error:
        module.fail_json(msg=f"{path}: {error}. Nothing was changed.", path=path)
    except OSError as error:
        module.fail_json(msg=f"{path}: {error.strerror or error}. Nothing was changed.", path=path)
    module.exit_json(**result)


if __name__ == "__main__":
    main()
