# SPDX-License-Identifier: MIT
"""The table told of a switch that did not happen."""

from __future__ import annotations

from typing import Any

import pytest
from ansible.module_utils.survivor_npz.common.digest import short
from ansible.module_utils.survivor_npz.controller.fleet import proof, table
from ansible.module_utils.survivor_npz.controller.fleet.membership import Team
from ansible.module_utils.survivor_npz.controller.fleet.plan import part_of
from hostfacts import GOAL, OLD, RAM, a_copy, a_look


def test_a_dry_run_counted_a_switch_that_its_tags_leave_out() -> None:
    look = {**a_look(), "by": "look"}
    parts = {"rig": part_of(look, GOAL, "auto", False)}

    def shown(will: bool) -> Any:
        unproven = proof.proof({"rig": look}, parts, GOAL, None, planned=will)
        (row,) = table.rows(Team(None, ["rig"], [], []), {}, parts, {}, unproven=unproven, will=will)
        return sorted(unproven), row["action"], row["proof"]

    assert shown(False) == (["rig"], "did not switch", "no"), "so too a real run: it believes the look only"
    assert shown(True) == ([], "would switch", "predicted")


CHANGED, SAME = {"changed": True}, {"changed": False}


@pytest.mark.parametrize(
    ("planned", "results", "action"),
    [
        ("switch", {"switched": CHANGED}, "switched"),
        ("switch", {"switched": SAME}, "did not switch"),
        ("switch", {"switched": {"failed": True, "msg": "moved"}, "staged": CHANGED}, "did not switch"),
        ("switch", {"switched": CHANGED, "reverted": CHANGED}, "reverted"),
        ("switch", {"switched": CHANGED, "reverted": SAME}, "switched"),
        ("switch", {}, "did not switch"),
        ("set owner and mode", {"switched": CHANGED}, "set owner and mode"),
        ("set owner and mode", {"staged": CHANGED}, "did not set owner and mode"),
        ("clean up", {"staged": CHANGED}, "clean up"),
        ("clean up", {"switched": CHANGED}, "did not clean up"),
        ("none", {}, "none"),
    ],
)
def test_an_action_was_shown_as_done_that_was_not(planned: str, results: Any, action: str) -> None:
    part = {"before": "missing", "action": planned, "changes": planned != "none"}
    by_task = {name: {"rig": result} for name, result in results.items()}
    (row,) = table.rows(Team(None, ["rig"], [], []), {}, {"rig": part}, by_task)
    assert (row["action"], row["before"], row["proof"]) == (action, "missing", "not checked")
    (row,) = table.rows(Team(None, ["rig"], [], []), {}, {"rig": part}, {}, unproven={}, will=True)
    predicted = ("none", "yes") if planned == "none" else (f"would {planned}", "predicted")
    assert (row["action"], row["proof"]) == predicted


def test_a_host_was_called_proven_that_was_not_asked() -> None:
    team = Team("zeus", ["rig"], ["down"], [])
    rig, zeus, down = table.rows(team, {"rig": a_look(), "zeus": None}, {}, {})
    assert (rig["before"], rig["action"], rig["proof"]) == (f"holds {short(OLD)}", "none", "not checked")
    assert (zeus["host"], zeus["before"], zeus["proof"]) == ("zeus", "not checked", "not checked")
    left_out = {"before": "not checked", "action": "left out by name", "proof": "left out"}
    assert down == {"host": "down", **left_out}
    proofs = {row["host"]: row["proof"] for row in table.rows(team, {}, {}, {}, unproven={"rig": ["stale"]})}
    assert proofs == {"rig": "no", "zeus": "yes", "down": "left out"}
    named = {"rig": "mixed", "zeus": "old"}
    proofs = {row["host"]: row["proof"] for row in table.rows(team, {}, {}, {}, unproven={}, named=named)}
    assert proofs == {**named, "down": "left out"}


def test_what_a_host_holds_before_there_is_a_goal() -> None:
    look = a_look(a_copy(fault="cut"), a_copy(RAM, sha256=None))
    assert table.before(look) == f"corrupt {short(OLD)}", "an absent copy that nobody asked for is not told"
    assert table.before(a_look(a_copy(), a_copy(RAM))) == f"holds {short(OLD)}", "once"
    assert table.before({"failed": True, "msg": "no"}) == "unknown"


def test_a_real_switch_is_only_predicted() -> None:
    parts = {"rig": part_of(a_look(), GOAL, "auto", False)}
    results = {"switched": {"rig": CHANGED}}
    (row,) = table.rows(Team(None, ["rig"], [], []), {}, parts, results, unproven={}, will=False)
    assert (row["action"], row["proof"]) == ("switched", "yes")
    (row,) = table.rows(Team(None, ["rig"], [], []), {}, {}, {}, unproven={}, will=True)
    assert (row["before"], row["action"], row["proof"]) == ("not checked", "none", "yes")
