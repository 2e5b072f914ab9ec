#!/usr/bin/python
# SPDX-License-Identifier: MIT
"""Do one job on a host: the module that runs in place of survivor_npz_look, _stage, _switch, _lease and _run."""

from __future__ import annotations

DOCUMENTATION = r"""
module: survivor_npz_host
short_description: Do one job of the survivor NPZ on a host
description:
  - Not for tasks. Use M(survivor_npz_look), M(survivor_npz_stage), M(survivor_npz_switch),
    M(survivor_npz_lease) or M(survivor_npz_run), whose action plugin runs this module.
  - Ansible packs a module once per run. One module for all jobs is packed once; five would each keep every host
    waiting for a quarter of a second.
options:
  job:
    description: What to do.
    type: str
    choices: [look, stage, switch, lease, run]
    required: true
  given:
    description: The options of the module of that name.
    type: dict
    required: true
attributes:
  check_mode:
    support: full
    description: As the module of that name.
  diff_mode:
    support: full
    description: As the module of that name.
author:
  - survivor-npz project (@survivor-npz)
"""

EXAMPLES = r"""
- name: As survivor_npz_run with the same options
  survivor_npz_host:
    job: run
    given: {dir: ~/distributed_prng_analysis, state: query}
"""

RETURN = r""" # """

import importlib
from typing import TYPE_CHECKING

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible.module_utils.survivor_npz.common.errors import JobError

if TYPE_CHECKING:  # Ansible packs what is imported anywhere; a host compiles only what its job needs.
    from ansible.module_utils.survivor_npz.jobs import lease, look, run, stage, switch  # noqa: F401 - packed

JOBS = "ansible.module_utils.survivor_npz.jobs"


def main() -> None:
    """Check the options of the job and do it."""
    module = AnsibleModule(
        argument_spec={
            "job": {"choices": ["look", "stage", "switch", "lease", "run"], "required": True},
            # Keeps the values of the script's environment out of syslog; the rest is logged below.
            "given": {"type": "dict", "required": True, "no_log": True},
        },
        supports_check_mode=True,
    )
    name, given = module.params["job"], module.params.pop("given")
    # Else each value would be masked in the answer: a 1 in every pid and path.
    module.no_log_values.clear()
    job = importlib.import_module(f"{JOBS}.{name}")
    secret = {key for key, option in job.OPTIONS.items() if option.get("no_log")}
    module.log(f"{name}: { ({key: given[key] for key in sorted(given.keys() - secret)}) }")
    checked = ArgumentSpecValidator(job.OPTIONS, required_if=getattr(job, "NEEDS", None)).validate(given)
    if checked.error_messages:
        module.fail_json(msg="; ".join(checked.error_messages))
    try:
        result = job.do(checked.validated_parameters, module.check_mode)
    except JobError as error:
        module.fail_json(msg=str(error), **error.details)
    module.exit_json(**{"changed": False, **result})


if __name__ == "__main__":
    main()
