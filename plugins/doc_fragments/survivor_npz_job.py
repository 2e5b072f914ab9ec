# SPDX-License-Identifier: MIT
"""Options of every module that starts Step 2.5."""

from __future__ import annotations


class ModuleDocFragment:
    """See DOCUMENTATION."""

    DOCUMENTATION = r"""
options:
  args:
    description: Arguments of the script. No shell sees them.
    type: list
    elements: str
    default: []
  environment:
    description:
      - Environment variables for the script, beside the ones that the module runs with.
      - Their values are not logged.
    type: dict
    default: {}
  creates:
    description: Files, relative to O(dir), that the run must write to be a success.
    type: list
    elements: str
    default: []
  timeout:
    description: Seconds after which the script is stopped, output or none. V(0) means no limit.
    type: float
    default: 0
  grace:
    description: Seconds between SIGTERM and SIGKILL when it is stopped.
    type: float
    default: 5
  npz:
    description:
      - The proven NPZ, for the run record (C(sha256), C(survivor_count), C(path)).
      - With C(sha256) and C(path), nothing is started unless the file has those bytes while the launch
        lock is held, and the run has failed unless it has them at the end.
    type: dict
    default: {}
  proved:
    description: The hosts that proved the NPZ, for the run record.
    type: list
    elements: str
    default: []
  stamp:
    description:
      - The moment of the oldest look that O(proved) rests on, C(boot), C(clock) and C(number) as
        M(survivor_npz_run) returns them; with C(number) and C(token) of the run's own lease if it took one.
      - Nothing is started on looks from before a restart or older than 60 seconds, nor if another controller
        began a transaction since or has not ended one. Empty means that there is no look to judge.
    type: dict
    default: {}
"""
