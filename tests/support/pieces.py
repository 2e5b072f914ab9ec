"""Make the converter cut its input into pieces of any size, and share even small files among workers."""

from __future__ import annotations

import contextlib
import functools
from typing import Any, Iterator, List
from unittest import mock

from ansible.module_utils.survivor_npz.convert import api as convert
from ansible.module_utils.survivor_npz.convert import build
from ansible.module_utils.survivor_npz.survivors import pieces as records


@contextlib.contextmanager
def pieces_of(size: int, segment: int = 0) -> Iterator[None]:
    """Let the converter parse `size` bytes at once, and fork for segments of `segment` bytes."""
    step = segment or 4 * size
    gaps = records.find_gaps

    def many_gaps(source: Any, span: Any, separator: Any, _step: int) -> List[Any]:
        # A task per byte would not prove more than a few hundred.
        return gaps(source, span, separator, max(step, (span.end - span.start) // 300 + 1))

    options = functools.partial(convert.Options, piece_bytes=size)
    with (
        mock.patch.object(convert, "Options", options),
        mock.patch.object(records, "find_gaps", many_gaps),
        mock.patch.object(build, "_WORTH_A_FORK", 0),
    ):
        yield
