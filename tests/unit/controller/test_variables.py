# SPDX-License-Identifier: MIT
"""What an operator gives with -e is text."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible.module_utils.survivor_npz.controller.fleet import variables

ROLE = Path(__file__).resolve().parents[3] / "roles" / "survivor_npz"

SPECS = yaml.safe_load((ROLE / "meta" / "argument_specs.yml").read_text())["argument_specs"]
OPTIONS = variables.options_of(SPECS)


@pytest.mark.parametrize("name", [name for name, option in OPTIONS.items() if option["type"] == "list"])
def test_a_list_given_as_text_becomes_one_argument(name: str) -> None:
    found = variables.problems({name: "100 --sample-size"}, OPTIONS)
    assert bool(found) == (name != "survivor_npz_skip_rigs")
    assert name in "".join(found) or not found
    one_word = variables.problems({name: "100"}, OPTIONS)
    words = ["skip_rigs", "scorer_args", "scorer_creates", "same_files"]
    assert bool(one_word) == (name.removeprefix("survivor_npz_") not in words)
    example = f'{{"{name}": ["ä", "b"]}}'
    several = [] if name == "survivor_npz_skip_rigs" else [f"{name} must be a list: -e '{example}'."]
    assert variables.problems({name: "ä b"}, OPTIONS) == several


def test_a_mapping_given_as_text_fails_only_after_the_whole_preparation() -> None:
    (found,) = variables.problems({"survivor_npz_scorer_environment": "A=1"}, OPTIONS)
    example = '{"survivor_npz_scorer_environment": {"NAME": "value"}}'
    assert found == f"survivor_npz_scorer_environment must be a mapping: -e '{example}'"


def test_a_misspelt_variable_is_ignored_silently() -> None:
    found = variables.problems({"survivor_npz_skip_rig": ["rig-6600"]}, OPTIONS)
    assert found == ["survivor_npz_skip_rig: unknown variable; did you mean survivor_npz_skip_rigs?"]
    for name in ("banana", "colour", "user", "dir"):  # each looked like some other, because of the prefix
        assert variables.problems({f"survivor_npz_{name}": 1}, OPTIONS) == [
            f"survivor_npz_{name}: unknown variable."
        ]
    defaults = {name: option.get("default") for name, option in OPTIONS.items() if "default" in option}
    assert variables.problems(defaults, OPTIONS) == []


@pytest.mark.parametrize(
    ("name", "value"),
    [("scorer_timeout", "-5"), ("sign_of_life", 0), ("paths", []), ("convert", "sometimes")],
)
def test_a_value_out_of_range_does_something_absurd(name: str, value: Any) -> None:
    assert variables.problems({f"survivor_npz_{name}": value}, OPTIONS) != []


def test_every_limit_is_one_of_a_variable() -> None:
    assert set(variables.MINIMUM) <= set(OPTIONS)


def test_a_number_that_was_left_open_ended_in_a_traceback() -> None:
    assert variables.problems({"survivor_npz_workers": None}, OPTIONS) == []


def test_a_text_in_a_list_of_numbers_is_one() -> None:
    (said,) = variables.problems(
        {"survivor_npz_x": ["x"]}, {"survivor_npz_x": {"type": "list", "elements": "int"}}
    )
    assert "unable to convert to int" in said
    assert variables.options_of({"a": {}, "b": {"options": None}, "c": {"options": {"x": {}}}}) == {"x": {}}


def test_a_relative_pipeline_directory_means_two_places() -> None:
    assert variables.problems({"survivor_npz_pipeline_dir": "prng"}, OPTIONS) != []
    for place in ("~/prng", "/srv/prng"):
        assert variables.problems({"survivor_npz_pipeline_dir": place}, OPTIONS) == []


def test_a_report_that_nobody_can_write_leaves_an_old_one() -> None:
    assert variables.problems({"survivor_npz_report": "/nonexistent/report.json"}, OPTIONS) != []
    for place in ("", "-", "report.json", "~/report.json", "/tmp/report.json"):
        assert variables.problems({"survivor_npz_report": place}, OPTIONS) == []


def test_a_name_of_the_runs_own_was_set_from_outside() -> None:
    names = [
        "__survivor_npz_plan",
        "survivor_npz_file",
        "__survivor_np",
        "my__survivor_npz_x",
        "__survivor_npz_a",
    ]
    assert variables.reserved(names) == ["__survivor_npz_a", "__survivor_npz_plan"]


@pytest.mark.parametrize("mode", ["0644", "644", "0600", "0755"])
def test_a_mode_that_all_may_read_is_one(mode: str) -> None:
    assert variables.problems({"survivor_npz_mode": mode}, OPTIONS) == []


@pytest.mark.parametrize("mode", [644, 420, "0666", "0o644", "u=rw", "06444", "0644\n", ""])
def test_a_mode_that_means_another_one_or_that_all_may_write(mode: Any) -> None:
    assert "octal mode in quotes" in variables.problems({"survivor_npz_mode": mode}, OPTIONS)[0]


@pytest.mark.parametrize("value", [["--dry-run"], ["100", "--dry-run"]])
def test_dry_run_became_a_number_of_trials(value: list[str]) -> None:
    (found,) = variables.problems({"survivor_npz_scorer_args": value}, OPTIONS)
    assert "ansible-playbook --check" in found
    assert variables.problems({"survivor_npz_scorer_args": "--dry-run"}, OPTIONS) == [found]
    assert variables.problems({"survivor_npz_scorer_args": "--dry-running"}, OPTIONS) == []
    assert variables.problems({"survivor_npz_scorer_creates": value}, OPTIONS) == []


def test_a_tag_of_ansibles_own_is_unknown() -> None:
    words = ["all", "tagged", "untagged", "always", "never", "molecule-notest", "notest"]
    assert variables.tag_problems(words, [*words, "molecule-idempotence-notest"]) == []
    assert variables.tag_problems(["all", "odd", "odd"], ["strange"]) == [
        f"unknown tag {tag}; the tags are {', '.join(variables.TAGS)}." for tag in ("odd", "strange")
    ]
    (said,) = variables.tag_problems(["preflight"], ["preflight"])
    assert "nothing is proven" in said
