# SPDX-License-Identifier: MIT
"""Faults of hosts that preflight saw too late, or not at all, on looks of the tests' own making."""

from __future__ import annotations

from typing import Any

import pytest
from ansible.module_utils.survivor_npz.controller.fleet import host_faults, preflight
from hostfacts import IDLE, OPTIONS, RAM, a_copy, a_directory, a_look, looks


@pytest.mark.parametrize(
    ("rig", "fault"),
    [
        (a_look(python="3.8.10"), "3.9 or newer"),
        (a_look(skew=-3600.0), "its clock is 3600 s behind"),
        (a_look(a_copy(kind="symlink", target="/archive/merged.npz")), "Remove the link"),
        (a_look(a_copy(kind="other")), "not a regular file"),
        (a_look(a_copy(error="Input/output error")), "can't be read: Input/output error"),
        (
            a_look(a_copy(directory=a_directory(exists=False))),
            "is missing. Is survivor_npz_pipeline_dir right?",
        ),
        (a_look(a_copy(directory=a_directory(writable=False))), "not writable for michael"),
        (
            a_look(a_copy(directory=a_directory(untrusted=["/home is world-writable."]))),
            "/home is world-writable",
        ),
        (a_look(a_copy(sha256="d" * 64, directory=a_directory(free=10))), "Make room"),
        (a_look(files=[{"path": "/opt/python", "exists": False}]), "survivor_npz_rig_python /opt/python"),
        (
            a_look(files=[{"path": "/opt/python", "exists": True, "executable": False}]),
            "survivor_npz_rig_python /opt/python",
        ),
        ({"unreachable": True, "msg": "ssh: no route"}, "unreachable (ssh: no route)"),
        ({"failed": True, "msg": "Timed out after 60 second(s)."}, "no answer in time"),
        (
            {"failed": True, "msg": "Timeout (12s) waiting for privilege escalation prompt"},
            "no answer in time",
        ),
        (
            {"failed": True, "msg": "The module interpreter '/usr/bin/python3' was not found."},
            "was not found",
        ),
        ({"skipped": True}, "no answer"),
        ({}, "no answer"),
        (None, "no answer"),
        (a_look(python="three"), "makes no sense"),
        (a_look(skew=None), "makes no sense"),
    ],
)
def test_a_fault_of_a_rig_is_named(rig: Any, fault: str) -> None:
    found = preflight.preflight(looks(rig), "zeus", OPTIONS)
    assert list(found) == ["rig"]
    assert fault in " ".join(found["rig"])


def test_cloned_rigs_are_not_one_host() -> None:
    assert preflight.preflight(looks(a_look()), "zeus", OPTIONS) == {}
    same = a_look(a_copy(directory=a_directory(identity="zeus")))
    found = preflight.preflight(looks(same), "zeus", OPTIONS)
    assert any("two inventory names for one file" in fault for faults in found.values() for fault in faults)


@pytest.mark.parametrize(
    ("lead", "fault"),
    [
        ({"files": [{"name": "survivors.json", "path": "/p/survivors.json", "exists": False}]}, "Run Step 1"),
        (
            {"files": [{"name": "train_history.json", "path": "/p/train_history.json", "exists": False}]},
            "and Step 2.5 needs it",
        ),
        (
            {"files": [{"name": "script.sh", "path": "/p/script.sh", "exists": True, "readable": False}]},
            "not readable",
        ),
        ({"libraries": {"numpy": "2.2", "orjson": None}}, "/usr/bin/python3 -m pip install orjson"),
    ],
)
def test_a_fault_of_zeus_is_named(lead: dict[str, Any], fault: str) -> None:
    found = preflight.preflight(looks(a_look(), **lead), "zeus", OPTIONS)
    assert list(found) == ["zeus"] and fault in " ".join(found["zeus"])


def test_step_2_5_is_running() -> None:
    answers = looks(a_look(), run={"running": True, "message": "It is running: 42."})
    assert "running: 42" in " ".join(preflight.preflight(answers, "zeus", OPTIONS)["zeus"])
    assert preflight.preflight(answers, "zeus", {**OPTIONS, "busy": False}) == {}


@pytest.mark.parametrize("run", [None, {}, {"failed": True, "msg": "no"}, "running"])
def test_a_question_that_failed_counts_as_not_running(run: Any) -> None:
    found = preflight.preflight(looks(a_look(), run=run), "zeus", {**OPTIONS, "busy": False})
    assert "can't tell whether Step 2.5 is running" in " ".join(found["zeus"])
    failed = {"unreachable": True, "msg": "no", "run": {"running": False}}
    assert list(preflight.preflight({"zeus": failed}, "zeus", OPTIONS)) == ["zeus"]


def test_a_running_step_2_5_is_told_once() -> None:
    said = {"running": True, "message": "Step 2.5 is running already on zeus: pid 42."}
    assert str(preflight.busy(said, matters=True)).count("running") == 2  # and the name of the variable
    assert preflight.busy(said, matters=False) is None
    assert preflight.busy({"running": False}, matters=True) is None


def found(host: str, changes: dict[str, Any], **options: Any) -> list[str]:
    """Faults of `host` where its look differs from a healthy one by `changes`; no other host has any."""
    answers = looks(a_look())
    answers[host].update(changes)
    faults = preflight.preflight(answers, "zeus", {**OPTIONS, **options})
    assert set(faults) <= {host}
    return list(faults.get(host, []))


def test_a_truncated_npz_was_distributed_and_launched_with_convert_never() -> None:
    cut = {
        "copies": [a_copy(fault="BadZipFile: File is not a zip file", directory=a_directory(identity="z"))]
    }
    (fault,) = found("zeus", cut, convert="never", needs_json=False)
    assert "is incomplete or damaged (BadZipFile: File is not a zip file)" in fault
    assert found("zeus", cut) == [], "a conversion heals it"
    assert found("rig", {"copies": [a_copy(fault="BadZipFile")]}, convert="never") == []


def test_a_regular_file_stood_where_a_directory_had_to_be_made() -> None:
    gone = a_directory(path="/data/file/npz", exists=False, nearest="/data/file", in_the_way="/data/file")
    rig = {"copies": [a_copy(), a_copy(RAM, sha256=None, required=True, directory=gone)]}
    (fault,) = found("rig", rig)
    assert "/data/file is not a directory" in fault
    rig["copies"][1]["required"] = False
    assert found("rig", rig) == [], "a copy that nobody asked for"


def test_a_directory_could_not_be_made_in_its_read_only_parent() -> None:
    gone = a_directory(path="/data/npz", exists=False, nearest="/data", writable=False, owner="root")
    (fault,) = found("rig", {"copies": [a_copy(), a_copy(RAM, sha256=None, required=True, directory=gone)]})
    assert "/data/npz is missing and can't be made" in fault
    assert "directory /data is not writable for michael" in fault


def test_a_rebooted_rig_had_no_room_in_its_ram_disk() -> None:
    gone = a_directory(path="/dev/shm/prng/step2", exists=False, nearest="/dev/shm", free=10)
    rig = {"copies": [a_copy(), a_copy(RAM, sha256=None, required=True, directory=gone)]}
    (fault,) = found("rig", rig)
    assert "/dev/shm/prng/step2 has 10 bytes free" in fault


def test_a_directory_of_the_npz_on_zeus_that_no_converter_makes() -> None:
    gone = a_directory(path="/home/michael/pipeline/npz", exists=False, nearest="/home/michael/pipeline")
    main = {"copies": [a_copy("/home/michael/pipeline/npz/n.npz", None, required=True, directory=gone)]}
    (fault,) = found("zeus", main)
    assert "is missing. Is survivor_npz_pipeline_dir right? If so, create it" in fault
    assert found("rig", main) == []


def an_account(**changes: Any) -> dict[str, Any]:
    return {"accounts": {"owner": {"wanted": "1000", "name": "michael", "grantable": True, **changes}}}


def test_an_owner_that_no_host_knows_failed_only_after_the_conversion() -> None:
    (fault,) = found("rig", an_account(wanted="nosuchuser", name=None, grantable=False))
    assert "survivor_npz_owner is nosuchuser, and there is no user of that name" in fault
    assert found("rig", an_account()) == []


def a_file(name: str, **changes: Any) -> dict[str, Any]:
    usable = {"exists": True, "readable": True, "executable": True, "size": 10**9, "mtime_ns": 2}
    return {"name": name, "path": f"/p/{name}", **usable, **changes}


def test_a_json_in_a_subdirectory_was_missing_for_step_2_5_instead_of_step_1() -> None:
    missing = {"files": [a_file("sub/s.json", exists=False)]}
    assert "Run Step 1" in " ".join(found("zeus", missing, json="sub/s.json"))
    assert "Step 2.5 needs it" in " ".join(found("zeus", missing, json="s.json"))


def test_a_json_in_a_subdirectory_was_not_seen_to_be_new() -> None:
    zeus = a_look(files=[a_file("sub/s.json")])
    assert host_faults.estimate(zeus, {**OPTIONS, "json": "sub/s.json"}) == (20_000_000, None)


@pytest.mark.parametrize(("change", "refused"), [({"executable": False}, False), ({"readable": False}, True)])
def test_a_script_that_bash_runs_was_refused(change: dict[str, Any], refused: bool) -> None:
    assert bool(found("zeus", {"files": [a_file("script.sh", **change)]})) == refused


@pytest.mark.parametrize(
    ("json_ns", "for_run", "refused"), [(2, True, True), (1, True, False), (2, False, False)]
)
def test_the_script_converted_onto_another_programs_symlink(
    json_ns: int, for_run: bool, refused: bool
) -> None:
    home = a_directory(identity="zeus", writable=False)  # nothing is written there
    link = a_copy(kind="symlink", target="/archive/merged.npz", directory=home)
    source = {"name": "survivors.json", "path": "/p/survivors.json", "exists": True, "mtime_ns": json_ns}
    lead = {"copies": [link], "files": [source]}
    faults = found("zeus", lead, convert="never", needs_json=False, for_run=for_run)
    assert bool(faults) == refused, faults
    assert not refused or "/p/survivors.json is newer than /archive/merged.npz" in faults[0]


@pytest.mark.parametrize(
    ("hostnames", "warned"),
    [
        (["localhost", "192.168.3.120"], []),
        (["localhost", "RIG"], []),
        (
            ["localhost", "rig", "192.168.3.162"],
            ["192.168.3.162 is in zeus's distributed_config.json and not"],
        ),
        (["localhost"], ["rig is in the inventory, and zeus's distributed_config.json does not list it"]),
    ],
)
def test_a_rig_in_one_of_two_lists_lost_its_results_in_silence(
    hostnames: list[str], warned: list[str]
) -> None:
    answers = looks(a_look(), fleet_config={"hostnames": hostnames, "trouble": None})
    found = preflight.warnings(answers, "zeus", {"rig": "192.168.3.120"})
    assert len(found) == len(warned), found
    assert all(text.startswith(start) for text, start in zip(found, warned)), found


def test_a_distributed_config_that_cannot_be_read_is_a_warning() -> None:
    answers = looks(a_look(), fleet_config={"hostnames": [], "trouble": "/p/d.json: it is empty"})
    (found,) = preflight.warnings(answers, "zeus", {})
    assert "/p/d.json: it is empty. It was not compared" in found


WORKER = {"pid": 42, "age": 7300.0, "command": "python3 scorer_trial_worker.py"}


def test_workers_of_an_old_study_were_credited_to_the_new_one() -> None:
    answers = looks(a_look(workers=[WORKER]), workers=[{**WORKER, "pid": 43}])
    on_rig, on_zeus = preflight.warnings(answers, "zeus", {})
    assert "rig: a worker of an earlier run is left, pid 42, 2 h old" in on_rig
    assert on_zeus.startswith("zeus: ") and "pid 43" in on_zeus
    answers["zeus"]["run"] = {**IDLE, "running": True}
    (only,) = preflight.warnings(answers, "zeus", {})
    assert only.startswith("zeus: "), "while a run is on, workers on rigs are its own"


def test_a_dead_rig_is_named_and_a_lying_one_raises_nothing() -> None:
    gone, lies = preflight.leftovers(
        {"rig": {"unreachable": True, "msg": "timed out"}, "evil": {"workers": [{"pid": "x"}]}}
    )
    assert gone.startswith("rig was not searched for leftover workers: unreachable (timed out)")
    assert "makes no sense" in lies


def test_the_advised_environment_lacked_a_library_and_ansible_did_not_find_it() -> None:
    (fault,) = found("zeus", {"libraries": {"numpy": "2.2", "orjson": None}})
    venv = "/home/michael/pipeline/.venv-survivor-npz"
    assert f"/usr/bin/python3 -m venv {venv} && {venv}/bin/pip install numpy orjson, then set" in fault
    assert f"ansible_python_interpreter to {venv}/bin/python." in fault


@pytest.mark.parametrize(
    ("directory", "why"),
    [
        ({"owner": "michael", "mode": "0555"}, "it is yours, but its mode is 0555"),
        ({"owner": "root", "mode": "0755"}, "owned by root"),
    ],
)
def test_a_mode_passed_for_a_wrong_owner(directory: dict[str, Any], why: str) -> None:
    (fault,) = found("rig", {"copies": [a_copy(directory=a_directory(writable=False, **directory))]})
    assert f"is not writable for michael ({why}" in fault


def test_sizes_of_a_full_disk_were_unreadable() -> None:
    full = a_look(a_copy(directory=a_directory(free=4096)))
    (fault,) = host_faults.room_faults(full, 98_172_000, "d" * 64)
    assert "has 4.1 kB free, the staged NPZ needs 98.2 MB" in fault


def test_workers_died_because_the_rigs_had_old_code() -> None:
    """24 of 25 died in argparse; only the NPZ was compared."""
    lead = {"same_files": {"scorer.py": "a" * 64, "utils/io.py": "b" * 64}}
    answers = looks(a_look(same_files={"scorer.py": "c" * 64, "utils/io.py": None}), **lead)
    found = preflight.preflight(answers, "zeus", OPTIONS)
    assert list(found) == ["rig"], found
    assert found["rig"][0].startswith("scorer.py differs from zeus's (survivor_npz_same_files)")
    assert found["rig"][1].startswith("utils/io.py is missing")
    answers["rig"]["same_files"] = dict(lead["same_files"])
    assert preflight.preflight(answers, "zeus", OPTIONS) == {}
    answers["zeus"]["same_files"]["scorer.py"] = None
    assert "scorer.py (survivor_npz_same_files) is missing here" in found_on_zeus(answers)


def found_on_zeus(answers: dict[str, Any]) -> str:
    return " ".join(preflight.preflight(answers, "zeus", OPTIONS)["zeus"])
