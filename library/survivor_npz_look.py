#!/usr/bin/python
# SPDX-License-Identifier: MIT
"""Look at one host: every copy of the survivor NPZ, and what a run needs there."""

from __future__ import annotations

DOCUMENTATION = r"""
module: survivor_npz_look
short_description: Look at every copy of the survivor NPZ on a host
description:
  - Reports of each copy whether it exists, its checksums, survivors, schema, owner and mode, what is staged
    or kept beside it, and whether its directory can take a new one. Needs no library. Creates nothing.
options:
  directory:
    description: Pipeline directory. C(~) is the home of the user that the task runs as.
    type: str
    required: true
  paths:
    description: Copies that must be on the host. Relative names are taken from O(directory).
    type: list
    elements: str
    default: []
  extra_paths:
    description: Copies that are kept current where they exist.
    type: list
    elements: str
    default: []
  files:
    description: Other files that the run needs here.
    type: list
    elements: str
    default: []
  same_files:
    description: Files of which to compute the SHA-256, relative to O(directory).
    type: list
    elements: str
    default: []
  workers:
    description: Also list processes whose command line contains this text. Empty to list none.
    type: str
    default: ""
  owner:
    description: User, by name or number, that files shall belong to. Empty for none in particular.
    type: str
    default: ""
  group:
    description: Group, by name or number, that files shall belong to. Empty for none in particular.
    type: str
    default: ""
  login:
    description: User that Ansible logs in as. A directory of a copy may belong to it, too.
    type: str
    default: ""
  lead:
    description:
      - For the coordinator only. Also report whether Step 2.5 is running here, the lease (see M(survivor_npz_run)),
        and the hosts that C(distributed_config.json) lists.
    type: dict
    suboptions:
      npz:
        description: The coordinator's own copy, relative to O(directory). It comes before O(paths).
        type: str
        required: true
      files:
        description: The files that the run needs here, instead of O(files).
        type: list
        elements: str
        default: []
      conversion:
        description:
          - Also report whether M(convert_survivors) has work with these options, see RV(decision), and which versions
            of its libraries are installed, without importing them.
          - Left out, every byte of each NPZ here, live and previous, is read for a C(fault) that its headers don't
            show; what is distributed as it is has no converter that looks at it.
        type: dict
        suboptions:
          src:
            description: The JSON, relative to O(directory).
            type: str
            required: true
          force:
            description: As for M(convert_survivors).
            type: bool
            default: false
          prng_encoding:
            description: As for M(convert_survivors).
            type: str
            required: true
  settle:
    description: First wait for a process that is switching a copy to finish.
    type: bool
    default: false
  now:
    description: The controller's clock, Unix seconds, to compare the host's with.
    type: float
attributes:
  check_mode:
    support: full
    description: The module reads only.
  diff_mode:
    support: none
    description: Nothing changes.
  platform:
    platforms: posix
    support: full
    description: Linux.
author:
  - survivor-npz project (@survivor-npz)
"""

EXAMPLES = r"""
- name: Look at the copies of a rig
  survivor_npz_look:
    directory: ~/distributed_prng_analysis
    paths: [bidirectional_survivors_binary.npz]
    extra_paths: [/dev/shm/prng/step2/bidirectional_survivors_binary.npz]
"""

RETURN = r"""
directory:
  description: The pipeline directory, absolute.
  returned: always
  type: str
copies:
  description:
    - One entry for each copy with C(path), C(required), C(kind) (C(absent), C(file), C(symlink), C(other)),
      C(exists), C(sha256), C(sha1), C(size), C(mtime_ns), C(mode), C(owner), C(group), C(survivors),
      C(schema), C(fault), C(error).
    - Also C(directory) (C(exists), C(identity), and, of the C(nearest) one that exists,
      C(writable), C(free) bytes, C(owner), C(in_the_way), C(untrusted) and C(exposed)), C(staged) (paths by
      SHA-256), C(previous) and C(leftovers).
  returned: always
  type: list
  elements: dict
files:
  description: One entry for each file of O(files), with C(name) as given, C(path), C(exists), C(readable),
    C(executable), C(size) and C(mtime_ns).
  returned: always
  type: list
  elements: dict
same_files:
  description: SHA-256 of each file of O(same_files), null where there is none.
  returned: always
  type: dict
workers:
  description: Processes that an earlier run left, as M(survivor_npz_run) lists them with C(state=workers).
  returned: with O(workers)
  type: list
  elements: dict
fleet_config:
  description: The C(hostnames) of the pipeline's C(distributed_config.json), or the C(trouble) with it. Null
    where there is none.
  returned: with O(coordinator)
  type: dict
libraries:
  description: Version of each library of O(libraries), null where it is missing.
  returned: always
  type: dict
accounts:
  description: C(owner) and C(group), as far as asked for, each with C(wanted), its C(name) here (null where
    there is none) and C(grantable), whether this user may give a file to it.
  returned: always
  type: dict
run:
  description: What M(survivor_npz_run) reports with C(state=query).
  returned: with O(coordinator)
  type: dict
proven:
  description: SHA-256 of the NPZs that every host has shown, the last one first.
  returned: with O(coordinator)
  type: list
  elements: str
decision:
  description: Whether a conversion is C(due); if not, the C(reason), and what an earlier one recorded.
  returned: with O(conversion)
  type: dict
stamp:
  description: The host's C(boot) id and boot C(clock), seconds, read before anything else.
  returned: always
  type: dict
skew:
  description: The host's clock minus O(now), seconds.
  returned: always
  type: float
hostname:
  description: The host's own name.
  returned: always
  type: str
python:
  description: Version of the Python that ran the module.
  returned: always
  type: str
executable:
  description: Path of the Python that ran the module.
  returned: always
  type: str
user:
  description: User that the module ran as.
  returned: always
  type: str
"""
