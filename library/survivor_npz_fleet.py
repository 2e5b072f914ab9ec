#!/usr/bin/python
# SPDX-License-Identifier: MIT
"""Document the action plugin survivor_npz_fleet."""

from __future__ import annotations

DOCUMENTATION = r"""
module: survivor_npz_fleet
short_description: Take one decision over the survivor fleet, on the controller
description:
  - Reads what the hosts registered earlier in this run, and decides what happens next. It connects to no host.
  - A decision against going on fails by itself; the message and the report name each host that caused it.
  - An action plugin does the work (C(plugins/action)).
options:
  phase:
    description: The decision to take. The role's tasks show the options of each.
    type: str
    required: true
    choices: [guard, preflight, plan, rollback, received, barrier, switched, reverted, proof, status]
  options:
    description: The role's variables, as the role gives them. Needed by each phase but V(guard).
    type: dict
  conversion:
    description: With O(phase=plan), what M(convert_survivors) returned.
    type: dict
  hosts:
    description: With O(phase=switched), the hosts that were asked to switch.
    type: list
    elements: str
  final:
    description: With O(phase=proof), whether Step 2.5 starts next. No look is repeated then.
    type: bool
    default: false
attributes:
  check_mode:
    support: full
    description: Decides as in a real run, and predicts what each host would do.
author:
  - survivor-npz project (@survivor-npz)
"""

EXAMPLES = r"""
- name: Stop unless every host holds the goal, live or staged
  survivor_npz_fleet:
    phase: barrier
    options: "{{ __survivor_npz_options }}"
"""

RETURN = r"""
members:
  description: Hosts with the groups that they join (C(name), C(groups)), for M(ansible.builtin.add_host).
  returned: when the phase chooses hosts
  type: list
  elements: dict
report:
  description: Sections of the report, as the callback C(survivor_npz_report) merges them.
  returned: always
  type: dict
"""
