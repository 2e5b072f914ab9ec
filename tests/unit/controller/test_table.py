"""The table told of a switch that did not happen."""

from __future__ import annotations

from typing import Any

from ansible.module_utils.survivor_npz.controller.fleet import proof, table
from ansible.module_utils.survivor_npz.controller.fleet.membership import Team
from ansible.module_utils.survivor_npz.controller.fleet.plan import part_of
from hostfacts import GOAL, a_look


def test_a_dry_run_counted_a_switch_that_its_tags_leave_out() -> None:
    look = {**a_look(), "by": "look"}
    parts = {"rig": part_of(look, GOAL, "auto", False)}

    def shown(will: bool) -> Any:
        unproven = proof.proof({"rig": look}, parts, GOAL, None, planned=will)
        (row,) = table.rows(Team(None, ["rig"], [], []), {}, parts, {}, unproven=unproven, will=will)
        return sorted(unproven), row["action"], row["proof"]

    assert shown(False) == (["rig"], "did not switch", "no"), "so too a real run: it believes the look only"
    assert shown(True) == ([], "would switch", "predicted")
