# SPDX-License-Identifier: MIT
"""The project's own generator, for tests: `from survivors import records, write`."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "demo"))

from make_survivors import Record, records, write

__all__ = ["Record", "records", "write"]
