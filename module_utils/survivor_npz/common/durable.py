"""The only place that changes the disk. Each function is one step that a crash can precede or follow.

Tests set `observer` and stop the process at every step in turn; in production it is None.
"""

from __future__ import annotations

import contextlib
import errno
import os
from typing import Callable, Iterator, Optional

Observer = Callable[[str, str, str], None]

observer: Optional[Observer] = None

# Errors by which a file system or the kernel says that it does not hard-link this file.
NO_LINK = {errno.EPERM, errno.EOPNOTSUPP, errno.ENOTSUP, errno.EMLINK, errno.ENOSYS, errno.EXDEV}


@contextlib.contextmanager
def _step(operation: str, path: str) -> Iterator[None]:
    if observer is not None:
        observer("before", operation, path)
    yield
    if observer is not None:
        observer("after", operation, path)


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
            with _step("write", path):
                while view:
                    view = view[file.write(view) :]
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
    with _step("rename", target):
        os.replace(source, target)


def link(source: str, target: str) -> None:
    """Hard-link `target` to `source`; copy where the file system or the owner forbids a link."""
    with _step("link", target):
        try:
            os.link(source, target, follow_symlinks=False)
            return
        except OSError as error:
            if error.errno not in NO_LINK:
                raise
    _copy(source, target)


def _copy(source: str, target: str) -> None:
    fd = os.open(source, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    with os.fdopen(fd, "rb") as file:
        stat = os.fstat(file.fileno())
        write_file(target, file.read(), stat.st_mode & 0o777)
    set_mtime(target, stat.st_mtime_ns)


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
    with _step("utime", path):
        os.utime(path, ns=(mtime_ns, mtime_ns), follow_symlinks=False)


def chown(path: str, uid: int, gid: int) -> None:
    """Give a file to a user and a group."""
    with _step("chown", path):
        os.chown(path, uid, gid, follow_symlinks=False)
