# SPDX-License-Identifier: MIT
"""After a stop, workers kept running on rigs."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from localfleet import LocalFleet


def test_workers_that_outlived_a_stop_were_not_named(tmp_path: Path) -> None:
    fleet = LocalFleet(tmp_path)
    fleet.hostvars["rig-6600b"] = {
        "ansible_connection": "ssh",
        "ansible_host": "127.0.0.1",
        "ansible_port": 1,
    }
    name = f"{tmp_path}/scorer_trial_worker.py"
    fleet.vars["survivor_npz_scorer_workers"] = name
    with subprocess.Popen([sys.executable, "-c", "input()", name], stdin=subprocess.PIPE) as worker:
        run = fleet.run("stop.yml")
        worker.communicate(b"\n")
    assert run.rc == 0, run.out
    found = run.report["warnings"]
    for host in ("zeus", "rig-6600"):
        assert any(text.startswith(f"{host}: ") and f"pid {worker.pid}" in text for text in found), found
    assert any(text.startswith("rig-6600b was not searched") for text in found), found


def test_a_rig_that_the_inventory_lacks_is_named_before_a_run(tmp_path: Path) -> None:
    fleet = LocalFleet(tmp_path)
    nodes = [{"hostname": name, "gpu_count": 8} for name in ("localhost", *fleet.rigs, "192.168.3.162")]
    (fleet.dir("zeus") / "distributed_config.json").write_text(json.dumps({"nodes": nodes}))
    run = fleet.run("status.yml")
    assert run.rc == 0, run.out
    text = run.report["status"]["warnings"][0]
    assert text.startswith("192.168.3.162 is in zeus's distributed_config.json and not in the inventory"), (
        text
    )
