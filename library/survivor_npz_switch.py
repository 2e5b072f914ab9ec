#!/usr/bin/python
"""Switch staged copies of the survivor NPZ live on one host, go back, or clean up."""

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
      - V(staged_previous) stages the previous file, which must have O(sha256).
      - V(clean) removes what dead runs left.
    type: str
    choices: [activated, reverted, staged_previous, clean]
    required: true
  sha256:
    description: SHA-256 of the NPZ in question. For V(clean), the staged file to keep, if any.
    type: str
  copies:
    description: The live copies, each by an absolute path.
    type: list
    elements: dict
    required: true
    suboptions:
      path:
        description: Absolute path of the live copy.
        type: str
        required: true
      expect:
        description: SHA-256 that was live when the caller looked. Left out where there was no file.
        type: str
      sidecars:
        description: Whether the sidecars follow, as they do on the coordinator.
        type: bool
        default: false
  pin:
    description: Stat of the JSON that a rollback ignores (C(path), C(size), C(mtime_ns)).
    type: dict
attributes:
  check_mode:
    support: full
    description: Predicts; writes nothing.
  diff_mode:
    support: full
    description: Shows the digest of each copy before and after.
author:
  - survivor-npz
"""

EXAMPLES = r"""
- name: Make the staged NPZ live, if live is still what was seen
  survivor_npz_switch:
    state: activated
    sha256: "{{ expected }}"
    copies:
      - path: /home/michael/distributed_prng_analysis/bidirectional_survivors_binary.npz
        expect: "{{ seen }}"
"""

RETURN = r"""
copies:
  description: Each copy with C(path), C(changed), and the SHA-256 C(before) and C(after), null for no file.
  returned: success, and on failure as far as it is known
  type: list
  elements: dict
removed:
  description: Files removed.
  returned: state=clean
  type: list
  elements: str
code:
  description: Why it was refused, as one word.
  returned: failure
  type: str
"""

import os
from typing import Any, Dict, List, Tuple

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.survivor_npz.switch import switch
from ansible.module_utils.survivor_npz.switch.cleanup import clean
from ansible.module_utils.survivor_npz.switch.names import Names
from ansible.module_utils.survivor_npz.switch.recover import SwitchError, recover

SPEC = {
    "state": {
        "type": "str",
        "choices": ["activated", "reverted", "staged_previous", "clean"],
        "required": True,
    },
    "sha256": {"type": "str"},
    "copies": {
        "type": "list",
        "elements": "dict",
        "required": True,
        "options": {
            "path": {"type": "str", "required": True},
            "expect": {"type": "str"},
            "sidecars": {"type": "bool", "default": False},
        },
    },
    "pin": {"type": "dict"},
}


def _one(given: Dict[str, Any], copy: Dict[str, Any], check: bool) -> switch.Switch:
    names, sha256, sidecars = Names(copy["path"]), given["sha256"], copy["sidecars"]
    if given["state"] == "activated":
        pin = given["pin"] if sidecars else None
        return switch.activate(names, sha256, expect=copy["expect"], sidecars=sidecars, pin=pin, check=check)
    if given["state"] == "reverted":
        return switch.revert(names, sha256, copy["expect"], sidecars=sidecars, check=check)
    return switch.stage_previous(names, sha256, sidecars=sidecars, check=check)


def _undo(given: Dict[str, Any], done: List[Dict[str, Any]]) -> None:
    """Take back what this call switched; each result tells what is live afterwards."""
    for result in reversed(done):
        if not result["changed"]:
            continue
        names = Names(result["path"])
        try:
            switch.revert(names, given["sha256"], result["before"], sidecars=result["sidecars"])
        except SwitchError as error:
            result["error"] = str(error)
        else:
            result.update(after=result["before"], changed=False)


def _switch(module: AnsibleModule) -> List[Dict[str, Any]]:
    given: Dict[str, Any] = module.params
    done: List[Dict[str, Any]] = []
    for copy in given["copies"]:
        try:
            result = _one(given, copy, module.check_mode)
        except (SwitchError, ValueError) as error:
            if given["state"] == "activated" and not module.check_mode:
                _undo(given, done)
            module.fail_json(
                msg=str(error),
                code=getattr(error, "code", "path"),
                changed=any(entry["changed"] for entry in done),
                copies=done,
            )
        done.append({"path": copy["path"], "sidecars": copy["sidecars"], **result._asdict()})
    return done


def _clean_one(copy: Dict[str, Any], keep: List[str], check: bool) -> Tuple[bool, List[str]]:
    """Clean up beside one copy; tell whether a broken-off switch was finished, and what was removed."""
    names, sidecars = Names(copy["path"]), copy["sidecars"]
    finished = False
    if os.path.isdir(names.directory) and not os.path.islink(names.live):
        finished = recover(names, sidecars=sidecars, check=True)
    return finished, clean(names, keep, sidecars=sidecars, check=check)


def _clean(module: AnsibleModule) -> None:
    keep = [module.params["sha256"]] if module.params["sha256"] else []
    try:
        done = [_clean_one(copy, keep, module.check_mode) for copy in module.params["copies"]]
    except (SwitchError, ValueError) as error:
        module.fail_json(msg=str(error), code=getattr(error, "code", "path"))
    removed = [path for _finished, paths in done for path in paths]
    changed = bool(removed) or any(finished for finished, _paths in done)
    lines = "".join(f"{path}\n" for path in removed)
    module.exit_json(changed=changed, removed=removed, diff={"before": lines, "after": ""})


def main() -> None:
    """Do what `state` asks for on each copy."""
    switching = [(state, ["sha256"]) for state in ("activated", "reverted", "staged_previous")]
    module = AnsibleModule(
        argument_spec=SPEC,
        required_if=[("state", state, needs) for state, needs in switching],
        supports_check_mode=True,
    )
    if module.params["state"] == "clean":
        _clean(module)
    done = _switch(module)
    module.exit_json(
        changed=any(entry["changed"] for entry in done),
        copies=done,
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
