# SPDX-License-Identifier: MIT
"""survivor_npz_look: one look tells all, writes nothing, and believes no name."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path
from typing import Any, Dict

import numpy as np
import pytest
from ansible.module_utils.survivor_npz.controller.fleet.answers import clean
from ansible.module_utils.survivor_npz.switch.names import Names
from module_run import run_here

NPZ = "bidirectional_survivors_binary.npz"


CONVERSION = {"src": "s.json", "force": False, "prng_encoding": "registry"}


def look(place: Path, check: bool = False, **more: Any) -> Dict[str, Any]:
    args = {"directory": str(place), "paths": [NPZ], **more}
    found = run_here("survivor_npz_look", args, check=check)
    assert found["changed"] is False
    return found


@pytest.fixture
def names(tmp_path: Path) -> Names:
    found = Names(str(tmp_path / NPZ))
    np.savez_compressed(found.live, seeds=np.arange(5, dtype=np.uint32))
    return found


def test_what_a_copy_is(names: Names, tmp_path: Path) -> None:
    data = Path(names.live).read_bytes()
    staged = hashlib.sha256(b"staged").hexdigest()
    Path(names.staged(staged)).write_bytes(b"staged")
    Path(names.staged("0" * 64)).write_bytes(b"named after what it is not")
    Path(names.staged("1" * 64)).symlink_to(names.live)
    Path(names.previous).write_bytes(b"previous")
    Path(tmp_path, f".{NPZ}.tmp.999999999").write_bytes(b"unfinished")
    os.chmod(names.live, 0o640)
    before = sorted(path.name for path in tmp_path.iterdir())
    found, dry = look(tmp_path), look(tmp_path, check=True)
    # Other programs fill the disk and empty it.
    dry["copies"][0]["directory"]["free"] = found["copies"][0]["directory"]["free"]
    assert dry["copies"] == found["copies"]
    assert sorted(path.name for path in tmp_path.iterdir()) == before
    copy = found["copies"][0]
    assert (copy["sha256"], copy["sha1"]) == (
        hashlib.sha256(data).hexdigest(),
        hashlib.sha1(data, usedforsecurity=False).hexdigest(),
    )
    assert (copy["kind"], copy["mode"], copy["size"], copy["survivors"]) == ("file", "0640", len(data), 5)
    assert copy["staged"][staged] == names.staged(staged)
    assert names.staged("1" * 64) not in copy["staged"].values(), "a symlink is not believed"
    assert "0" * 64 not in copy["staged"], "a name is not a proof"
    assert copy["previous"]["sha256"] == hashlib.sha256(b"previous").hexdigest()
    assert len(copy["leftovers"]) == 4
    assert copy["directory"]["writable"] and copy["directory"]["free"] > 0


@pytest.mark.parametrize("kind", ["absent", "symlink", "other", "dangling"])
def test_what_is_not_a_copy(tmp_path: Path, kind: str) -> None:
    live = tmp_path / NPZ
    if kind == "symlink":
        (tmp_path / "elsewhere").write_bytes(b"elsewhere")
        live.symlink_to(tmp_path / "elsewhere")
    elif kind == "dangling":
        live.symlink_to(tmp_path / "nowhere")
    elif kind == "other":
        os.mkfifo(live)
    copy = look(tmp_path)["copies"][0]
    assert copy["kind"] == {"dangling": "symlink"}.get(kind, kind)
    assert (copy["sha256"] is not None) == (kind == "symlink")
    if "symlink" in copy["kind"]:
        assert copy["target"]


def test_a_directory_that_is_missing(tmp_path: Path) -> None:
    found = look(tmp_path / "gone", extra_paths=["/nonexistent/ram/copy.npz"])
    assert [copy["directory"]["exists"] for copy in found["copies"]] == [False, False]
    assert [copy["required"] for copy in found["copies"]] == [True, False]


def test_one_file_under_two_names_is_looked_at_once(names: Names, tmp_path: Path) -> None:
    (tmp_path / "alias").symlink_to(tmp_path)
    found = look(tmp_path, extra_paths=[f"alias/{NPZ}", names.live])
    assert len(found["copies"]) == 1


def test_what_else_a_run_needs(tmp_path: Path) -> None:
    (tmp_path / "script.sh").write_text("#!/bin/sh\n")
    found = look(tmp_path, files=["script.sh", "gone.json"], now=0.0)
    script, gone = found["files"]
    assert (script["exists"], script["executable"], gone["exists"]) == (True, False, False)
    assert found["skew"] > 1e9


def test_home_is_the_home_of_the_user_that_runs_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    found = look(Path("~/pipeline"), extra_paths=["~/ram.npz"])
    assert found["directory"] == str(tmp_path / "pipeline")
    assert [copy["path"] for copy in found["copies"]] == [
        str(tmp_path / "pipeline" / NPZ),
        str(tmp_path / "ram.npz"),
    ]


def test_the_coordinator_is_asked_what_a_rig_is(names: Names, tmp_path: Path) -> None:
    rig = look(tmp_path, files=["rig.py"])
    assert (rig["run"], rig["libraries"], "decision" in rig) == (None, {}, False)
    lead = {"npz": NPZ, "files": ["zeus.json"], "conversion": CONVERSION}
    found = look(tmp_path, paths=["ram.npz"], files=["rig.py"], lead=lead)
    assert [copy["path"] for copy in found["copies"]] == [names.live, str(tmp_path / "ram.npz")]
    assert [file["name"] for file in found["files"]] == ["zeus.json"]
    assert (found["libraries"].keys(), found["decision"]["due"]) == ({"numpy", "orjson"}, True)
    assert found["libraries"]["numpy"] == np.__version__
    assert found["run"]["running"] is False


def test_a_directory_that_could_be_made_is_told_by_the_nearest_one(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    (tmp_path / "nowhere").symlink_to(tmp_path / "gone")
    paths = ["a/b/n.npz", "file/b/n.npz", "file/n.npz", "nowhere/b/n.npz"]
    places = [copy["directory"] for copy in look(tmp_path, paths=paths)["copies"]]
    assert [place["exists"] for place in places] == [False] * 4
    assert (places[0]["nearest"], places[0]["writable"]) == (str(tmp_path), True)
    assert places[0]["free"] > 0
    file, link = str(tmp_path / "file"), str(tmp_path / "nowhere")
    assert [place["in_the_way"] for place in places] == [None, file, file, link]


def test_owner_and_group_are_looked_up_by_name_and_by_number(tmp_path: Path) -> None:
    me, mine = str(os.geteuid()), str(os.getegid())
    found = look(tmp_path, owner=me, group=mine)["accounts"]
    assert (found["owner"]["wanted"], found["group"]["wanted"]) == (me, mine)
    assert found["owner"]["grantable"] and found["group"]["grantable"]
    again = look(tmp_path, owner=found["owner"]["name"], group=found["group"]["name"])["accounts"]
    assert (again["owner"]["name"], again["group"]["name"]) == (
        found["owner"]["name"],
        found["group"]["name"],
    )
    found = look(tmp_path, owner="nosuchuser", group="nosuchgroup")["accounts"]
    assert [account["name"] for account in found.values()] == [None, None]
    assert look(tmp_path)["accounts"] == {}


def test_a_damaged_array_shows_only_where_every_byte_is_read(names: Names, tmp_path: Path) -> None:
    np.savez(names.live, seeds=np.arange(5000, dtype=np.uint32))
    data = bytearray(Path(names.live).read_bytes())
    data[len(data) // 2] ^= 1
    for path in (names.live, names.previous):
        Path(path).write_bytes(data)
    copy = look(tmp_path)["copies"][0]
    assert (copy["fault"], copy["previous"]["fault"]) == (None, None)
    copy = look(tmp_path, lead={"npz": NPZ, "conversion": CONVERSION})["copies"][0]
    assert (copy["fault"], copy["previous"]["fault"]) == (None, None)
    copy = look(tmp_path, lead={"npz": NPZ})["copies"][0]
    assert "CRC" in copy["fault"] and "CRC" in copy["previous"]["fault"]


def test_a_file_keeps_the_name_that_it_was_asked_for_by(tmp_path: Path) -> None:
    (file,) = look(tmp_path, files=["sub/s.json"])["files"]
    assert (file["name"], file["path"]) == ("sub/s.json", str(tmp_path / "sub/s.json"))


def test_the_age_of_an_npz_is_that_of_its_json(names: Names, tmp_path: Path) -> None:
    live = hashlib.sha256(Path(names.live).read_bytes()).hexdigest()
    Path(names.previous).write_bytes(b"previous")
    kept = hashlib.sha256(b"previous").hexdigest()
    for path, sha256, moment in ((names.sidecar, live, 7), (names.sidecar_previous, kept, 5)):
        Path(path).write_text(json.dumps({"npz_sha256": sha256, "source": {"size": 1, "mtime_ns": moment}}))
    copy = look(tmp_path)["copies"][0]
    assert (copy["source_mtime_ns"], copy["previous"]["source_mtime_ns"]) == (7, 5)
    assert not copy["foreign"]
    Path(names.live).write_bytes(b"by another program")
    copy = look(tmp_path)["copies"][0]
    assert (copy["source_mtime_ns"], copy["foreign"]) == (None, True)
    os.unlink(names.sidecar)
    copy = look(tmp_path)["copies"][0]
    assert (copy["source_mtime_ns"], copy["foreign"]) == (None, False)


def test_the_controller_drops_a_word_of_a_real_look(names: Names, tmp_path: Path) -> None:
    """Everything that a look can say passes the controller's check of its shape."""
    data = Path(names.live).read_bytes()
    digest = hashlib.sha256(data).hexdigest()
    Path(names.previous).write_bytes(data)
    Path(names.staged(digest)).write_bytes(data)
    Path(tmp_path, f".{NPZ}.tmp.999999999").write_bytes(b"unfinished")
    Path(names.kept_sidecar(digest)).write_text("{}")
    sidecar = {"npz_sha256": digest, "source": {"size": 1, "mtime_ns": 7}}
    for path in (names.sidecar, names.sidecar_previous):
        Path(path).write_text(json.dumps(sidecar))
    Path(names.pinned).write_text(json.dumps({"sha256": digest, "source": {"size": 1}}))
    nodes = [{"hostname": host, "gpu_count": 1} for host in ("localhost", "rig")]
    (tmp_path / "distributed_config.json").write_text(json.dumps({"nodes": nodes}))
    (tmp_path / "link").symlink_to(names.live)
    (tmp_path / "s.json").write_text("[]")
    os.utime(tmp_path / "s.json", ns=(7, 7))
    me = str(os.geteuid())
    more: Dict[str, Any] = {
        "owner": me,
        "group": str(os.getegid()),
        "now": 1.0,
    }
    for where in ("s.json", "gone.json"):
        found = look(
            tmp_path,
            extra_paths=["link", "gone/x.npz", "s.json/x.npz"],
            same_files=["s.json", "gone.json"],
            workers="pytest",
            lead={"npz": NPZ, "files": ["s.json", "gone.json"], "conversion": {**CONVERSION, "src": where}},
            **more,
        )
        found.pop("warnings")
        kept = clean("survivor_npz_look", json.loads(json.dumps(found)))
        assert kept == {key: value for key, value in found.items() if key in kept}
        assert {*found} - {*kept} <= {"time", "invocation"}, "what no decision reads"
