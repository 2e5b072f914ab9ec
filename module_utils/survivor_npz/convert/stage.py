# SPDX-License-Identifier: MIT
"""Write a converted NPZ beside the live one: first the pending sidecar, then the staged NPZ."""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from typing import Iterator, NamedTuple

from ansible.module_utils.survivor_npz.common import durable
from ansible.module_utils.survivor_npz.common.errors import ConvertError
from ansible.module_utils.survivor_npz.convert.freshness import Live, symlink_refusal
from ansible.module_utils.survivor_npz.npz.sidecar import Sidecar, dump
from ansible.module_utils.survivor_npz.switch.live import demand_live, exclusive, live_sha256
from ansible.module_utils.survivor_npz.switch.names import Names


class Made(NamedTuple):
    """A conversion in memory: the bytes of the NPZ and the content of its sidecar."""

    data: bytes
    sidecar: Sidecar

    @property
    def sha256(self) -> str:
        """SHA-256 of the NPZ."""
        return str(self.sidecar["npz_sha256"])

    @property
    def mtime_ns(self) -> int:
        """The JSON's mtime, so that `-nt` in a script comes to the same decision."""
        return int(self.sidecar["source"]["mtime_ns"])


@contextlib.contextmanager
def explained(names: Names) -> Iterator[None]:
    """Turn errors of the system into messages, and remove this process's temporary files after any error."""
    try:
        yield
    except BaseException as error:
        for path, pid in names.temp_files():
            if pid == os.getpid():
                with contextlib.suppress(OSError):
                    durable.unlink(path)
        if isinstance(error, OSError):
            raise refusal(names, error) from error
        raise


def refusal(names: Names, error: OSError) -> ConvertError:
    """The message for an error of the system."""
    path = error.filename2 or error.filename or names.directory
    kept = "The live NPZ was not changed."
    if names.outgoing_files():
        kept = "The switch had begun: the next run completes it."
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return ConvertError(
            "no_space",
            f"{names.directory}: {error.strerror} (writing {path}). Free some space, then run again. {kept}",
        )
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return ConvertError(
            "not_writable",
            f"{names.directory}: {error.strerror} ({path}). "
            f"The user who runs this needs write access. {kept}",
        )
    return ConvertError("system", f"{path}: {error.strerror or error}. Fix this, then run again. {kept}")


def demand_places(names: Names, live: Live | None) -> None:
    """Refuse before any work what could not be put into place after it.

    Raises:
        ConvertError: symlink, sidecar_not_a_file, place_not_a_file, not_writable.
    """
    if live and live.is_symlink:
        raise symlink_refusal(names.live)
    for path in (names.sidecar, names.previous, names.sidecar_previous, names.pinned):
        if os.path.lexists(path) and not stat.S_ISREG(os.lstat(path).st_mode):
            raise ConvertError(
                "sidecar_not_a_file" if path == names.sidecar else "place_not_a_file",
                f"{path} is not a regular file, and its place is needed. Move it away, then run again.",
            )
    if not os.access(names.directory, os.W_OK | os.X_OK):
        number = errno.EROFS if os.statvfs(names.directory).f_flag & os.ST_RDONLY else errno.EACCES
        raise refusal(names, OSError(number, os.strerror(number), names.live))


def _umask() -> int:
    mask = os.umask(0o022)
    os.umask(mask)
    return mask


def stage(names: Names, made: Made, live: Live | None) -> None:
    """Write the NPZ and its pending sidecar; both are on the disk when this returns.

    Raises:
        SwitchError: as `exclusive`.
        OSError: from the system.
    """
    pending, staged = names.pending(made.sha256), names.staged(made.sha256)
    plain = 0o666 & ~_umask()
    mode = live.status.st_mode & 0o777 if live else plain
    for target, data, target_mode in (
        (pending, dump(made.sidecar), plain),
        (staged, made.data, mode),
    ):
        temp = Names.temp(target)
        durable.unlink(temp)
        durable.write_file(temp, data, target_mode)
        if live and os.geteuid() == 0 and (live.status.st_uid or live.status.st_gid):
            durable.chown(temp, live.status.st_uid, live.status.st_gid)
    durable.set_mtime(Names.temp(staged), made.mtime_ns)
    # Under the lock, or another run that is cleaning up could remove one without the other.
    with exclusive(names):
        durable.replace(Names.temp(pending), pending)
        durable.replace(Names.temp(staged), staged)
        durable.sync_dir(names.directory)


def refresh(names: Names, made: Made) -> None:
    """Give the live NPZ, whose bytes are those just made, the new sidecar and mtime.

    Raises:
        SwitchError: moved, or as `exclusive`.
        OSError: from the system.
    """
    with exclusive(names):
        demand_live(names, live_sha256(names), made.sha256)
        temp = Names.temp(names.sidecar)
        durable.unlink(temp)
        durable.write_file(temp, dump(made.sidecar), 0o666 & ~_umask())
        durable.set_mtime(names.live, made.mtime_ns)
        durable.replace(temp, names.sidecar)
        durable.sync_dir(names.directory)
