# SPDX-License-Identifier: MIT
"""The script's own `[ JSON -nt NPZ ]` undid what was live on purpose."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from localfleet import SCORER, LocalFleet

CONVERTS_BY_ITSELF = """
if [ bidirectional_survivors.json -nt bidirectional_survivors_binary.npz ]; then
    echo "NPZ Conversion Required"
    printf converted > bidirectional_survivors_binary.npz
fi
"""


@pytest.mark.slow  # one of the longest; `make playbooks` plays it
def test_the_script_converted_the_json_that_convert_never_ignores(tmp_path: Path) -> None:
    fleet = LocalFleet(tmp_path)
    fleet.converge()
    fleet.write_scorer(SCORER + CONVERTS_BY_ITSELF)
    kept = fleet.sha256("zeus")
    fleet.write_survivors(200)
    never = {"survivor_npz_convert": "never"}
    before = fleet.tree()
    dry = fleet.run(check=True, extra=never)
    assert (dry.rc, dry.changed, fleet.tree()) == (0, ["zeus"], before), dry.out
    run = fleet.run(extra=never)
    assert (run.rc, run.changed, fleet.starts) == (0, ["zeus"], ["7"]), run.out
    assert [row["action"] for row in run.report["fleet"]] == ["none", "none", "set mtime"]
    assert "NPZ Conversion Required" not in run.out
    assert {fleet.sha256(host) for host in fleet.hosts} == {kept}
    assert fleet.npz("zeus").stat().st_mtime_ns == fleet.json.stat().st_mtime_ns
    pin = json.loads((fleet.dir("zeus") / ".bidirectional_survivors_binary.meta.json.pinned").read_text())
    assert (pin["sha256"], pin["unconverted"]) == (kept, True)
    run = fleet.run("prepare.yml", extra=never)
    assert (run.rc, run.changed) == (0, []), run.out
    run = fleet.run("prepare.yml", check=True)
    assert (run.rc, run.report["convert"]["reason"]) == (0, "content"), run.out
