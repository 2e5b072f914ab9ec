"""Write a converted NPZ beside the live one: pending sidecar first, then the staged NPZ."""

from __future__ import annotations

import errno
import os
from types import TracebackType
from typing import NamedTuple, Optional, Type

from ansible.module_utils.survivor_npz.common import durable
from ansible.module_utils.survivor_npz.common.errors import ConvertError
from ansible.module_utils.survivor_npz.convert.freshness import Live
from ansible.module_utils.survivor_npz.npz import sidecar
from ansible.module_utils.survivor_npz.npz.sidecar import Sidecar
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
        """The JSON's, so that `-nt` in any script agrees with us."""
        return int(self.sidecar["source"]["mtime_ns"])


class System:
    """Turn the system's refusals into messages, and leave no temp file of ours behind."""

    def __init__(self, names: Names) -> None:
        self._names = names

    def __enter__(self) -> System:
        return self

    def __exit__(
        self,
        kind: Optional[Type[BaseException]],
        error: Optional[BaseException],
        where: Optional[TracebackType],
    ) -> None:
        if kind is None:
            return
        for path, pid in self._names.temp_files():
            if pid == os.getpid():
                try:
                    durable.unlink(path)
                except OSError:
                    continue
        if isinstance(error, OSError):
            raise refusal(self._names, error) from error


def refusal(names: Names, error: OSError) -> ConvertError:
    """The message for a disk that refuses."""
    path = error.filename2 or error.filename or names.directory
    kept = "What was live is live still."
    if names.outgoing_files():
        kept = "The switch had begun: the next run ends it."
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return ConvertError(
            "no_space",
            f"{names.directory}: {error.strerror} (writing {path}). Free some space, then run again. {kept}",
        )
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return ConvertError(
            "not_writable",
            f"{names.directory}: {error.strerror} ({path}). The user of this run must write there. {kept}",
        )
    return ConvertError("system", f"{path}: {error.strerror or error}. Mend it, then run again. {kept}")


def _umask() -> int:
    mask = os.umask(0o022)
    os.umask(mask)
    return mask


def stage(names: Names, made: Made, live: Optional[Live]) -> None:
    """Write the NPZ and its pending sidecar; both are on the disk when this returns.

    Raises:
        SwitchError: as `exclusive`.
        OSError: as the system says it.
    """
    pending, staged = names.pending(made.sha256), names.staged(made.sha256)
    plain = 0o666 & ~_umask()
    mode = live.mode & 0o777 if live else plain
    for target, data, target_mode in (
        (pending, sidecar.dump(made.sidecar), plain),
        (staged, made.data, mode),
    ):
        temp = Names.temp(target)
        durable.unlink(temp)
        durable.write_file(temp, data, target_mode)
        if live and os.geteuid() == 0 and (live.uid or live.gid):
            durable.chown(temp, live.uid, live.gid)
    durable.set_mtime(Names.temp(staged), made.mtime_ns)
    # Together, as for those who hold the lock: another run may be removing what is half there.
    with exclusive(names):
        durable.replace(Names.temp(pending), pending)
        durable.replace(Names.temp(staged), staged)
        durable.sync_dir(names.directory)


def refresh(names: Names, made: Made) -> None:
    """Give the live NPZ, whose bytes are those just made, today's sidecar and mtime.

    Raises:
        SwitchError: moved: something else is live by now; or as `exclusive`.
        OSError: as the system says it.
    """
    with exclusive(names):
        demand_live(names, live_sha256(names), made.sha256)
        temp = Names.temp(names.sidecar)
        durable.unlink(temp)
        durable.write_file(temp, sidecar.dump(made.sidecar), 0o666 & ~_umask())
        durable.set_mtime(names.live, made.mtime_ns)
        durable.replace(temp, names.sidecar)
        durable.sync_dir(names.directory)
