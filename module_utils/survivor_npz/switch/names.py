# SPDX-License-Identifier: MIT
"""Names of all files that stand beside a live NPZ (docs/state-machine.md, "Files")."""

from __future__ import annotations

import errno
import os
import re
from typing import Iterator

PREFIX_LENGTH = 16
_HEX = rf"([0-9a-f]{{{PREFIX_LENGTH}}})"


class Names:
    """Every path that belongs to one live copy.

    Args:
        live: absolute path of the live NPZ.

    Raises:
        ValueError: `live` is not absolute.
    """

    def __init__(self, live: str) -> None:
        if not os.path.isabs(live):
            raise ValueError(f"{live}: the path of a live copy must be absolute")
        self.live = os.path.normpath(live)
        self.directory, self.name = os.path.split(self.live)
        stem = self.name[: -len(".npz")] if self.name.endswith(".npz") else self.name
        self._meta = f"{stem}.meta.json"

    def opened(self, descriptor: int) -> Names:
        """The same names in the directory that this descriptor holds open, wherever its path leads by now."""
        return Names(f"/proc/self/fd/{descriptor}/{self.name}")

    def _beside(self, name: str) -> str:
        return os.path.join(self.directory, name)

    @property
    def previous(self) -> str:
        """What was live before the last switch that changed bytes."""
        return self._beside(f".{self.name}.previous")

    @property
    def sidecar(self) -> str:
        """Sidecar of the live NPZ (coordinator only)."""
        return self._beside(self._meta)

    @property
    def sidecar_previous(self) -> str:
        """Sidecar of the previous NPZ."""
        return self._beside(f".{self._meta}.previous")

    def kept_sidecar(self, sha256: str) -> str:
        """Another program's sidecar of the previous NPZ with this SHA-256, which only this name records."""
        return self._beside(f".{self._meta}.{sha256[:PREFIX_LENGTH]}.previous")

    @property
    def lock_home(self) -> str:
        """Private directory of the locks; on the coordinator the supervisor's files are here too."""
        return self._beside(".survivor_npz")

    @property
    def lock(self) -> str:
        """Lock file that whoever changes something beside this copy holds."""
        return os.path.join(self.lock_home, "switch.lock")

    @property
    def pinned(self) -> str:
        """Rollback's mark: the digest now live on purpose and the JSON that it ignores."""
        return self._beside(f".{self._meta}.pinned")

    def staged(self, sha256: str) -> str:
        """Whole, not live: the NPZ with this SHA-256 (64 hex digits)."""
        return self._beside(f".{self.name}.{sha256[:PREFIX_LENGTH]}.staged")

    def outgoing(self, sha256: str) -> str:
        """What was live and becomes the previous, between the two renames of a switch."""
        return self._beside(f".{self.name}.{sha256[:PREFIX_LENGTH]}.outgoing")

    def pending(self, sha256: str) -> str:
        """Sidecar of the staged NPZ with this SHA-256."""
        return self._beside(f".{self._meta}.{sha256[:PREFIX_LENGTH]}.pending")

    @staticmethod
    def temp(path: str) -> str:
        """Unfinished file of this process that will become `path`."""
        directory, name = os.path.split(path)
        return os.path.join(directory, f".{name.lstrip('.')}.tmp.{os.getpid()}")

    def _scan(self, pattern: str) -> Iterator[tuple[str, str]]:
        regex = re.compile(pattern)
        try:
            entries = sorted(os.listdir(self.directory))
        except OSError as error:
            if error.errno in (errno.ENOENT, errno.ENOTDIR, errno.ELOOP):
                return
            raise
        for entry in entries:
            match = regex.fullmatch(entry)
            if match:
                yield match.group(1), self._beside(entry)

    def staged_files(self) -> dict[str, str]:
        """Staged files found, by the first 16 digits of their SHA-256."""
        return dict(self._scan(rf"\.{re.escape(self.name)}\.{_HEX}\.staged"))

    def outgoing_files(self) -> dict[str, str]:
        """Outgoing files found, by the first 16 digits of their SHA-256."""
        return dict(self._scan(rf"\.{re.escape(self.name)}\.{_HEX}\.outgoing"))

    def pending_files(self) -> dict[str, str]:
        """Pending sidecars found, by the first 16 digits of their NPZ's SHA-256."""
        return dict(self._scan(rf"\.{re.escape(self._meta)}\.{_HEX}\.pending"))

    def kept_sidecars(self) -> dict[str, str]:
        """Kept sidecars of other programs found, by the first 16 digits of their NPZ's SHA-256."""
        return dict(self._scan(rf"\.{re.escape(self._meta)}\.{_HEX}\.previous"))

    def temp_files(self) -> list[tuple[str, int]]:
        """Unfinished files found, each with the pid of the process that wrote it."""
        ours = rf"\.(?:{re.escape(self.name)}|{re.escape(self._meta)})(?:\.[0-9a-z]+)*\.tmp\.(\d+)"
        return [(path, int(pid)) for pid, path in self._scan(ours)]

    def foreign_temp_files(self) -> list[str]:
        """What a killed `copy` task left: ansible-core's own temp names for these files."""
        ours = rf"(\.ansible_tmp.*{re.escape(self.name)}(?:\.{_HEX}\.staged)?)"
        return [path for _found, path in self._scan(ours)]
