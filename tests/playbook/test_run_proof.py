# SPDX-License-Identifier: MIT
"""The action plugin hands the stamp of a proof to the supervisor, and shows why that refuses."""

from __future__ import annotations

from typing import Any

import pytest
from ansible.module_utils.survivor_npz.run import control
from ansible.module_utils.survivor_npz.run.supervise import lease
from launch import SCRIPT
from launcher import Launcher

pytest_plugins = ("launch_fixtures",)


def play(zeus: Launcher, stamp: dict[str, Any]) -> tuple[int, str]:
    zeus.place.script("echo > started")
    live = {"dir": str(zeus.place.dir), "script": SCRIPT, "stamp": stamp}
    tasks = [{"name": "Start", "survivor_npz_live": live, "register": "live"}]
    return zeus.play(zeus.own({"hosts": "zeus", "gather_facts": False, "tasks": tasks}))


@pytest.mark.parametrize("overtaken", [True, False])
def test_playbook_starts_although_another_controller_began_a_transaction(
    zeus: Launcher, overtaken: bool
) -> None:
    directory = str(zeus.place.dir)
    stamp = control.query(directory)["stamp"]
    if overtaken:
        control.take_lease(directory, "b", "b@desk, pid 7", 100, seen=stamp["number"])
        lease.end(directory, "b")
    rc, text = play(zeus, stamp)
    assert (rc, (zeus.place.dir / "started").exists()) == ((2, False) if overtaken else (0, True)), text
    said = f"began a transaction after this run looked: b@desk, pid 7, transaction {stamp['number'] + 1}"
    assert (said in text.replace("\n", " ")) == overtaken
