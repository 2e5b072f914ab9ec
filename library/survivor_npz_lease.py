#!/usr/bin/python
# SPDX-License-Identifier: MIT
"""Take, renew and end the fleet's lease on the coordinator, and record what was proven."""

from __future__ import annotations

DOCUMENTATION = r"""
module: survivor_npz_lease
short_description: Take, renew and end the fleet's lease on the coordinator, and record what was proven
description:
  - While a controller holds the lease, no other controller changes live copies of the fleet, and no Step 2.5
    starts on a proof that is older than the lease.
  - Every lease raises the number of the newest transaction. Only the coordinator's boot clock counts.
  - A lease that is neither renewed nor ended expires and blocks nobody any more; the next one takes over.
options:
  dir:
    description: Pipeline directory.
    type: path
    required: true
  state:
    description:
      - V(taken) begins a transaction, unless another one began since O(seen) or still holds, or Step 2.5
        runs. Repeated with the same O(token) it finds its own lease.
      - V(renewed) lets one's own lease hold for O(seconds) from now; refused once it was lost.
      - V(ended) ends one's own lease and leaves any other alone.
    type: str
    choices: [taken, renewed, ended]
    required: true
  token:
    description: Names the run that takes the lease. Any text that no other run uses.
    type: str
    required: true
  proven:
    description:
      - With O(state=ended), SHA-256 of the NPZ that every host has shown, to be recorded; also without a lease.
      - The newest ten are kept. A rollback goes back to one of them where the previous NPZ is another program's.
    type: str
  controller:
    description: Who takes the lease, for the operator of another controller, as user@host and process id.
    type: str
    default: an unnamed controller
  seconds:
    description: Seconds from now for which the lease holds, 600 at most.
    type: float
    default: 120
  seen:
    description:
      - The C(stamp.number) that M(survivor_npz_run) returned before the first look at the fleet.
      - Required for O(state=taken).
    type: int
  while_running:
    description: Take the lease also while Step 2.5 runs.
    type: bool
    default: false
attributes:
  check_mode:
    support: full
    description: Predicts whether the lease could be taken; writes nothing.
  diff_mode:
    support: none
    description: There is nothing to compare.
author:
  - survivor-npz project (@survivor-npz)
"""

EXAMPLES = r"""
- name: Begin to change the fleet
  survivor_npz_lease:
    dir: ~/distributed_prng_analysis
    state: taken
    token: 7e3c0b52
    controller: me@desk, pid 4242
    seen: 17
"""

RETURN = r"""
number:
  description: Number of the transaction.
  returned: for V(taken) and V(renewed)
  type: int
boot:
  description: Boot id of the coordinator.
  returned: for V(taken) and V(renewed)
  type: str
begun:
  description: Begin of the lease in seconds of the coordinator's boot clock; C(begun_utc) is for people.
  returned: for V(taken) and V(renewed)
  type: float
expires:
  description: Its expiry in seconds of the coordinator's boot clock.
  returned: for V(taken) and V(renewed)
  type: float
until:
  description: Its expiry, UTC, for people.
  returned: for V(taken) and V(renewed)
  type: str
previous:
  description:
    - Note of a lease that expired without having ended. Its holder may be alive. Remove what that transaction
      staged on every host and look again.
  returned: for V(taken)
  type: dict
running:
  description: Whether Step 2.5 runs.
  returned: for V(taken)
  type: bool
message:
  description: One sentence about it.
  returned: for V(taken)
  type: str
stamp:
  description: The moment on the coordinator, C(boot), C(clock) and C(number).
  returned: success
  type: dict
lease:
  description: The lease in the way, C(controller), C(begun_utc), C(until), C(left), C(expired), C(ended).
  returned: when a lease is refused
  type: dict
refused:
  description: The running Step 2.5.
  returned: when a lease is refused because of it
  type: dict
"""
