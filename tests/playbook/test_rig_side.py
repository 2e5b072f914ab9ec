# SPDX-License-Identifier: MIT
"""What a run asks of a rig: few connections, and nothing that is heavy."""

from __future__ import annotations

from pathlib import Path

import pytest
from launch import Sshd
from localfleet import JSON, LocalFleet

pytest_plugins = ("launch_fixtures",)


def test_rigs_hung_under_26_connections_at_once(tmp_path: Path, sshd: Sshd) -> None:
    """A rig sees at most two connections in a whole run, and never the JSON."""
    fleet = LocalFleet(tmp_path / "fleet", rigs=("rig-6600",))
    fleet.hostvars["rig-6600"] = sshd.hostvars()
    fleet.ram("rig-6600").parent.mkdir(parents=True)
    fleet.ram("rig-6600").write_bytes(b"old")
    run = fleet.run(env={"ANSIBLE_SSH_CONTROL_PATH_DIR": str(tmp_path / "cp")})
    assert (run.rc, fleet.starts) == (0, ["7"]), run.out
    assert fleet.sha256("rig-6600") == fleet.sha256("zeus")
    opened = (sshd.dir / "log").read_text().count("Accepted publickey")
    assert 1 <= opened <= 2, f"{opened} connections to one rig"
    assert not list((fleet.root / "rig-6600").rglob(f"*{JSON}*")), "a rig has the 258 MB JSON"


@pytest.mark.slow  # one of the longest; `make playbooks` plays it
def test_survivors_not_more_than_the_sample_size_warn(tmp_path: Path) -> None:
    """4,900 survivors with `--sample-size` 5,000: workers died, best score -1.0, "SUCCESS"."""
    fleet = LocalFleet(tmp_path, rigs=("rig-6600",))
    run = fleet.run(extra={"survivor_npz_scorer_args": ["7", "--sample-size", "300"]})
    assert run.rc == 0, run.out
    assert "WARNING: --sample-size 300 needs more than 300 survivors" in run.tail
    assert "needs more than 300 survivors" in run.out.partition("trial started")[0], "said before it runs"
