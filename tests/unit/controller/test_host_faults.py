# SPDX-License-Identifier: MIT
"""A healthy host was refused, or a fault was told of another file, directory or host than it is one of."""

from __future__ import annotations

from typing import Any

import pytest
from ansible.module_utils.survivor_npz.controller.fleet import host_faults, preflight
from hostfacts import IDLE, LIVE, OLD, OPTIONS, RAM, a_copy, a_directory, a_look, looks

NPZ = "/home/michael/pipeline/npz/n.npz"
NEVER = {"convert": "never", "needs_json": False, "for_run": True}


def faults(rig: Any = None, zeus: Any = None, **options: Any) -> dict[str, list[str]]:
    """Faults of a fleet that is healthy but for these changes of its looks."""
    answers = looks(a_look(**(rig or {})), **(zeus or {}))
    return preflight.preflight(answers, "zeus", {**OPTIONS, **options})


def a_file(name: str, **changes: Any) -> dict[str, Any]:
    usable = {"exists": True, "readable": True, "executable": True, "size": 1, "mtime_ns": 2}
    return {"name": name, "path": f"/p/{name}", **usable, **changes}


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (10**9, "1.0 GB"),
        (10**9 - 1, "1000.0 MB"),
        (10**6, "1.0 MB"),
        (10**6 - 1, "1000.0 kB"),
        (1000, "1.0 kB"),
        (999, "999 bytes"),
    ],
)
def test_a_size_had_another_unit(count: int, text: str) -> None:
    assert host_faults.size_text(count) == text


@pytest.mark.parametrize("python", ["3.9.0", "3.9.25", "3.14.0rc1", "4.0.0"])
def test_a_python_that_is_new_enough_was_refused(python: str) -> None:
    assert faults({"python": python}) == {}


@pytest.mark.parametrize("skew", [60.0, -60.0])
def test_a_clock_within_what_was_allowed_was_refused(skew: float) -> None:
    assert faults({"skew": skew}) == {}


def test_a_python_that_is_there_was_missing() -> None:
    assert faults({"files": [a_file("python")]}) == {}


def test_the_coordinators_files_were_missing_though_they_are_there() -> None:
    assert faults(zeus={"files": [a_file("survivors.json"), a_file("script.sh")]}) == {}


def test_a_file_was_not_missed_because_the_json_is_not_needed() -> None:
    gone = [a_file("survivors.json", exists=False), a_file("script.sh", exists=False)]
    said = "/p/script.sh is missing, and Step 2.5 needs it. Put it there, or correct survivor_npz_scorer."
    assert faults(zeus={"files": gone}, needs_json=False) == {"zeus": [said]}


def test_a_rigs_symlink_was_followed() -> None:
    link = a_copy(kind="symlink", target="/archive/merged.npz")
    said = (
        f"{LIVE} is a symlink to /archive/merged.npz, which another program owns: it is never replaced. "
        "Remove the link, then run again."
    )
    assert faults({"copies": [link]}, convert="never", needs_json=False) == {"rig": [said]}


def test_a_directory_was_named_that_zeus_does_not_need() -> None:
    gone = a_directory(path="/home/michael/pipeline/npz", exists=False, nearest="/home/michael/pipeline")
    ram = a_directory(path="/dev/shm/step2", exists=False, nearest="/dev/shm", identity="ram")
    main, copy = a_copy(NPZ, directory=a_directory(identity="z")), a_copy(RAM, required=True, directory=ram)
    assert faults(zeus={"copies": [main, copy]}) == {}, "staging makes it"
    lost = a_copy(NPZ, None, required=True, directory=gone)
    said = (
        "directory /home/michael/pipeline/npz is missing. Is survivor_npz_pipeline_dir right? If so, create it, "
        "then run again."
    )
    assert faults(zeus={"copies": [lost, copy]}) == {"zeus": [said]}


@pytest.mark.parametrize(
    ("kind", "files"),
    [
        ("file", [a_file("survivors.json")]),
        ("symlink", []),
        ("symlink", [a_file("survivors.json", mtime_ns=None)]),
    ],
)
def test_a_start_was_refused_for_a_json_that_is_not_newer_or_a_file_of_our_own(kind: str, files: Any) -> None:
    home = a_directory(identity="zeus")
    main = a_copy(kind=kind, target="/archive/merged.npz", directory=home, mtime_ns=0)
    assert faults(zeus={"copies": [main], "files": files}, **NEVER) == {}


def test_hosts_whose_directories_are_not_known_passed_for_one() -> None:
    def found(**changes: Any) -> Any:
        copies = [a_copy(), a_copy(RAM, **changes)]
        return host_faults.same_file({"rig": a_look(*copies[1:]), "other": a_look(*copies[1:])})

    said = f"{RAM} is the same file as on rig: two inventory names for one file. Edit the inventory."
    assert found() == {"other": [said]}
    assert found(directory=a_directory(identity=None)) == {}
    assert found(sha256=None) == {}, "nobody writes a copy that is not there, and that nobody asked for"


def test_room_was_asked_for_the_size_of_another_copy() -> None:
    look = a_look(a_copy(), a_copy(RAM, sha256="c" * 64, size=7))
    assert host_faults.estimate(look, OPTIONS) == (1000, OLD)


def test_an_account_that_is_not_there_or_may_be_given_was_refused_at_the_switch() -> None:
    part = {"attributes": [], "switch": [LIVE]}

    def refused(**account: Any) -> list[str]:
        look = a_look(accounts={"owner": {"wanted": "7", **account}})
        return list(host_faults.attribute_faults(look, part))

    said = (
        "michael can't give a file to the user 7 (survivor_npz_owner). Log in as a user who may, or correct the "
        "variable."
    )
    assert refused(name="adm", grantable=False) == [said]
    assert refused(name="adm", grantable=True) == []
    assert refused(name=None, grantable=False) == [], "preflight has told that there is none"


def test_a_host_with_a_fault_was_also_told_to_make_room() -> None:
    full = {"copies": [a_copy(sha256="d" * 64, directory=a_directory(free=10))]}
    short = [
        "/home/michael/pipeline has 10 bytes free, the staged NPZ needs 1.0 kB. Make room, then run again."
    ]
    assert faults(full) == {"rig": short}
    slow = ["its clock is 99 s ahead of the controller's. Set the clock (NTP), then run again."]
    assert faults({**full, "skew": 99.0}) == {"rig": slow}


def test_a_file_that_zeus_was_not_asked_for_differed_from_its_own() -> None:
    assert faults({"same_files": {"scorer.py": OLD}}) == {}
    assert faults({"same_files": {"scorer.py": OLD}}, {"same_files": {"other.py": OLD}}) == {}


def test_a_directory_was_exposed_that_holds_no_npz_or_was_not_told_of() -> None:
    home = a_directory(exposed=["/home is writable for all", "/home is writable for all"])
    ram = a_copy(RAM, sha256=None, directory=a_directory(exposed=["/dev/shm is writable for all"]))
    answers = {"rig": a_look(a_copy(directory=home), ram), "zeus": a_look(run=IDLE)}
    assert preflight.warnings(answers, "zeus", {}) == ["rig: /home is writable for all"]


def test_a_message_of_step_2_5_lost_its_end() -> None:
    said = preflight.busy({"running": True, "message": "Step 2.5 runs in ~."}, matters=True)
    assert said == (
        "Step 2.5 runs in ~. Its workers read the NPZ: wait until it ends. "
        "To go on regardless: -e survivor_npz_prepare_while_running=true."
    )
