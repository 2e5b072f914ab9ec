"""Read a script and put changed bytes in its place: atomic, same mode, owner and extended attributes."""

import contextlib
import os
import re
import stat
from typing import Tuple

from ansible.module_utils.survivor_npz.common import durable
from ansible.module_utils.survivor_npz.hook.block import HookError
from ansible.module_utils.survivor_npz.switch.names import Names

LARGEST = 4 * 1024 * 1024


def read_script(path: str) -> Tuple[bytes, os.stat_result]:
    """Bytes and stat of a regular file.

    Raises:
        HookError: a symlink, no regular file, too large for a script, or hard-linked elsewhere too.
        FileNotFoundError: nothing is there.
        OSError: it can't be read.
    """
    info = os.lstat(path)
    if stat.S_ISLNK(info.st_mode):
        raise HookError(f"it is a symlink to {os.readlink(path)}: name the script itself")
    if not stat.S_ISREG(info.st_mode):
        raise HookError("it is no regular file")
    if info.st_nlink > 1:
        raise HookError(f"it has {info.st_nlink} hard links: a rename would leave the others unchanged")
    if info.st_size > LARGEST:
        raise HookError(f"it has {info.st_size} bytes: too large for a script")
    fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    with os.fdopen(fd, "rb") as file:
        return file.read(), os.fstat(file.fileno())


def replace_script(path: str, data: bytes, seen: os.stat_result) -> None:
    """Rename new bytes over the script; a shell that is running it keeps the old file.

    seen is the stat that came with the bytes which data was made from.

    Raises:
        HookError: it changed since, or its owner can't be kept.
        OSError: as the system says it; the script is then untouched.
    """
    _remove_leftovers(path)
    temp = Names.temp(path)
    durable.write_file(temp, data, 0o600)
    try:
        _copy_attributes(path, temp, seen)
        now = os.lstat(path)
        if (now.st_ino, now.st_size, now.st_mtime_ns) != (seen.st_ino, seen.st_size, seen.st_mtime_ns):
            raise HookError("somebody changed it in this moment: run the playbook again")
        durable.replace(temp, path)
    except BaseException:
        with contextlib.suppress(OSError):
            durable.unlink(temp)
        raise
    durable.sync_dir(os.path.dirname(path))


def _copy_attributes(path: str, temp: str, seen: os.stat_result) -> None:
    mine = os.stat(temp)
    if (mine.st_uid, mine.st_gid) != (seen.st_uid, seen.st_gid):
        try:
            os.chown(temp, seen.st_uid, seen.st_gid)
        except PermissionError as error:
            raise HookError(
                f"it belongs to uid {seen.st_uid}, gid {seen.st_gid}, which uid {os.geteuid()} can't give a "
                "file to: run the playbook as the script's owner"
            ) from error
    # After chown, which may clear bits.
    os.chmod(temp, stat.S_IMODE(seen.st_mode))
    with contextlib.suppress(OSError):  # file systems without extended attributes
        for name in os.listxattr(path):
            with contextlib.suppress(OSError):  # security.* may be root's alone to set
                os.setxattr(temp, name, os.getxattr(path, name))


def _remove_leftovers(path: str) -> None:
    """Remove temp files of earlier runs that were killed."""
    directory, name = os.path.split(path)
    for entry in os.listdir(directory):
        match = re.fullmatch(rf"\.{re.escape(name)}\.tmp\.(\d+)", entry)
        if match and not os.path.exists(f"/proc/{match.group(1)}"):
            durable.unlink(os.path.join(directory, entry))
