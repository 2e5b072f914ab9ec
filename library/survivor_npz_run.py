#!/usr/bin/python
# SPDX-License-Identifier: MIT
"""Start, look at, read and stop Step 2.5 on the coordinator."""

from __future__ import annotations

DOCUMENTATION = r"""
module: survivor_npz_run
short_description: Start, look at, read and stop Step 2.5 under a supervisor of its own
description:
  - Starts the script without a shell, in the pipeline directory, under a small supervisor that outlives the
    connection and the controller and owns the lock, the time limit, the log and the run record.
  - One run at a time per pipeline directory. A lock left by a dead run or by a restart never blocks.
  - To see the output live use M(survivor_npz_live), which is built on this module.
extends_documentation_fragment: survivor_npz_job
options:
  state:
    description:
      - V(query) tells whether a run is on. V(started) starts one and returns after its proof of life.
      - V(stopped) ends the one that is on, with all that it started on this host. V(output) reads a log.
      - V(workers) lists processes that an earlier run left on this host, which may be a rig.
    type: str
    choices: [query, started, stopped, output, workers]
    default: query
  dir:
    description: Pipeline directory.
    type: path
    required: true
  script:
    description:
      - The script, relative to O(dir). Run as it is if it may be executed, else with C(bash).
      - Required for O(state=started).
    type: str
  token:
    description: Names the request, so that one repeated after a lost connection finds its own run.
    type: str
  proof:
    description: Seconds that a started script is watched before the module returns.
    type: float
    default: 0.5
  run:
    description: Name of a run; for O(state=output), and to stop that run only.
    type: str
  match:
    description: Text in the command lines of workers. Required for O(state=workers).
    type: str
  offset:
    description: First byte of the log to read; a negative one counts from the end.
    type: int
    default: 0
  wait:
    description: Seconds to wait for new output.
    type: float
    default: 0
  limit:
    description: Most bytes to read at once.
    type: int
    default: 1048576
attributes:
  check_mode:
    support: full
    description: Nothing is started or stopped.
  diff_mode:
    support: none
    description: There is nothing to compare.
author:
  - survivor-npz project (@survivor-npz)
"""

EXAMPLES = r"""
- name: Is a run on?
  survivor_npz_run:
    dir: ~/distributed_prng_analysis

- name: Start one and let it run
  survivor_npz_run:
    dir: ~/distributed_prng_analysis
    state: started
    script: run_scorer_meta_optimizer.sh
    args: ["100"]
    creates: [optimal_scorer_config.json]
"""

RETURN = r"""
running:
  description: Whether a run is on.
  returned: always
  type: bool
message:
  description: One sentence for the operator.
  returned: not for V(output) and V(workers)
  type: str
pid:
  description: Process id of the script.
  returned: when a run is or was on
  type: int
run:
  description: The run's name.
  returned: when a run is or was on
  type: str
start:
  description: Its start, UTC.
  returned: when a run is or was on
  type: str
log:
  description: Path of its log.
  returned: when a run is or was on
  type: str
host:
  description: Name that the host gives itself.
  returned: when a run is or was on
  type: str
command:
  description: The argument list.
  returned: when a run is or was on
  type: list
  elements: str
stamp:
  description:
    - The moment, for a look that follows. C(boot) is the boot id, C(clock) the boot clock in seconds,
      C(number) that of the fleet's newest transaction, null if it is unknown.
  returned: O(state=query)
  type: dict
lease:
  description:
    - The newest transaction, C(number), C(token), C(controller), C(begun_utc), C(until), C(left) (seconds),
      C(expired) and C(ended). Null if there was none; C(trouble) says why it is unknown.
  returned: O(state=query)
  type: dict
last:
  description: Record of the last run.
  returned: O(state=query), when none is on
  type: dict
record:
  description: Record of the run.
  returned: when it is over
  type: dict
refused:
  description:
    - The run in the way, or C(lock), the path of a lock that is held without a run. Or what was proven and
      holds no longer, C(changed) (the NPZ) or C(stale) (the stamp).
  returned: when a start or a stop is refused
  type: dict
workers:
  description:
    - Processes of this host whose command line contains O(match), C(pid), C(age) (seconds) and C(command).
      Those of the run that is on, and those that started the module, are left out.
  returned: O(state=workers)
  type: list
  elements: dict
data:
  description:
    - Bytes of the log, base64. Beside it C(offset) (the next one), C(size), C(times), C(elapsed), C(silent),
      C(waited) and C(log_cut).
  returned: O(state=output)
  type: str
"""
