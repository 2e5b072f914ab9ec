"""What preflight saw too late, or not at all: faults of one host, on looks of one's own making."""

from __future__ import annotations

from typing import Any

import pytest
from ansible.module_utils.survivor_npz.controller.fleet import host_faults, preflight
from ansible.module_utils.survivor_npz.controller.fleet.plan import part_of, plan
from hostfacts import ASKED, GOAL, LIVE, NEW, OPTIONS, RAM, a_copy, a_directory, a_look, looks


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
    assert "is missing. If survivor_npz_pipeline_dir is right, create it" in fault
    assert found("rig", main) == []


def an_account(**changes: Any) -> dict[str, Any]:
    return {"accounts": {"owner": {"wanted": "1000", "name": "michael", "grantable": True, **changes}}}


def test_an_owner_that_no_host_knows_failed_only_after_the_conversion() -> None:
    (fault,) = found("rig", an_account(wanted="nosuchuser", name=None, grantable=False))
    assert "survivor_npz_owner is nosuchuser, and there is no user of that name" in fault
    assert found("rig", an_account()) == []


def test_an_owner_that_only_root_can_give() -> None:
    rig = {**a_look(), **an_account(wanted="root", name="root", grantable=False)}
    _parts, faults = plan({"rig": rig}, GOAL, "auto", "zeus")
    assert "michael can't give a file to the user root" in " ".join(faults["rig"])
    right = {**rig, "copies": [a_copy(sha256=NEW, owner="root")]}
    _parts, faults = plan({"rig": right}, GOAL, "auto", "zeus")
    assert faults == {}, "nothing has to be given where all is right"


def test_an_owner_given_as_a_number_was_set_again_in_each_run() -> None:
    rig = {**a_look(a_copy(sha256=NEW)), **an_account(), "asked": {**ASKED, "owner": 1000}}
    assert part_of(rig, GOAL, "auto", False)["changes"] is False
    rig["accounts"]["owner"]["name"] = "root"
    assert part_of({**rig, "asked": {**ASKED, "owner": 0}}, GOAL, "auto", False)["attributes"] == [LIVE]


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
