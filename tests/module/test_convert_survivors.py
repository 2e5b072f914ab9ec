# SPDX-License-Identifier: MIT
"""The module in fours: check, run, check again, run again. And what Ansible's users see of it."""

import json
import os
import stat
import sys
from pathlib import Path
from typing import Any, Dict, List
from unittest import mock

import module_run
import orjson
import pytest
from place import Place
from shapes import shape_a, shape_c

T0 = 1_700_000_000_000_000_007


@pytest.fixture
def place(tmp_path: Path) -> Place:
    made = Place(tmp_path / "pipeline")
    made.write(json.dumps([shape_c(1), shape_c(2)]).encode(), T0)
    return made


def fours(place: Place, changes: bool = True, **more: Any) -> List[Dict[str, Any]]:
    """Check, run, check, run; return the four answers. Only the second may write."""
    before = place.tree()
    answers = [place.run(check=True, **more)]
    assert place.tree() == before, "a dry run wrote"
    answers.append(place.run(**more))
    after = place.tree()
    assert (after != before) == changes
    answers += [place.run(check=True, **more), place.run(**more)]
    assert place.tree() == after, "a second run wrote"
    assert [answer["changed"] for answer in answers] == [changes, changes, False, False]
    return answers


def facts(answer: Dict[str, Any]) -> Dict[str, Any]:
    return {key: answer[key] for key in ("reason", "sha256", "checksum", "size", "survivor_count", "staged")}


def test_a_new_directory_in_fours(place: Place) -> None:
    predicted, done, *fresh = fours(place)
    assert facts(predicted) == facts(done)
    assert done["reason"] == "missing"
    assert [answer["reason"] for answer in fresh] == ["fresh", "fresh"]
    assert all(answer["sha256"] == done["sha256"] == place.live() for answer in fresh)


def test_staging_only_in_fours_leaves_live_alone(place: Place) -> None:
    predicted, done, *again = fours(place, activate=False)
    assert facts(predicted) == facts(done)
    assert done["staged"] == place.names.staged(done["sha256"])
    assert place.live() is None
    assert [(answer["reason"], answer["staged"]) for answer in again] == [("missing", done["staged"])] * 2
    assert place.run()["changed"]
    place.check_settled(done["sha256"])


def test_a_touched_json_in_fours(place: Place) -> None:
    first = place.run()
    os.utime(place.json, ns=(T0 + 1, T0 + 1))
    predicted, done, *_fresh = fours(place)
    assert facts(predicted) == facts(done)
    assert (done["reason"], done["sha256"], done["staged"]) == ("newer", first["sha256"], None)


def test_new_survivors_in_fours_keep_the_previous(place: Place) -> None:
    first = place.run()
    place.write(json.dumps([shape_c(5)]).encode(), T0 + 1)
    _predicted, done, *_fresh = fours(place)
    assert done["live_sha256"] == first["sha256"]
    assert Path(place.names.previous).exists()
    place.check_settled(done["sha256"])


def test_a_refusal_in_twos_changes_nothing(place: Place) -> None:
    place.run()
    place.write(b'[{"seed": 1', T0 + 1)
    before = place.tree()
    for check in (True, False):
        answer = place.run(check=check)
        assert answer["failed"]
        assert answer["code"] == "json_truncated"
        assert place.tree() == before


def test_a_missing_json_tells_to_run_step_1(place: Place) -> None:
    place.json.unlink()
    answer = place.run()
    assert answer["code"] == "json_missing"
    assert "window_optimizer.py" in answer["msg"]


def test_common_file_arguments_hold_and_keep_the_mtime(place: Place) -> None:
    answers = fours(place, mode="0640")
    assert answers[1]["mode"] == "0640"
    status = place.npz.stat()
    assert stat.S_IMODE(status.st_mode) == 0o640
    assert status.st_mtime_ns == T0
    place.write(json.dumps([shape_c(5)]).encode(), T0 + 1)
    place.run()
    assert stat.S_IMODE(place.npz.stat().st_mode) == 0o640, "a conversion keeps the mode that was there"
    answer = place.run(mode="0644")
    assert (answer["changed"], answer["reason"]) == (True, "fresh")
    assert place.npz.stat().st_mtime_ns == T0 + 1


def test_diff_tells_why_it_converts(place: Place) -> None:
    answer = module_run.run_here("convert_survivors", place.args(), check=True, diff=True)
    difference = answer["diff"]
    assert "missing" in difference["before_header"]
    assert difference["before"]["npz_sha256"] is None
    assert difference["after"] == {
        "npz_sha256": answer["sha256"],
        "npz_mtime": "2023-11-14 22:13:20.000000007 UTC",
        "survivor_count": 2,
    }


def test_warnings_are_ansibles_own(place: Place, tmp_path: Path) -> None:
    place.write(json.dumps([shape_a(1)]).encode(), T0)
    answer = module_run.run_process(place.args(), tmp_path)
    assert any("forward_count" in json.dumps(warning) for warning in answer["warnings"])


@pytest.mark.parametrize("name", ["numpy", "orjson"])
def test_a_missing_library_names_the_interpreter_and_the_command(place: Place, name: str) -> None:
    with mock.patch.dict(sys.modules, {name: None}):
        answer = place.run()
    assert answer["code"] == "library_missing"
    assert name in answer["msg"]
    assert f"{sys.executable} -m pip install" in answer["msg"]
    assert not place.npz.exists()


def test_an_orjson_that_overruns_its_stack_is_refused(place: Place) -> None:
    with mock.patch.object(orjson, "__version__", "3.9.14"):
        answer = place.run()
    assert answer["code"] == "library_too_old"
    assert "3.9.15" in answer["msg"]


@pytest.mark.parametrize("workers", [-1])
def test_a_negative_number_of_workers_is_refused(place: Place, workers: int) -> None:
    assert place.run(workers=workers)["code"] == "bad_argument"


def test_the_module_runs_as_a_process_with_more_workers_than_cpus(place: Place, tmp_path: Path) -> None:
    answer = module_run.run_process(place.args(workers=8), tmp_path)
    assert answer["sha256"] == place.live()


def test_every_result_is_documented() -> None:
    import convert_survivors
    import yaml
    from ansible.module_utils.survivor_npz.convert.api import Outcome

    documented = yaml.safe_load(convert_survivors.RETURN)
    internal = {"changed", "warnings", "live_mtime_ns", "live_count"}
    assert set(documented) == set(Outcome._fields) - internal | {"code", "owner"}
    assert all("returned" in entry and "type" in entry for entry in documented.values())
    options = yaml.safe_load(convert_survivors.DOCUMENTATION)["options"]
    assert set(options) == set(convert_survivors.ARGUMENTS)
    for name, spec in convert_survivors.ARGUMENTS.items():
        assert options[name].get("default") == spec.get("default")
        assert options[name].get("required", False) == spec.get("required", False)
        assert options[name].get("choices") == spec.get("choices")
