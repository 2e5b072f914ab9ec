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
  owner:
    description: User, by name or number, of the staged files. Left out, the user that the task runs as.
    type: str
  group:
    description: Group, by name or number, of the staged files. Left out, that user's own.
    type: str
  mode:
    description: Octal mode of the staged files, such as V('0644'), which is the default.
    type: str
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
