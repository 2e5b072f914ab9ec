#!/usr/bin/python
# SPDX-License-Identifier: MIT
"""Switch staged copies of the survivor NPZ live on one host, or go back."""

from __future__ import annotations

DOCUMENTATION = r"""
module: survivor_npz_switch
short_description: Switch a staged survivor NPZ live by rename, and back
description:
  - Makes staged files live by an atomic rename and keeps what was live as the previous file.
  - Compares before it swaps. A live file that is not what the caller saw stays as it is.
  - If one of several copies can't be switched, the copies already switched on this host go back.
options:
  state:
    description:
      - V(activated) makes the staged file with O(sha256) live.
      - V(reverted) takes O(sha256) back to what was live before.
    type: str
    choices: [activated, reverted]
    required: true
  sha256:
    description: SHA-256 of the NPZ in question.
    type: str
    required: true
  copies:
    description: The live copies, each by an absolute path.
    type: list
    elements: dict
    default: []
    suboptions:
      path:
        description: Absolute path of the live copy.
        type: str
        required: true
      replaces:
        description: SHA-256 that was live when the caller looked. Left out if there was no file.
        type: str
      sidecars:
        description: Whether the sidecars follow, as they do on the coordinator.
        type: bool
        default: false
      mtime_ns:
        description:
          - Modification time that the live file must have, in nanoseconds since 1970, so that C(-nt) in a
            script agrees. Set as part of the switch, or, if the bytes are right already, by itself.
          - Left out, the one of O(pin), if any.
        type: int
  pin:
    description:
      - Stat of the JSON that the live NPZ was not made from, for the copy with O(copies[].sidecars).
      - Left out, an existing pin ends, unless the call only sets O(copies[].mtime_ns).
    type: dict
    suboptions:
      path:
        description: The JSON's path.
        type: str
      size:
        description: The JSON's size in bytes.
        type: int
      mtime_ns:
        description: The JSON's modification time in nanoseconds since 1970.
        type: int
      unconverted:
        description:
          - Record only that a conversion is due as soon as C(survivor_npz_convert) allows one again.
          - Otherwise the NPZ stays live as long as the JSON is the same (a rollback).
        type: bool
        default: false
  attributes:
    description:
      - Absolute paths of copies that V(activated) gives O(owner), O(group) and O(mode), whether they are in
        O(copies) or hold the right bytes already. A symlink is refused.
    type: list
    elements: str
    default: []
  owner:
    description: User, by name or number, for O(attributes). Left out, it stays as it is.
    type: str
  group:
    description: Group, by name or number, for O(attributes). Left out, it stays as it is.
    type: str
  mode:
    description: Octal mode, such as V('0644'), for O(attributes). Left out, it stays as it is.
    type: str
  valid_until:
    description:
      - When the controller's permission to change this host ends. Checked under the directory's lock, right
        before each change of a live file; after it the change is refused with the code V(expired).
    type: dict
    suboptions:
      boot:
        description: This host's boot id, as in C(stamp) of the RV(look) of an earlier call.
        type: str
        required: true
      clock:
        description: This host's C(CLOCK_BOOTTIME), in seconds.
        type: float
        required: true
attributes:
  check_mode:
    support: full
    description: Predicts; writes nothing.
  diff_mode:
    support: full
    description: Shows the digest of each copy before and after.
author:
  - survivor-npz project (@survivor-npz)
"""

EXAMPLES = r"""
- name: Make the staged NPZ live, if live is still what was seen
  survivor_npz_switch:
    state: activated
    sha256: "{{ expected }}"
    copies:
      - path: /home/michael/distributed_prng_analysis/bidirectional_survivors_binary.npz
        replaces: "{{ seen }}"
"""

RETURN = r"""
code:
  description: Why it was refused, as one word.
  returned: failure
  type: str
copies:
  description: Each copy with C(path), C(changed), and the SHA-256 C(before) and C(after), null for no file.
  returned: success, and on failure as far as it is known
  type: list
  elements: dict
look:
  description:
    - The copies as read from the disk after every change. C(stamp) is this host's C(boot) and C(clock) before
      the first was read; C(copies) has the entries of a brief look, in the order of RV(copies).
  returned: success
  type: dict
"""

from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.survivor_npz.common.boot import stamp
from ansible.module_utils.survivor_npz.common.errors import SwitchError
from ansible.module_utils.survivor_npz.look.copies import look_at
from ansible.module_utils.survivor_npz.switch import switch
from ansible.module_utils.survivor_npz.switch.names import Names
from ansible.module_utils.survivor_npz.switch.ownership import Ownership, ownership_of

SPEC = {
    "state": {"type": "str", "choices": ["activated", "reverted"], "required": True},
    "sha256": {"type": "str", "required": True},
    "copies": {
        "type": "list",
        "elements": "dict",
        "default": [],
        "options": {
            "path": {"type": "str", "required": True},
            "replaces": {"type": "str"},
            "sidecars": {"type": "bool", "default": False},
            "mtime_ns": {"type": "int"},
        },
    },
    "pin": {
        "type": "dict",
        "options": {
            "path": {"type": "str"},
            "size": {"type": "int"},
            "mtime_ns": {"type": "int"},
            "unconverted": {"type": "bool", "default": False},
        },
    },
    "attributes": {"type": "list", "elements": "str", "default": []},
    "owner": {"type": "str"},
    "group": {"type": "str"},
    "mode": {"type": "str"},
    "valid_until": {
        "type": "dict",
        "options": {"boot": {"type": "str", "required": True}, "clock": {"type": "float", "required": True}},
    },
}


def _one(given: dict[str, Any], copy: dict[str, Any], owned: Ownership, check: bool) -> switch.Switch:
    names, sha256, sidecars = Names(copy["path"]), given["sha256"], copy["sidecars"]
    until = given["valid_until"]
    if given["state"] == "activated":
        return switch.activate(
            names,
            sha256,
            replaces=copy["replaces"],
            sidecars=sidecars,
            pin=given["pin"] if sidecars else None,
            mtime_ns=copy["mtime_ns"],
            owned=owned if copy["path"] in given["attributes"] else Ownership(),
            valid_until=until,
            check=check,
        )
    return switch.revert(names, sha256, copy["replaces"], sidecars=sidecars, valid_until=until, check=check)


def _undo(given: dict[str, Any], done: list[dict[str, Any]]) -> None:
    """Take back what this call switched; each result tells what is live afterwards."""
    for result in reversed(done):
        if result["before"] == result["after"]:
            continue
        try:
            switch.revert(
                Names(result["path"]),
                given["sha256"],
                result["before"],
                sidecars=result["sidecars"],
                valid_until=given["valid_until"],
            )
        except SwitchError as error:
            result["error"] = str(error)
        else:
            result.update(after=result["before"], changed=False)


def _switch(module: AnsibleModule) -> list[dict[str, Any]]:
    given: dict[str, Any] = module.params
    check, activates = module.check_mode, given["state"] == "activated"
    listed = {copy["path"] for copy in given["copies"]}
    adjusted = [path for path in given["attributes"] if path not in listed] if activates else []
    done: list[dict[str, Any]] = []
    try:
        owned = ownership_of(given["owner"], given["group"], given["mode"])
        for path in adjusted:
            result = switch.adjust(Names(path), owned, valid_until=given["valid_until"], check=check)
            done.append({"path": path, "sidecars": False, **result._asdict()})
        for copy in given["copies"]:
            result = _one(given, copy, owned, check)
            done.append({"path": copy["path"], "sidecars": copy["sidecars"], **result._asdict()})
    except (SwitchError, ValueError) as error:
        if activates and not check:
            _undo(given, done)
        module.fail_json(
            msg=str(error),
            code=getattr(error, "code", "path"),
            changed=any(entry["changed"] for entry in done),
            copies=done,
        )
    return done


def _look(done: list[dict[str, Any]]) -> dict[str, Any]:
    """Read the copies back from the disk, after every change."""
    began = stamp()
    return {
        "stamp": began,
        "copies": [look_at(entry["path"], required=True, brief=True) for entry in done],
    }


def main() -> None:
    """Do what `state` asks for on each copy."""
    module = AnsibleModule(argument_spec=SPEC, supports_check_mode=True)
    done = _switch(module)
    module.exit_json(
        changed=any(entry["changed"] for entry in done),
        copies=done,
        look=_look(done),
        diff=[
            {
                "header": entry["path"],
                "before": f"sha256 {entry['before']}\n",
                "after": f"sha256 {entry['after']}\n",
            }
            for entry in done
        ],
    )


if __name__ == "__main__":
    main()
