# SPDX-License-Identifier: MIT
"""The module survivor_npz_lease: one controller at a time, and a number that every transaction raises."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from typing import Any

import pytest
from ansible.module_utils.survivor_npz.run import control, proven
from ansible.module_utils.survivor_npz.run.supervise import lease
from launch import Place
from module_run import run_here

pytest_plugins = ("launch_fixtures",)
A, B = "token-of-a", "token-of-b"


def ask(place: Place, state: str, token: str, check: bool = False, **more: Any) -> dict[str, Any]:
    arguments = {"dir": str(place.dir), "state": state, "token": token, **more}
    if state == "taken":
        arguments.setdefault("controller", f"{token[-1]}@desk, pid 1")
    return run_here("survivor_npz_lease", arguments, check)


def query(place: Place) -> dict[str, Any]:
    return run_here("survivor_npz_run", {"dir": str(place.dir)})


def test_dry_run_of_a_lease_writes_something_or_predicts_another_number(place: Place) -> None:
    for state in ("taken", "renewed", "ended"):
        answer = ask(place, state, A, check=True, seen=0)
        assert not answer.get("failed")
        assert answer.get("number") == (1 if state == "taken" else None)
    assert query(place)["stamp"]["number"] == 0
    assert query(place)["lease"] is None
    assert list(place.dir.iterdir()) == []
    assert ask(place, "taken", A, seen=0)["number"] == 1
    assert ask(place, "taken", B, check=True, seen=1)["failed"]


def test_lease_from_its_begin_to_the_next_one(place: Place) -> None:
    first = ask(place, "taken", A, seen=0, seconds=100)
    assert (first["changed"], first["number"], first["previous"], first["running"]) == (True, 1, {}, False)
    assert first["expires"] - first["begun"] == pytest.approx(100, abs=0.01)
    assert first["boot"] == first["stamp"]["boot"]
    assert re.fullmatch(r"20\d\d-\d\d-\d\dT\d\d:\d\d:\d\dZ", first["until"])
    seen = query(place)["lease"]
    assert (seen["number"], seen["controller"], seen["expired"], seen["ended"]) == (
        1,
        "a@desk, pid 1",
        False,
        False,
    )
    assert 90 < seen["left"] <= 100

    refused = ask(place, "taken", B, seen=1)
    for known in ("a@desk, pid 1", "transaction 1", f"begun {first['begun_utc']}", "until 20", "s left"):
        assert known in refused["msg"]
    assert refused["lease"]["controller"] == "a@desk, pid 1"
    assert ask(place, "renewed", B)["failed"]
    assert ask(place, "ended", B)["changed"] is False
    assert ask(place, "renewed", A, seconds=500)["expires"] > first["expires"] + 300

    assert ask(place, "ended", A)["changed"] is True
    again = ask(place, "ended", A)
    assert (again["changed"], again["stamp"]["number"]) == (False, 1)
    assert "has ended" in ask(place, "renewed", A)["msg"]
    assert ask(place, "taken", B, seen=1)["number"] == 2


def test_lost_answer_begins_a_second_transaction_or_locks_its_own_run_out(place: Place) -> None:
    first = ask(place, "taken", A, seen=0)
    assert ask(place, "taken", A, seen=0)["begun"] == first["begun"]
    assert query(place)["stamp"]["number"] == 1
    ask(place, "ended", A)  # taken while Step 2.5 ran, say: the request is repeated later
    assert ask(place, "taken", A, seen=0)["number"] == 2


def test_transaction_that_began_and_ended_since_the_look_is_overlooked(place: Place) -> None:
    ask(place, "taken", B, seen=0)
    ask(place, "ended", B)
    refused = ask(place, "taken", A, seen=0)
    assert "began a transaction after this run looked: b@desk, pid 1, transaction 1" in refused["msg"]
    assert "has ended" in refused["msg"]
    assert refused["msg"].endswith("Nothing live was changed")


def test_lease_during_step_25_is_kept_or_refused_without_a_word(place: Place) -> None:
    place.script("sleep 60")
    run = place.start()
    refused = ask(place, "taken", A, seen=0)
    assert refused["msg"] == query(place)["message"]
    assert refused["refused"]["pid"] == run["pid"]
    left = query(place)
    assert (left["lease"]["ended"], left["stamp"]["number"]) == (True, 1)
    allowed = ask(place, "taken", A, seen=1, while_running=True)
    assert (allowed["number"], allowed["running"]) == (2, True)
    assert str(run["pid"]) in allowed["message"]
    assert ask(place, "ended", A)["changed"]


def change(place: Place, **keys: Any) -> Path:
    path = place.dir / ".survivor_npz" / "lease.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **keys}))
    return path


@pytest.mark.parametrize("how", [{"expires": 1.0}, {"boot": "another"}])
def test_dead_controller_blocks_the_fleet_for_ever(place: Place, how: dict[str, Any]) -> None:
    ask(place, "taken", B, seen=0)
    change(place, **how)
    assert query(place)["lease"]["expired"] is True
    taken = ask(place, "taken", A, seen=1)
    assert taken["number"] == 2
    assert taken["previous"]["token"] == B  # its staged files have to go before a new look
    assert "another controller took it over: a@desk" in ask(place, "renewed", B)["msg"]


def test_expired_lease_is_renewed_although_a_host_may_be_proven_without_it(place: Place) -> None:
    ask(place, "taken", A, seen=0)
    change(place, expires=1.0)
    assert "expired at" in ask(place, "renewed", A)["msg"]


BROKEN: dict[str, Any] = {
    "half a file": '{"number": 1, "tok',
    "a list": "[]",
    "an empty file": "",
    "no number": {"number": None},
    "a number as text": {"number": "1"},
    "true for 1": {"number": True},
    "number 0": {"number": 0},
    "no end": {"expires": None},
    "a number that is none": {"expires": [1]},
}


@pytest.mark.parametrize("what", BROKEN)
def test_edited_lease_file_resets_the_number(place: Place, what: str) -> None:
    ask(place, "taken", A, seen=0)
    ask(place, "ended", A)
    broken = BROKEN[what]
    if isinstance(broken, dict):
        path = change(place, **broken)
    else:
        path = place.dir / ".survivor_npz" / "lease.json"
        path.write_text(broken)
    before = path.read_bytes()
    for state in ("taken", "renewed", "ended"):
        answer = ask(place, state, A, seen=0)
        assert answer["failed"], state
        assert str(path) in answer["msg"]
        assert "remove the file, and run again" in answer["msg"]
    assert path.read_bytes() == before
    asked = query(place)
    assert asked["stamp"]["number"] is None
    assert str(path) in asked["lease"]["trouble"]


def test_removed_lease_file_lets_two_transactions_have_one_number(place: Place) -> None:
    ask(place, "taken", B, seen=0)
    (place.dir / ".survivor_npz" / "lease.json").unlink()
    assert "lease.json was removed" in ask(place, "taken", A, seen=1)["msg"]


def test_a_rollback_knew_only_the_npz_of_the_last_run(place: Place) -> None:
    """Proven is what every host has shown, started or not; the newest first, and each once."""
    digests = [f"{number:064x}" for number in range(12)]
    for sha256 in [*digests, digests[5]]:
        assert ask(place, "ended", A, proven=sha256)["changed"] is False, "there was no lease to end"
    newest = [digests[5], *(one for one in reversed(digests) if one != digests[5])]
    assert proven.proven(str(place.dir)) == newest[:10]


def test_a_dry_run_recorded_what_it_had_not_proven(place: Place) -> None:
    ask(place, "ended", A, proven="a" * 64, check=True)
    assert list(place.dir.iterdir()) == []


@pytest.mark.parametrize("text", ["{", "[]", '{"npz": 1}', '{"npz": ["../x", 3, null]}'])
def test_an_edited_list_of_proven_npzs_named_something_else(place: Place, text: str) -> None:
    place.script("true")
    place.run(npz={"sha256": "b" * 64})
    (place.dir / ".survivor_npz" / "proven.json").write_text(text)
    assert proven.proven(str(place.dir)) == ["b" * 64]  # of the run's record, as earlier versions left it


def test_lease_may_last_for_hours_or_no_time_at_all(place: Place) -> None:
    for seconds in (0, -1, 601):
        assert "from 1 to 600 seconds" in ask(place, "taken", A, seen=0, seconds=seconds)["msg"]
    assert list(place.dir.iterdir()) == []
    ask(place, "taken", A, seen=0)
    long = ask(place, "renewed", A, seconds=100000)
    assert long["expires"] - long["begun"] < 602


def test_name_of_a_controller_takes_over_the_terminal_of_another(place: Place) -> None:
    ask(place, "taken", B, seen=0, controller="evil\x1b]0;pwned\x07\n" + "x" * 5000)
    message = ask(place, "taken", A, seen=1)["msg"]
    assert message.isprintable()
    assert len(message) < 600


def test_killed_holder_of_the_short_lock_is_waited_for_for_ever(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lease, "_PATIENCE", 0.2)
    path = lease.make_private(str(place.dir)) + "/lease.lock"
    held = lease.open_lock(path, create=True)
    assert lease.try_lock(held)
    assert f"fuser -v {path}" in ask(place, "taken", A, seen=0)["msg"]
    os.close(held)
    assert ask(place, "taken", A, seen=0)["number"] == 1
    assert control.query(str(place.dir))["running"] is False
