# SPDX-License-Identifier: MIT
"""Load one of our plugins under a name of its own: a module of library/ may have the same."""

from __future__ import annotations

import importlib.util
from typing import Any

from localfleet import ROOT


def plugin(kind: str, name: str) -> Any:
    """The Python module of `plugins/<kind>/<name>.py`."""
    spec = importlib.util.spec_from_file_location(f"{kind}_{name}", ROOT / "plugins" / kind / f"{name}.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
