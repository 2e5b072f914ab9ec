"""The one exception that an operator sees, as one clear message."""

from __future__ import annotations


class ConvertError(Exception):
    """A conversion that was refused or failed. What was live before is live still.

    Attributes:
        code: stable word for programs, such as `json_missing` or `bad_field`.
        message: for operators: the file, the record or byte, and the next step.
    """

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
