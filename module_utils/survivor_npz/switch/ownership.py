# SPDX-License-Identifier: MIT
"""Owner, group and mode that a copy must have."""

from __future__ import annotations

import os
import stat
from typing import NamedTuple

from ansible.module_utils.survivor_npz.common import durable
from ansible.module_utils.survivor_npz.common.accounts import group_id, user_id
from ansible.module_utils.survivor_npz.common.errors import SwitchError


class Ownership(NamedTuple):
    """Owner, group and mode of a file; -1 leaves one as it is."""

    uid: int = -1
    gid: int = -1
    mode: int = -1


def ownership_of(owner: str | None, group: str | None, mode: str | None) -> Ownership:
    """Look up what an operator asked for: a user and a group by name or number, an octal mode.

    Raises:
        SwitchError: no_account, bad_mode.
    """
    uid = user_id(owner) if owner else -1
    gid = group_id(group) if group else -1
    if uid is None or gid is None:
        kind, name = ("user", owner) if uid is None else ("group", group)
        raise SwitchError(
            "no_account", f"there is no {kind} {name} here. Create it, or correct the variable."
        )
    try:
        return Ownership(uid, gid, int(mode, 8) if mode else -1)
    except ValueError:
        raise SwitchError("bad_mode", f"mode {mode!r} is not an octal number such as '0644'.") from None


def differs(path: str, wanted: Ownership) -> bool:
    """Whether a file has another owner, group or mode than `wanted`."""
    info = os.lstat(path)
    found = Ownership(info.st_uid, info.st_gid, stat.S_IMODE(info.st_mode))
    return any(want not in (-1, have) for want, have in zip(wanted, found))


def give(path: str, wanted: Ownership) -> None:
    """Give a file its owner, group and mode, never what a symlink leads to.

    Raises:
        OSError: as the system reports it.
    """
    if (wanted.uid, wanted.gid) != (-1, -1):
        durable.chown(path, wanted.uid, wanted.gid)
    if wanted.mode != -1:
        durable.chmod(path, wanted.mode)
