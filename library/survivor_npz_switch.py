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
