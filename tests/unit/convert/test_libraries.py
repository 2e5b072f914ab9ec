# SPDX-License-Identifier: MIT
"""Which numpy and orjson will do, and what importing them must not start."""

from __future__ import annotations

import importlib
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
from ansible.module_utils.survivor_npz.common.errors import ConvertError
from ansible.module_utils.survivor_npz.convert.libraries import demand_libraries

ROOT = Path(__file__).resolve().parents[3]
THREADS = f"""
import os, sys
sys.path.insert(0, {str(ROOT / "tests")!r})
import conftest
from ansible.module_utils.survivor_npz.convert.libraries import demand_libraries
demand_libraries()
print("numpy" in sys.modules, len(os.listdir("/proc/self/task")))
"""


@pytest.mark.parametrize(
    ("numpy", "orjson", "refused"),
    [
        ("1.24.0", "3.9.15", None),
        ("1.24", "3.10.0rc1", None),
        ("2.0.0rc1", "4", None),
        ("1.23.9", "3.9.15", "numpy 1.23.9, but 1.24 is needed"),
        ("1.24.0", "3.9.14", "orjson 3.9.14, but 3.9.15 is needed"),
    ],
)
def test_an_old_library_passes_or_the_oldest_good_one_does_not(
    monkeypatch: pytest.MonkeyPatch, numpy: str, orjson: str, refused: str | None
) -> None:
    versions = {"numpy": numpy, "orjson": orjson}
    monkeypatch.setattr(importlib, "import_module", lambda name: SimpleNamespace(__version__=versions[name]))
    if refused is None:
        demand_libraries()
        return
    with pytest.raises(ConvertError) as error:
        demand_libraries()
    assert error.value.code == "library_too_old"
    assert refused in error.value.message


def test_numpy_starts_threads_for_algebra() -> None:
    environment = {name: value for name, value in os.environ.items() if "THREADS" not in name}
    done = subprocess.run(
        [sys.executable, "-c", THREADS], env=environment, capture_output=True, text=True, check=False
    )
    assert done.stdout.split() == ["True", "1"], done.stderr
