"""survivor_npz_switch in fours: check, real, check again, real again, `changed` and the disk alike."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any, Dict, List

import pytest
from ansible.module_utils.survivor_npz.switch.names import Names
from module_run import run_here

OLD, NEW = b"old bytes", b"new bytes"


def sha(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def disk(place: Path) -> Dict[str, bytes]:
    return {
        str(path.relative_to(place)): path.read_bytes() for path in sorted(place.rglob("*")) if path.is_file()
    }


def switch(state: str, copies: List[Dict[str, Any]], check: bool = False, **more: Any) -> Dict[str, Any]:
    return run_here("survivor_npz_switch", {"state": state, "copies": copies, **more}, check=check, diff=True)


def fours(place: Path, state: str, copies: List[Dict[str, Any]], **more: Any) -> Dict[str, Any]:
    """Check and real must agree; a second pair must change nothing."""
    before = disk(place)
    told = switch(state, copies, check=True, **more)
    assert not told.get("failed"), told
    assert told["changed"], told
    assert disk(place) == before, "check mode wrote something"
    done = switch(state, copies, **more)
    assert done["changed"], done
    after = disk(place)
    assert after != before
    assert not switch(state, copies, check=True, **more)["changed"]
    assert not switch(state, copies, **more)["changed"]
    assert disk(place) == after
    return done


@pytest.fixture
def two(tmp_path: Path) -> List[Names]:
    """A disk copy and a RAM-disk copy, both old, the new one staged beside each."""
    found = []
    for name in ("disk", "ram"):
        (tmp_path / name).mkdir()
        names = Names(str(tmp_path / name / "survivors.npz"))
        Path(names.live).write_bytes(OLD)
        Path(names.staged(sha(NEW))).write_bytes(NEW)
        found.append(names)
    return found


def listed(names: List[Names], expect: bytes = OLD) -> List[Dict[str, Any]]:
    return [{"path": one.live, "expect": sha(expect)} for one in names]


def test_activated_then_reverted(two: List[Names], tmp_path: Path) -> None:
    done = fours(tmp_path, "activated", listed(two), sha256=sha(NEW))
    assert [copy["after"] for copy in done["copies"]] == [sha(NEW)] * 2
    assert done["diff"][0]["header"] == two[0].live
    assert [Path(one.live).read_bytes() for one in two] == [NEW, NEW]
    fours(tmp_path, "reverted", listed(two), sha256=sha(NEW))
    assert [Path(one.live).read_bytes() for one in two] == [OLD, OLD]


def test_staged_previous(two: List[Names], tmp_path: Path) -> None:
    switch("activated", listed(two), sha256=sha(NEW))
    fours(tmp_path, "staged_previous", listed(two), sha256=sha(OLD))
    assert [Path(one.staged(sha(OLD))).read_bytes() for one in two] == [OLD, OLD]


def test_clean_removes_what_dead_runs_left(two: List[Names], tmp_path: Path) -> None:
    Path(two[0].directory, ".survivors.npz.tmp.999999999").write_bytes(b"unfinished")
    Path(two[1].outgoing(sha(OLD))).write_bytes(OLD)
    done = fours(tmp_path, "clean", listed(two))
    assert len(done["removed"]) >= 3
    assert disk(tmp_path).keys() == {"disk/survivors.npz", "ram/survivors.npz"}


def test_one_copy_cannot_switch_and_the_other_stays_new(two: List[Names]) -> None:
    Path(two[1].live).write_bytes(b"another controller's")
    done = switch("activated", listed(two), sha256=sha(NEW))
    assert (done["failed"], done["code"], done["changed"]) == (True, "moved", False)
    assert two[1].live in done["msg"]
    assert Path(two[0].live).read_bytes() == OLD, "the copy that was switched went back"
    assert done["copies"][0]["after"] == sha(OLD)


@pytest.mark.parametrize("state", ["activated", "reverted", "staged_previous"])
def test_a_path_from_the_home_of_nobody_knows_whom(state: str) -> None:
    done = switch(state, [{"path": "survivors.npz"}], sha256=sha(NEW))
    assert done["failed"]
    assert "must be absolute" in done["msg"]


def test_a_directory_that_is_gone(tmp_path: Path) -> None:
    copies = [{"path": str(tmp_path / "gone" / "survivors.npz")}]
    assert switch("activated", copies, sha256=sha(NEW))["code"] == "no_directory"
    assert switch("clean", copies)["changed"] is False


def test_sha256_is_asked_for(two: List[Names]) -> None:
    assert "sha256" in switch("activated", listed(two))["msg"]
