# SPDX-License-Identifier: MIT
"""Make the converter cut its input into pieces of any size, and share even small files among workers."""

from __future__ import annotations

import contextlib
import functools
from typing import Any, Iterator, List
from unittest import mock

from ansible.module_utils.survivor_npz.convert import api, build
from ansible.module_utils.survivor_npz.survivors.pieces import find_gaps


@contextlib.contextmanager
def pieces_of(size: int, segment: int = 0) -> Iterator[None]:
    """Let the converter parse `size` bytes at once, and fork for segments of `segment` bytes."""
    step = segment or 4 * size
    gaps = find_gaps

    def many_gaps(source: Any, span: Any, separator: Any, _step: int) -> List[Any]:
        # A task per byte would not prove more than a few hundred.
        return gaps(source, span, separator, max(step, (span.end - span.start) // 300 + 1))

    options = functools.partial(api.Options, piece_bytes=size)
    with (
        mock.patch.object(api, "Options", options),
        mock.patch.object(build, "find_gaps", many_gaps),
        mock.patch.object(build, "WORTH_A_FORK", 0),
    ):
        yield
