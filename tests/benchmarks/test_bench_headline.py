# SPDX-License-Identifier: MIT
"""`make bench-headline` loads both forms in real workers. No test judges the figures."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import survivors

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "benchmarks"))

import headline  # noqa: E402
from inputs import Input  # noqa: E402


def test_workers_load_both_forms_in_waves_where_memory_is_short(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(headline, "WORKERS", 3)
    # Each worker takes at least 20 MiB: there is room for few of them at once.
    monkeypatch.setattr(headline, "available", lambda: 60 << 20)
    source = tmp_path / "survivors.json"
    survivors.write(str(source), 500)
    entry: dict[str, Any] = headline.compare(Input("some", source, 500), tmp_path, 1)
    assert entry["json"]["bytes"] == source.stat().st_size > entry["npz"]["bytes"] > 0
    for form in (entry["json"], entry["npz"]):
        assert form["at_once"] < 3
        assert min(form["one"], form["wall"], form["peak"]) > 0
    shown = headline.text(entry)
    assert "for lack of memory" in shown and "the claimed 88 times" in shown


def test_a_file_that_a_worker_cannot_load_is_an_error(tmp_path: Path) -> None:
    broken = tmp_path / "broken.json"
    broken.write_text("[{")
    with pytest.raises(RuntimeError, match=r"could not load broken\.json"):
        headline.loads(broken, 2, 2)


def test_without_the_fields_survivors_it_says_why_it_does_nothing(tmp_path: Path) -> None:
    code = "import headline, pathlib; headline.REBUILD = pathlib.Path('/nonexistent'); print(headline.main())"
    done = subprocess.run(
        [sys.executable, "-c", code],
        check=True,
        capture_output=True,
        text=True,
        cwd=ROOT / "benchmarks",
    )
    assert "skipped" in done.stdout and done.stdout.endswith("0\n")
