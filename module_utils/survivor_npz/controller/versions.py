# SPDX-License-Identifier: MIT
"""Refuse an ansible-core that is too old, in one sentence."""

from __future__ import annotations

MINIMUM = (2, 19)


def refusal(version: str) -> str:
    """Why the playbooks don't run with this version of ansible-core; "" if they do."""
    if tuple(int(part) for part in version.split(".")[:2]) >= MINIMUM:
        return ""
    needed = ".".join(map(str, MINIMUM))
    return (
        f"ansible-core {version} is too old: survivor-npz needs {needed} or newer. Nothing was done. "
        "`make .venv/runtime` in the checkout installs a supported version."
    )
