# SPDX-License-Identifier: MIT
"""Every change of the disk beside an NPZ. Each function is one step that a crash can precede or follow.

Tests set `observer`, which gets "before" or "after", the operation, its path, and what it takes (the source of a
rename or link, the bytes of a write, a mode, an mtime). In production it is None.
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from typing import Callable, Iterator, Optional

Observer = Callable[[str, str, str, object], None]

observer: Optional[Observer] = None

# Errors by which a file system or the kernel says that it does not hard-link this file.
NO_LINK = {errno.EPERM, errno.EOPNOTSUPP, errno.ENOTSUP, errno.EMLINK, errno.ENOSYS, errno.EXDEV}


@contextlib.contextmanager
def _step(operation: str, path: str, taken: object = None) -> Iterator[None]:
    if observer is not None:
        observer("before", operation, path, taken)
    yield
    if observer is not None:
        observer("after", operation, path, taken)


def write_file(path: str, data: bytes, mode: int = 0o644) -> None:
    """Create `path` with `data` and fsync it. Never follows a link, never overwrites.

    Raises:
        OSError: as the system says it; the unfinished file is then removed.
    """
    with _step("create", path):
        fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        with os.fdopen(fd, "wb", buffering=0) as file:
            view = memoryview(data)
            with _step("write", path, data):
                while view:
                    view = view[file.write(view) :]
            with _step("chmod", path, mode):
                os.fchmod(file.fileno(), mode)
            with _step("fsync", path):
                os.fsync(file.fileno())
    except OSError:
        with contextlib.suppress(OSError):
            os.unlink(path)
        raise


def sync_file(path: str) -> None:
    """Flush a file that another program wrote (the `copy` module does not)."""
    fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        with _step("fsync", path):
            os.fsync(fd)
    finally:
        os.close(fd)


def sync_dir(path: str) -> None:
    """Flush a directory, so that the names in it survive a power cut."""
    fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        with _step("fsync_dir", path):
            os.fsync(fd)
    finally:
        os.close(fd)


def replace(source: str, target: str) -> None:
    """Rename atomically over `target`."""
    with _step("rename", target, source):
        os.replace(source, target)


def link(source: str, target: str) -> None:
    """Hard-link `target` to `source`; copy where the file system or the owner forbids a link."""
    with _step("link", target, source):
        try:
            os.link(source, target, follow_symlinks=False)
            return
        except OSError as error:
            if error.errno not in NO_LINK:
                raise
    copy(source, target)


def copy(source: str, target: str) -> None:
    """Create `target` as `source` is: bytes, mode, times and, as root, owner. Never follows a link."""
    fd = os.open(source, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    with os.fdopen(fd, "rb") as file:
        info = os.fstat(file.fileno())
        write_file(target, file.read(), info.st_mode & 0o777)
    if os.geteuid() == 0:
        chown(target, info.st_uid, info.st_gid)
    set_mtime(target, info.st_mtime_ns)


def unlink(path: str) -> bool:
    """Remove a file; tell whether it was there."""
    with _step("unlink", path):
        try:
            os.unlink(path)
        except FileNotFoundError:
            return False
    return True


def set_mtime(path: str, mtime_ns: int) -> None:
    """Set a file's times, in integer nanoseconds."""
    with _step("utime", path, mtime_ns):
        os.utime(path, ns=(mtime_ns, mtime_ns), follow_symlinks=False)


def make_dir(path: str, mode: int) -> None:
    """Make a directory with exactly this mode.

    Raises:
        FileExistsError: something is there already.
    """
    with _step("mkdir", path):
        os.mkdir(path, mode)
        os.chmod(path, mode)


def chmod(path: str, mode: int) -> None:
    """Set the mode of a file, never of what a symlink leads to.

    Raises:
        OSError: as the system reports it; ELOOP for a symlink.
    """
    with _step("chmod", path, mode):
        fd = os.open(path, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC)
        try:
            if stat.S_ISLNK(os.fstat(fd).st_mode):
                raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), path)
            os.chmod(f"/proc/self/fd/{fd}", mode)
        finally:
            os.close(fd)


def chown(path: str, uid: int, gid: int) -> None:
    """Give a file to a user and a group; -1 leaves either as it is."""
    with _step("chown", path):
        os.chown(path, uid, gid, follow_symlinks=False)
