"""What an operator gives with -e is text, and what can't be asked is not answered with no."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible.module_utils.survivor_npz.controller.fleet import guard
from ansible.module_utils.survivor_npz.controller.fleet import preflight as fleets

ROLE = Path(__file__).resolve().parents[2] / "roles" / "survivor_npz"

FAILED = {"failed": True, "running": False, "msg": "no"}
SPECS = yaml.safe_load((ROLE / "meta" / "argument_specs.yml").read_text())["argument_specs"]
OPTIONS = {name: option for spec in SPECS.values() for name, option in spec["options"].items()}


@pytest.mark.parametrize("name", [name for name, option in OPTIONS.items() if option["type"] == "list"])
def test_a_list_given_as_text_becomes_one_argument(name: str) -> None:
    found = guard.misgiven({name: "100 --sample-size"}, SPECS)
    assert bool(found) == (name != "survivor_npz_skip_rigs")
    assert name in "".join(found) or not found
    one_word = guard.misgiven({name: "100"}, SPECS)
    assert bool(one_word) == (name not in guard.WORDS)


def test_a_mapping_given_as_text_fails_only_after_the_whole_preparation() -> None:
    assert "no mapping" in guard.misgiven({"survivor_npz_scorer_environment": "A=1"}, SPECS)[0]


def test_a_misspelt_variable_is_ignored_silently() -> None:
    found = guard.misgiven({"survivor_npz_skip_rig": ["rig-6600"]}, SPECS)
    assert found == ["survivor_npz_skip_rig is no variable of this project (survivor_npz_skip_rigs?)."]
    assert guard.misgiven({name: option.get("default") for name, option in OPTIONS.items()}, SPECS) == []


@pytest.mark.parametrize(("name", "value"), [("scorer_timeout", "-5"), ("sign_of_life", 0), ("paths", [])])
def test_a_value_out_of_range_does_something_absurd(name: str, value: Any) -> None:
    assert guard.misgiven({f"survivor_npz_{name}": value}, SPECS) != []


def test_every_limit_is_one_of_a_variable() -> None:
    assert set(guard.LEAST) <= set(OPTIONS)


def test_a_relative_pipeline_directory_means_two_places() -> None:
    assert guard.misgiven({"survivor_npz_pipeline_dir": "prng"}, SPECS) != []
    assert guard.misgiven({"survivor_npz_pipeline_dir": "~/prng"}, SPECS) == []


def test_a_report_that_nobody_can_write_leaves_an_old_one() -> None:
    assert guard.misgiven({"survivor_npz_report": "/nonexistent/report.json"}, SPECS) != []
    assert guard.misgiven({"survivor_npz_report": "-"}, SPECS) == []


@pytest.mark.parametrize(
    "answer", [None, {"unreachable": True}, {"failed": True, "running": False, "msg": "no"}]
)
def test_a_question_that_failed_counts_as_not_running(answer: Any) -> None:
    assert "can't tell whether Step 2.5 is running" in str(fleets.busy(answer, matters=True))


def test_a_running_step_2_5_is_told_once() -> None:
    said = {"running": True, "message": "Step 2.5 is running already on zeus: pid 42."}
    assert str(fleets.busy(said, matters=True)).count("running") == 2  # and the name of the variable
    assert fleets.busy(said, matters=False) is None
    assert fleets.busy({"running": False}, matters=True) is None
