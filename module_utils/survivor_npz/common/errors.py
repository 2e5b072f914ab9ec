# SPDX-License-Identifier: MIT
"""Every error that an operator sees, as one clear message each.

OperatorError
├── ConvertError   a conversion was refused or failed
└── SwitchError    a change of a live copy was refused
JobError           what a host answers for any of them
"""

from __future__ import annotations

from typing import Any


class OperatorError(Exception):
    """Something was refused or failed.

    Attributes:
        code: stable word for programs, such as `json_missing` or `moved`.
        message: for operators: what is wrong, where, and the next step.
    """

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


class ConvertError(OperatorError):
    """A conversion that was refused or failed. What was live before is still live."""


class SwitchError(OperatorError):
    """A switch that was refused. Nothing live has changed.

    Codes: moved, not_staged, corrupt, symlink, not_a_file, no_previous, no_directory, expired, busy,
    foreign_lock, no_account, bad_mode, system.
    """


class JobError(Exception):
    """A host's job was not done; `details` become part of the answer."""

    def __init__(self, message: str, **details: Any) -> None:
        super().__init__(message)
        self.details = details
