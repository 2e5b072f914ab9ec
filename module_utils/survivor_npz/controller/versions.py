"""Refuse an ansible-core that is too old, in one sentence."""

from __future__ import annotations

from ansible.release import __version__

MINIMUM = (2, 19)


def refusal(version: str = __version__) -> str:
    """Why this ansible-core can't play the project's playbooks; "" if it can."""
    if tuple(int(part) for part in version.split(".")[:2]) >= MINIMUM:
        return ""
    return (
        f"ansible-core {version} is too old: survivor-npz needs {MINIMUM[0]}.{MINIMUM[1]} or newer. Nothing was done. "
        "`make .venv/runtime` in the checkout installs a supported version."
    )
