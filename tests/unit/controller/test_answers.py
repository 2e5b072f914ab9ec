# SPDX-License-Identifier: MIT
"""A rig steered the controller, or filled its memory and its screen, by what it answered."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any

import pytest
from ansible.module_utils.survivor_npz.controller.fleet.answers import (
    MOST_DEPTH,
    MOST_ITEMS,
    MOST_TEXT,
    clean,
    readable,
    steers,
    why_no_answer,
)
from hostfacts import IDLE, LIVE, NEW, a_copy, a_look

CONTROLLERS_OWN = ("asked", "asked_at")
STAMP = {"boot": "rig", "clock": 100.0}
FILE_FACTS = {"size": 1, "mtime_ns": 1, "sha256": NEW, "error": "e"}
COPY = {"path": LIVE, "required": True, "exists": True, "kind": "file", "sha256": NEW}


def an_answer(**changes: Any) -> dict[str, Any]:
    """What the module of a look returns."""
    look = {key: value for key, value in a_look(run=IDLE).items() if key not in CONTROLLERS_OWN}
    return {"changed": False, **look, **changes}


def look(answer: dict[str, Any]) -> dict[str, Any]:
    return clean("survivor_npz_look", answer)


def test_an_honest_answer_loses_nothing() -> None:
    """It also keeps hostfacts, on which other tests rest, to the shape of a real look."""
    assert look(an_answer()) == an_answer()
    pinned = a_copy(previous={"path": "/p", "sha256": NEW, "mode": "0644"}, pin={"sha256": NEW})
    assert look(an_answer(copies=[pinned]))["copies"] == [pinned]
    read: dict[str, Any] = {
        "sha1": "1",
        "size": 1,
        "mtime_ns": 1,
        "survivors": 1,
        "schema": 3,
        "fault": "f",
        "error": "e",
    }
    known: dict[str, Any] = {
        **read,
        "source_mtime_ns": 1,
        "foreign": False,
        "owner": "m",
        "group": "m",
        "mine": True,
    }
    copy = a_copy(
        **known, target="/t", previous={"path": "/p", "sha256": NEW, "old_converter": True, **known}
    )
    copy["directory"] = {**copy["directory"], "owner": "m", "mode": "0755", "exposed": ["x"]}
    file = {"name": "x", "path": "/x", "exists": True, "readable": True, "executable": True, **FILE_FACTS}
    decision = {"due": True, "reason": "newer", "why": "w", "warnings": ["w"], "notes": ["n"]}
    more: dict[str, Any] = {
        "files": [file],
        "same_files": {"x": NEW},
        "accounts": {"owner": {"wanted": "m", "name": "m", "grantable": True}},
        "libraries": {"numpy": None},
        "proven": [NEW],
        "decision": {**decision, "source": {"size": 1}, "left_out": {"x": 1}, "defaulted": {"y": 1}},
        "fleet_config": {"hostnames": ["rig"], "trouble": "none"},
        "workers": [{"pid": 1, "age": 1.0, "command": "x"}],
    }
    assert look(an_answer(copies=[copy], **more)) == an_answer(copies=[copy], **more)


@pytest.mark.parametrize(
    "key", ["add_host", "add_group", "ansible_facts", "ansible_stats", "ansible_notify", "invocation"]
)
def test_a_key_by_which_ansible_acts_was_kept(key: str) -> None:
    for module in ("survivor_npz_look", "survivor_npz_run", "survivor_npz_lease", "convert_survivors"):
        assert key not in clean(module, an_answer(**{key: {"evil": 1}})), module
    for state in ({"failed": True, "msg": "no"}, {"skipped": True}, {"unreachable": True, "msg": "gone"}):
        assert key not in clean("survivor_npz_look", {**state, key: {"evil": 1}})


@pytest.mark.parametrize("key", ["ansible_job_id", "_ansible_no_log", "_ansible_delegated_vars"])
def test_a_key_of_ansibles_own_was_kept(key: str) -> None:
    assert key not in clean("survivor_npz_run", {"running": False, key: True})


def test_a_module_that_broke_off_only_said_failed() -> None:
    """As Ansible hands a traceback over: no message, and an object whose event has it."""
    summary = SimpleNamespace(event=SimpleNamespace(msg="Cannot allocate memory"))
    found = look({"failed": True, "msg": "", "exception": summary})
    assert found["msg"] == "survivor_npz_look broke off: Cannot allocate memory"
    assert look({"failed": True, "msg": "no room", "exception": summary})["msg"] == "no room"
    assert look({"failed": True}) == {"failed": True, "warned": [], "msg": ""}


@pytest.mark.parametrize("state", ["failed", "unreachable", "skipped"])
def test_a_task_without_an_answer_was_an_answer_of_the_wrong_shape(state: str) -> None:
    said = {state: True, "msg": "no\nroom"}
    assert look(said) == {state: True, "warned": [], "msg": "no room"}


@pytest.mark.parametrize("key", ["deprecations", "exception", "module_stdout", "module_stderr", "warnings"])
def test_a_text_that_ansible_prints_at_once_was_kept(key: str) -> None:
    found = clean("survivor_npz_run", {"running": False, key: ["\x1b[2J"]})
    assert key not in found
    assert found["warned"] == (["\x1b[2J"] if key == "warnings" else [])


def test_what_was_not_asked_for_is_dropped_wherever_it_stands() -> None:
    extra = {**a_copy(), "evil": 1, "directory": {**a_copy()["directory"], "evil": 1}}
    found = look(an_answer(copies=[extra], evil=1, report={"options": {"path": "/etc/passwd"}}))
    assert "evil" not in json.dumps(found)
    assert "report" not in found
    brief, done = {"stamp": STAMP, "copies": [COPY]}, {"path": LIVE, "changed": True}
    switched = {"look": {"stamp": STAMP, "copies": [{**COPY, "evil": 1}]}, "copies": [{**done, "evil": 1}]}
    found = clean("survivor_npz_switch", {"changed": True, **switched, "members": []})
    assert found == {"changed": True, "look": brief, "copies": [done]}


def test_50_mb_of_text_stayed_in_memory() -> None:
    found = look(an_answer(noise="x" * 50_000_000, user="u" * 50_000_000))
    assert len(json.dumps(found)) < 3 * MOST_TEXT
    assert found["user"].startswith("u" * MOST_TEXT + "…")
    assert f"({50_000_000 - MOST_TEXT} more characters)" in found["user"]
    assert len(found["user"]) < MOST_TEXT + 50
    failed = look({"failed": True, "msg": "m" * 50_000_000})
    assert len(failed["msg"]) < MOST_TEXT + 50
    exact = "u" * MOST_TEXT
    assert look(an_answer(user=exact))["user"] == exact
    many = clean(
        "survivor_npz_run", {"lines": ["x"] * (MOST_ITEMS + 5), "keys": dict.fromkeys(range(30_000))}
    )
    assert (len(many["lines"]), len(many["keys"])) == (MOST_ITEMS, MOST_ITEMS)


def test_an_answer_without_a_bottom_ended_in_a_traceback() -> None:
    deep: Any = "bottom"
    for _ in range(5000):
        deep = [deep]
    found = clean("survivor_npz_run", {"deep": deep})["deep"]
    depth = 0
    while isinstance(found, list):
        found, depth = found[0], depth + 1
    assert (found, depth) == (None, MOST_DEPTH)


@pytest.mark.parametrize(
    ("changes", "where"),
    [
        ({"copies": None}, "answer.copies"),
        ({"copies": {}}, "answer.copies"),
        ({"copies": [7]}, "answer.copies"),
        ({"copies": [{**a_copy(), "sha256": 7}]}, "answer.copies.sha256"),
        ({"copies": [{**a_copy(), "required": 1}]}, "answer.copies.required"),
        ({"copies": [{**a_copy(), "required": None}]}, "answer.copies.required"),
        ({"copies": [{**a_copy(), "size": True}]}, "answer.copies.size"),
        ({"copies": [{**a_copy(), "size": "10"}]}, "answer.copies.size"),
        ({"copies": [{**a_copy(), "leftovers": "file"}]}, "answer.copies.leftovers"),
        ({"copies": [{**a_copy(), "leftovers": [1]}]}, "answer.copies.leftovers"),
        ({"copies": [{**a_copy(), "staged": [NEW]}]}, "answer.copies.staged"),
        ({"copies": [{**a_copy(), "staged": {NEW: None}}]}, f"answer.copies.staged.{NEW}"),
        ({"copies": [{**a_copy(), "previous": {"path": None}}]}, "answer.copies.previous.path"),
        ({"copies": [{**a_copy(), "directory": None}]}, "answer.copies.directory"),
        ({"stamp": {"boot": "b"}}, "answer.stamp.clock"),
        ({"stamp": {"boot": "b", "clock": "1"}}, "answer.stamp.clock"),
        ({"stamp": {"boot": "b", "clock": True}}, "answer.stamp.clock"),
        ({"skew": "0"}, "answer.skew"),
        ({"run": "running"}, "answer.run"),
        ({"accounts": {"owner": {"wanted": "m", "name": "m"}}}, "answer.accounts.owner.grantable"),
    ],
)
def test_an_answer_of_another_shape_was_believed(changes: dict[str, Any], where: str) -> None:
    found = look(an_answer(**changes))
    msg = found.pop("msg")
    assert f"not one of survivor_npz_look: {where} is missing or has the wrong type" in msg
    assert found == {"failed": True, "changed": False}
    assert why_no_answer({**found, "msg": msg}, "copies") == msg
    assert why_no_answer({"failed": True}, "copies") == "failed without a message"
    assert why_no_answer({"failed": True, "msg": "the interpreter crashed"}, "x") == "the interpreter crashed"
    assert why_no_answer({"failed": True, "msg": "the file was not found"}, "x") == "the file was not found"


@pytest.mark.parametrize("key", ["directory", "copies", "stamp", "files", "python", "accounts", "libraries"])
def test_an_answer_that_lacks_a_key_was_believed(key: str) -> None:
    answer = an_answer()
    del answer[key]
    assert f"answer.{key} is missing" in look(answer)["msg"]


@pytest.mark.parametrize("key", ["skew", "same_files", "run", "workers", "fleet_config"])
def test_a_key_that_may_be_left_out_was_demanded(key: str) -> None:
    assert not look({name: value for name, value in an_answer().items() if name != key}).get("failed")
    assert not look(an_answer(**{key: None})).get("failed")


def test_a_whole_number_where_seconds_are_asked_for_is_one() -> None:
    assert look(an_answer(stamp={"boot": "b", "clock": 7}, skew=0))["stamp"]["clock"] == 7


def test_a_switch_without_its_look_counted_as_one() -> None:
    for answer in ({"changed": True}, {"changed": True, "copies": [], "look": None}):
        assert clean("survivor_npz_switch", answer)["failed"] is True
    staged = {"changed": True, "staged": [{"path": LIVE, "sha256": NEW}], "stamp": STAMP, "removed": ["/x"]}
    assert clean("survivor_npz_stage", staged) == staged
    for name in ("staged", "stamp"):
        lacking = {key: value for key, value in staged.items() if key != name}
        assert clean("survivor_npz_stage", lacking)["failed"] is True


def test_the_collections_name_of_a_module_left_its_answer_unchecked() -> None:
    assert clean("survivor.npz.survivor_npz_look", {"changed": False})["failed"] is True


def test_a_failure_took_over_the_terminal_by_its_diff() -> None:
    staged = {
        "staged": [],
        "stamp": STAMP,
        "diff": [{"before": "\x1b[2Jold", "after": "new\x07", "lines": 1}],
    }
    (diff,) = clean("survivor_npz_stage", staged)["diff"]
    assert not set(diff["before"] + diff["after"]) & {"\x1b", "\x07"} and diff["lines"] == 1


def test_a_failure_keeps_its_reason_in_one_line() -> None:
    found = look({"failed": True, "msg": "Task failed: Action failed: no\nroom", "code": "full"})
    assert (found["failed"], found["msg"], found["code"]) == (True, "no room", "full")
    assert readable("no. See stdout/stderr for the exact error") == "no."
    assert readable(None) == ""


def test_a_copy_tasks_answer_steered_the_controller() -> None:
    honest = {"changed": True, "ansible_facts": {"discovered_interpreter_python": "/usr/bin/python3"}}
    assert steers(honest) == []
    assert steers(None) == steers("text") == []
    for key in ("add_host", "add_group", "ansible_stats"):
        assert steers({**honest, key: {}}) == [key]
    facts = {"ansible_facts": {**honest["ansible_facts"], "survivor_npz_scorer": "evil.sh"}}  # type: ignore[dict-item]
    assert steers(facts) == ["ansible_facts"]


@pytest.mark.parametrize(
    ("message", "advice"),
    [
        ("WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED!", "ssh-keygen -R"),
        ("Host key verification failed.", "not known here"),
        ("michael@rig: Permission denied (publickey).", "ansible_user"),
        ("Authentication failed", "ansible_user"),
        ("No route to host", "Power it on"),
    ],
)
def test_a_host_that_is_gone_came_without_advice(message: str, advice: str) -> None:
    why = why_no_answer({"unreachable": True, "msg": message}, "copies") or ""
    assert advice in why
    assert message.split(".", maxsplit=1)[0] in why


VIA_SSH = 'Task failed: Data could not be sent to remote host "rig-6600". Make sure this host can be reached over ssh: '


@pytest.mark.parametrize(
    ("message", "advice", "never"),
    [
        ("@@@@ WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED! @@@@", "ssh-keygen -R", "Power it on"),
        ("No ED25519 host key is known for rig and you have requested strict", "connecting once", "keygen"),
        ("Host key verification failed.", "connecting once", "keygen"),
        ("michael@rig: Permission denied (publickey).", "check ansible_user and", "network"),
        (
            "Authentication or permission failure. Failed to create temporary directory.",
            "(df -h ~)",
            "ansible_user",
        ),
        ("ssh: connect to host rig port 22: No route to host", "Power it on or fix its network", "key"),
    ],
)
def test_the_advice_sent_the_operator_to_the_wrong_place(message: str, advice: str, never: str) -> None:
    said = str(why_no_answer({"unreachable": True, "msg": VIA_SSH + message}, "copies"))
    assert advice in said
    assert never not in said
    assert "Data could not be sent" not in said and "@@" not in said
