#!/usr/bin/python
# SPDX-License-Identifier: MIT
"""Document the action plugin survivor_npz_live."""

from __future__ import annotations

DOCUMENTATION = r"""
module: survivor_npz_live
short_description: Start or follow Step 2.5 and show its output while it runs
description:
  - Starts a script through M(survivor_npz_run), or finds the one that runs, and shows its output as it is
    written, each line with the elapsed time, until it ends. Its exit code is the verdict.
  - Works over any connection. A connection that breaks is made again; the script never notices.
  - Ctrl-C or SIGTERM on the controller stops the script with its children; with O(follow) only the watching.
  - An action plugin does the work (C(plugins/action)).
extends_documentation_fragment: survivor_npz_job
options:
  dir:
    description: Pipeline directory.
    type: str
    required: true
  follow:
    description: Watch the run that is on; start none.
    type: bool
    default: false
  script:
    description: The script, relative to O(dir). Required unless O(follow).
    type: str
  detach:
    description: Return after the start and two seconds of life.
    type: bool
    default: false
  quiet:
    description: Show no output.
    type: bool
    default: false
  sign_of_life:
    description: Seconds without output after which a line says that the script still runs.
    type: float
    default: 30
  reconnect:
    description: Seconds for which a lost connection is tried again.
    type: float
    default: 600
  backlog:
    description: With O(follow), bytes of earlier output to show first.
    type: int
    default: 8192
attributes:
  check_mode:
    support: full
    description: Nothing is started; the result tells what would be.
  diff_mode:
    support: none
    description: There is nothing to compare.
author:
  - survivor-npz project (@survivor-npz)
"""

EXAMPLES = r"""
- name: Run Step 2.5 and watch it
  survivor_npz_live:
    dir: /home/me/distributed_prng_analysis
    script: run_scorer_meta_optimizer.sh
    args: ["100", "--sample-size", "5000"]
    creates: [optimal_scorer_config.json]
    timeout: 7200
"""

RETURN = r"""
verdict:
  description:
    - V(ok), V(failed), V(timeout), V(stopped), V(detached), V(would_start), V(none) (nothing to follow),
      V(refused) (another run is on, or the proof no longer holds) or V(lost) (the connection, or the
      supervisor, before its end was known).
  returned: always
  type: str
message:
  description: One sentence for the operator.
  returned: always
  type: str
started:
  description: Whether this task started the script.
  returned: always
  type: bool
running:
  description: Whether it still runs.
  returned: always
  type: bool
exit_code:
  description: The script's exit code; 128 and the signal's number if a signal ended it.
  returned: when it ended
  type: int
elapsed:
  description: Seconds that it ran.
  returned: when it ended
  type: float
pid:
  description: Its process id.
  returned: when there is a run
  type: int
run:
  description: Name of the run.
  returned: when there is a run
  type: str
log:
  description: Path of the log on the host.
  returned: when there is a run
  type: str
record:
  description: Path of the run record on the host.
  returned: when there is a run
  type: str
tail:
  description: The last 30 lines of its output.
  returned: when it ended
  type: list
  elements: str
creates:
  description: State of each file of O(creates), V(written), V(missing), V(stale) or V(empty).
  returned: when it ended
  type: dict
log_cut:
  description: Where and why the log is cut (C(at), C(lost), C(why)), if it is.
  returned: when there is a run
  type: dict
left_running:
  description: Processes that outlived the script (C(pid), C(command)).
  returned: when it ended
  type: list
  elements: dict
"""
