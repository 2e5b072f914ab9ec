"""Put a converted NPZ beside the live one: pending sidecar first, then the staged NPZ."""

from __future__ import annotations

import errno
import os
from types import TracebackType
from typing import Optional, Type

from ansible.module_utils.survivor_npz import durable
from ansible.module_utils.survivor_npz.errors import ConvertError
from ansible.module_utils.survivor_npz.freshness import Live
from ansible.module_utils.survivor_npz.names import Names


class System:
    """Turn the system's refusals into messages, and leave no temp file of ours behind."""

    def __init__(self, names: Names) -> None:
        self._names = names

    def __enter__(self) -> System:
        return self

    def __exit__(
        self, kind: Optional[Type[BaseException]], error: Optional[BaseException], where: Optional[TracebackType]
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
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return ConvertError(
            "no_space", f"{names.directory}: {error.strerror} (writing {path}). Free some space, then run again. {kept}"
        )
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return ConvertError(
            "not_writable",
            f"{names.directory}: {error.strerror} ({path}). The user of this run must be able to write there. {kept}",
        )
    return ConvertError("system", f"{path}: {error.strerror or error}. Mend it, then run again. {kept}")


def _umask() -> int:
    mask = os.umask(0o022)
    os.umask(mask)
    return mask


def stage(
    names: Names, sha256: str, data: bytes, content: bytes, mtime_ns: int, live: Optional[Live]
) -> None:
    """Write the NPZ `data` and its sidecar `content`; both are on the disk when this returns.

    Raises:
        OSError: as the system says it.
    """
    mode = live.mode & 0o777 if live else 0o666 & ~_umask()
    pending, staged = names.pending(sha256), names.staged(sha256)
    for target, bytes_, target_mode in ((pending, content, 0o666 & ~_umask()), (staged, data, mode)):
        temp = Names.temp(target)
        durable.unlink(temp)
        durable.write_file(temp, bytes_, target_mode)
        if live and os.geteuid() == 0 and (live.uid or live.gid):
            durable.chown(temp, live.uid, live.gid)
    durable.set_mtime(Names.temp(staged), mtime_ns)
    durable.replace(Names.temp(pending), pending)
    durable.replace(Names.temp(staged), staged)
    durable.sync_dir(names.directory)
