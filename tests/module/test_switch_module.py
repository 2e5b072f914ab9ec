# SPDX-License-Identifier: MIT
"""survivor_npz_switch in fours: check, real, check again, real again, `changed` and the disk alike."""

from __future__ import annotations

import hashlib
import os
import stat
from pathlib import Path
from typing import Any

import pytest
from ansible.module_utils.survivor_npz.common.boot import stamp
from ansible.module_utils.survivor_npz.look.live_copy import look_at_live
from ansible.module_utils.survivor_npz.switch.names import Names
from ansible.module_utils.survivor_npz.switch.pin import is_pinned, read_pin
from module_run import run_here

OLD, NEW = b"old bytes", b"new bytes"


def sha(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def disk(place: Path) -> dict[str, tuple[bytes, int, int]]:
    """Bytes, mode and mtime of every file, but for the locks."""
    return {
        str(path.relative_to(place)): (path.read_bytes(), path.stat().st_mode, path.stat().st_mtime_ns)
        for path in sorted(place.rglob("*"))
        if path.is_file() and path.parent.name != ".survivor_npz"
    }


def switch(state: str, copies: list[dict[str, Any]], check: bool = False, **more: Any) -> dict[str, Any]:
    return run_here(
        "survivor_npz_switch",
        {"state": state, "copies": copies, "sha256": sha(NEW), **more},
        check=check,
        diff=True,
    )


def fours(place: Path, state: str, copies: list[dict[str, Any]], **more: Any) -> dict[str, Any]:
    """Check and real must agree; a second pair must change nothing."""
    everything = sorted(place.rglob("*"))
    before = disk(place)
    predicted = switch(state, copies, check=True, **more)
    assert not predicted.get("failed"), predicted
    assert predicted["changed"], predicted
    assert disk(place) == before, "check mode changed something"
    assert sorted(place.rglob("*")) == everything, "check mode created something"
    done = switch(state, copies, **more)
    assert done["changed"], done
    assert done["copies"] == predicted["copies"]
    after = disk(place)
    assert after != before
    assert not switch(state, copies, check=True, **more)["changed"]
    assert not switch(state, copies, **more)["changed"]
    assert disk(place) == after
    return done


@pytest.fixture
def two(tmp_path: Path) -> list[Names]:
    """A disk copy and a RAM-disk copy, both old, the new one staged beside each."""
    found = []
    for name in ("disk", "ram"):
        (tmp_path / name).mkdir()
        names = Names(str(tmp_path / name / "survivors.npz"))
        Path(names.live).write_bytes(OLD)
        Path(names.staged(sha(NEW))).write_bytes(NEW)
        found.append(names)
    return found


def listed(names: list[Names], replaces: bytes = OLD) -> list[dict[str, Any]]:
    return [{"path": one.live, "replaces": sha(replaces)} for one in names]


def test_activated_then_reverted(two: list[Names], tmp_path: Path) -> None:
    done = fours(tmp_path, "activated", listed(two))
    assert [copy["after"] for copy in done["copies"]] == [sha(NEW)] * 2
    assert done["diff"][0]["header"] == two[0].live
    assert [Path(one.live).read_bytes() for one in two] == [NEW, NEW]
    fours(tmp_path, "reverted", listed(two))
    assert [Path(one.live).read_bytes() for one in two] == [OLD, OLD]


def test_a_switch_ends_with_a_look(two: list[Names], tmp_path: Path) -> None:
    """What the proof rests on: bytes read back after the rename, no older than the stamp."""
    before = stamp()["clock"]
    for state, found in (("activated", NEW), ("reverted", OLD)):
        seen = switch(state, listed(two))["look"]
        alone = run_here(
            "survivor_npz_look",
            {"directory": str(tmp_path), "paths": [one.live for one in two]},
        )
        assert seen["copies"] == [look_at_live(one.live, required=True) for one in two]
        assert [copy["sha256"] for copy in seen["copies"]] == [sha(found)] * 2
        assert seen["stamp"]["boot"] == alone["stamp"]["boot"]
        assert before < seen["stamp"]["clock"] < alone["stamp"]["clock"]
        before = alone["stamp"]["clock"]


def test_bytes_that_changed_right_after_the_rename_show_in_the_look(
    two: list[Names], monkeypatch: pytest.MonkeyPatch
) -> None:
    from ansible.module_utils.survivor_npz.switch import switch as backend

    activate = backend.activate

    def then_overwritten(names: Names, sha256: str, **more: Any) -> Any:
        done = activate(names, sha256, **more)
        Path(names.live).write_bytes(b"another program's")
        return done

    monkeypatch.setattr(backend, "activate", then_overwritten)
    done = switch("activated", listed(two[:1]))
    assert done["copies"][0]["after"] == sha(NEW)
    assert done["look"]["copies"][0]["sha256"] == sha(b"another program's")


def test_one_copy_cannot_switch_and_the_other_stays_new(two: list[Names]) -> None:
    Path(two[1].live).write_bytes(b"another controller's")
    done = switch("activated", listed(two))
    assert (done["failed"], done["code"], done["changed"]) == (True, "moved", False)
    assert two[1].live in done["msg"]
    assert Path(two[0].live).read_bytes() == OLD, "the copy that was switched went back"
    assert done["copies"][0]["after"] == sha(OLD)


def test_owner_and_mode_of_right_and_of_switched_copies(two: list[Names], tmp_path: Path) -> None:
    """One call for a copy that switches and one whose bytes are right already."""
    Path(two[1].live).write_bytes(NEW)
    os.unlink(two[1].staged(sha(NEW)))
    uid = os.geteuid() or 54321
    wanted = {"owner": str(uid), "mode": "0640", "attributes": [one.live for one in two]}
    done = fours(tmp_path, "activated", listed(two[:1]), **wanted)
    assert [(copy["path"], copy["after"]) for copy in done["copies"]] == [
        (two[1].live, sha(NEW)),
        (two[0].live, sha(NEW)),
    ]
    for one in two:
        info = os.lstat(one.live)
        assert (info.st_uid, stat.S_IMODE(info.st_mode)) == (uid, 0o640)
    assert {copy["mode"] for copy in done["look"]["copies"]} == {"0640"}


def test_owner_and_mode_alone(two: list[Names], tmp_path: Path) -> None:
    before = os.lstat(two[1].live)
    fours(tmp_path, "activated", [], mode="0600", attributes=[two[0].live])
    assert stat.S_IMODE(os.lstat(two[0].live).st_mode) == 0o600
    assert os.lstat(two[1].live) == before, "only the paths given"


def test_owner_and_mode_of_a_symlinks_target_stay(two: list[Names], tmp_path: Path) -> None:
    target = tmp_path / "accumulator.npz"
    os.rename(two[0].live, target)
    os.symlink(target, two[0].live)
    before = os.lstat(target)
    done = switch("activated", [], mode="0600", attributes=[two[0].live])
    assert (done["failed"], done["code"]) == (True, "symlink")
    assert os.lstat(target).st_mode == before.st_mode


def test_an_owner_that_does_not_exist_switches_nothing(two: list[Names]) -> None:
    done = switch("activated", listed(two), owner="nosuchuser", attributes=[two[0].live])
    assert (done["failed"], done["code"], "nosuchuser" in done["msg"]) == (True, "no_account", True)
    assert Path(two[0].live).read_bytes() == OLD


def test_a_call_that_only_sets_the_mtime(two: list[Names], tmp_path: Path) -> None:
    moment = 1_700_000_000_000_000_007
    copies = [{"path": two[0].live, "replaces": sha(OLD), "sidecars": True, "mtime_ns": moment}]
    done = fours(tmp_path, "activated", copies, sha256=sha(OLD))
    assert os.lstat(two[0].live).st_mtime_ns == moment
    assert done["look"]["copies"][0]["mtime_ns"] == moment


def test_a_rollback_gives_the_npz_the_mtime_of_the_json(two: list[Names], tmp_path: Path) -> None:
    pin = {"path": "/x.json", "size": 3, "mtime_ns": 1_700_000_000_000_000_007}
    copies = [{"path": two[0].live, "replaces": sha(OLD), "sidecars": True}]
    fours(tmp_path, "activated", copies, pin=pin)
    assert os.lstat(two[0].live).st_mtime_ns == pin["mtime_ns"]
    assert is_pinned(two[0], sha(NEW), (3, pin["mtime_ns"]))


def test_convert_never_leaves_no_rollback_pin(two: list[Names], tmp_path: Path) -> None:
    """Its pin only records that the NPZ was not made from this JSON, so that a later run converts."""
    pin = {"path": "/x.json", "size": 3, "mtime_ns": 1_700_000_000_000_000_007, "unconverted": True}
    copies = [{"path": two[0].live, "replaces": sha(OLD), "sidecars": True}]
    fours(tmp_path, "activated", copies, sha256=sha(OLD), pin=pin)
    assert os.lstat(two[0].live).st_mtime_ns == pin["mtime_ns"]
    assert read_pin(two[0])["unconverted"] is True
    assert not is_pinned(two[0], sha(OLD), (3, pin["mtime_ns"]))
    fours(tmp_path, "activated", copies, sha256=sha(OLD), pin={**pin, "unconverted": False})
    assert not switch("activated", copies, sha256=sha(OLD), pin=pin)["changed"], "a rollback stays in force"
    assert is_pinned(two[0], sha(OLD), (3, pin["mtime_ns"]))


def test_a_permission_that_ended(two: list[Names]) -> None:
    now = stamp()
    done = switch("activated", listed(two), valid_until={**now, "clock": now["clock"] - 1})
    assert (done["failed"], done["code"], done["changed"]) == (True, "expired", False)
    assert [Path(one.live).read_bytes() for one in two] == [OLD, OLD]
    assert switch("activated", listed(two), valid_until={**now, "clock": now["clock"] + 60})["changed"]


@pytest.mark.parametrize("state", ["activated", "reverted"])
def test_a_path_from_the_home_of_nobody_knows_whom(state: str) -> None:
    done = switch(state, [{"path": "survivors.npz"}])
    assert done["failed"]
    assert "must be absolute" in done["msg"]


def test_a_directory_that_is_gone(tmp_path: Path) -> None:
    copies = [{"path": str(tmp_path / "gone" / "survivors.npz")}]
    assert switch("activated", copies)["code"] == "no_directory"
