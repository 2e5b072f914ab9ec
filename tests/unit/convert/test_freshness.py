# SPDX-License-Identifier: MIT
"""What may be taken up, what a look foretells, and what can't be read: decisions from small files alone."""

from __future__ import annotations

import errno
import gc
import json
import os
from pathlib import Path
from typing import Any

import pytest
from ansible.module_utils.survivor_npz.common.errors import ConvertError
from ansible.module_utils.survivor_npz.convert import api, freshness
from ansible.module_utils.survivor_npz.convert.freshness import Decision, find_staged, foresee, look_at_live
from ansible.module_utils.survivor_npz.npz.schema import CONVERTER_VERSION, SCHEMA_VERSION
from ansible.module_utils.survivor_npz.switch.names import Names
from place import sha256
from shapes import Bench, shape_c, without

STAGED = b"staged bytes"
WHOLE: dict[str, Any] = {
    "npz_sha256": sha256(STAGED),
    "source": {"size": 2, "mtime_ns": 7, "sha256": "b"},
    "left_out": {},
    "defaulted": {},
    "warnings": [],
    "survivor_count": 3,
    "prng_encoding": "registry",
    "schema_version": SCHEMA_VERSION,
    "converter_version": CONVERTER_VERSION,
}


def of(directory: Path) -> tuple[Names, os.stat_result]:
    names, path = Names(str(directory / "s.npz")), directory / "s.json"
    path.write_bytes(b"[]")
    os.utime(path, ns=(7, 7))
    return names, path.stat()


def stage(names: Names, content: Any, data: bytes = STAGED, name: str = sha256(STAGED)) -> None:
    Path(names.pending(name)).write_text(json.dumps(content))
    Path(names.staged(name)).write_bytes(data)


def test_what_is_staged_is_made_again(tmp_path: Path) -> None:
    names, source = of(tmp_path)
    stage(names, {"npz_sha256": "0" * 64}, b"older", "0" * 64)
    stage(names, WHOLE)
    found = find_staged(names, source, "registry")
    assert found and (found.path, found.sidecar) == (names.staged(sha256(STAGED)), WHOLE)
    assert (found.digests.sha256, found.digests.size) == (sha256(STAGED), len(STAGED))


@pytest.mark.parametrize(
    "change",
    [
        {"converter_version": "3.9.0"},
        {"schema_version": 2},
        {"prng_encoding": "legacy"},
        {"source": {"size": 3, "mtime_ns": 7, "sha256": "b"}},
        {"source": {"size": 2, "mtime_ns": 8, "sha256": "b"}},
        {"source": {"size": 2, "mtime_ns": 7}},
        {"npz_sha256": "0" * 64},
        {"survivor_count": None},
    ],
)
def test_what_another_version_or_another_json_left_is_taken_up(tmp_path: Path, change: Any) -> None:
    names, source = of(tmp_path)
    stage(names, {**WHOLE, **change})
    assert find_staged(names, source, "registry") is None


def test_a_staged_file_of_other_bytes_is_taken_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    names, source = of(tmp_path)
    stage(names, WHOLE, b"other bytes")
    assert find_staged(names, source, "registry") is None
    os.unlink(names.staged(sha256(STAGED)))
    assert find_staged(names, source, "registry") is None
    stage(names, WHOLE)
    os.rename(names.pending(sha256(STAGED)), names.pending("0" * 64))
    assert find_staged(names, source, "registry") is None, "it is not the sidecar that its name promises"


def test_what_cannot_be_read_is_a_traceback_or_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(path: str) -> ConvertError:
        with pytest.raises(ConvertError) as caught:
            look_at_live(path)
        return caught.value

    assert look_at_live(str(tmp_path / "gone")) is None
    assert refused(str(tmp_path / "no" / "s.npz")).code == "no_directory"
    os.mkfifo(tmp_path / "fifo")
    (tmp_path / "way").symlink_to(tmp_path / "gone")
    for name, code, says in (
        (".", "dest_not_a_file", "is a directory"),
        ("fifo", "dest_not_a_file", "is not a regular file"),
        ("way", "symlink", "survivor_npz_convert: never"),
    ):
        found = refused(os.path.join(tmp_path, name))
        assert (found.code, says in found.message) == (code, True)

    def fails(path: str) -> Any:
        raise OSError(errno.EIO, os.strerror(errno.EIO), path)

    path = tmp_path / "s.npz"
    path.write_bytes(b"x")
    found_live = look_at_live(str(path))
    assert found_live and found_live.digests.size == 1 and not found_live.is_symlink

    def odd(_path: str) -> Any:
        raise OSError("odd")

    monkeypatch.setattr(freshness, "digests_of", odd)
    assert refused(str(path)).message.startswith(f"{path}: odd. ")
    monkeypatch.setattr(freshness, "digests_of", fails)
    found = refused(str(path))
    assert (found.code, found.message) == (
        "dest_unreadable",
        f"{path}: Input/output error. Make it readable, or move it away.",
    )


def test_a_look_foretells_another_decision(tmp_path: Path) -> None:
    bench = Bench(tmp_path)

    def foretold(force: bool = False, encoding: str = "registry") -> dict[str, Any]:
        return foresee(str(bench.json), str(bench.npz), force, encoding)

    assert foretold() == {"due": True}
    bench.convert([{**shape_c(1), "extra": 1}, without(shape_c(2), "score")])
    sidecar = json.loads(Path(Names(str(bench.npz)).sidecar).read_text())
    found = foretold()
    assert found == {
        "due": False,
        "reason": "fresh",
        "why": "the NPZ was made from this JSON",
        "warnings": [],
        "source": sidecar["source"],
        "notes": sidecar["warnings"],
        "left_out": sidecar["left_out"],
        "defaulted": sidecar["defaulted"],
    }
    assert (found["left_out"]["extra"], found["defaulted"]) == (1, {"score": 1})
    assert "score (1)" in found["notes"][0]
    assert foretold(force=True) == foretold(encoding="legacy") == {"due": True}
    names = Names(str(bench.npz))
    for path in (names.outgoing("0" * 64), names.staged("0" * 64)):
        Path(path).write_bytes(b"x")
        assert foretold() == {"due": True}, "something is left to clean up"
        os.unlink(path)
    assert foretold() == found
    bench.json.unlink()
    assert foretold() == {"due": True}


def test_force_hides_the_reason_or_a_foreign_npz_has_a_source(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    bench.convert([shape_c(1)])
    names, later = Names(str(bench.npz)), bench.npz.stat().st_mtime_ns + 1

    def decided() -> str:
        found = freshness.decide(names, str(bench.json), bench.json.stat(), True, "registry")
        assert (found.survivor_count, found.schema_version) == (1, SCHEMA_VERSION)
        return found.reason

    assert decided() == "forced"
    os.utime(bench.json, ns=(later, later))
    assert decided() == "newer"
    os.utime(bench.npz, ns=(later, later))
    Path(names.sidecar).write_text("{}")
    forced = freshness.decide(names, str(bench.json), bench.json.stat(), True, "registry")
    assert (forced.reason, forced.warnings, forced.foreign) == ("forced", (), False), "it is not kept"
    found = foresee(str(bench.json), str(bench.npz), False, "registry")
    words = ("due", "source", "notes", "left_out", "defaulted")
    assert [found.get(word) for word in words] == [False, {}, [], {}, {}]
    assert "another program (it has no sidecar of this project)" in found["warnings"][0]
    Path(names.sidecar).write_text(json.dumps({"npz_sha256": "ab" * 32}))
    (warning,) = foresee(str(bench.json), str(bench.npz), False, "registry")["warnings"]
    assert "and its sidecar records abababab" in warning


def test_the_last_conversion_is_forgotten_with_its_npz(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    bench.convert([shape_c(1)])
    bench.npz.unlink()
    found = freshness.decide(Names(str(bench.npz)), str(bench.json), bench.json.stat(), False, "registry")
    assert (found.reason, found.why) == ("missing", f"there is no {bench.npz.name}")
    assert not found.foreign
    assert found.former and found.former["survivor_count"] == 1


def test_a_sidecar_is_not_found_where_a_crash_left_it(tmp_path: Path) -> None:
    names, _source = of(tmp_path)
    digest = sha256(STAGED)
    for path in (names.sidecar, names.pending(digest), names.sidecar_previous):
        assert freshness.belonging_sidecar(names, digest) is None
        Path(path).write_text(json.dumps(WHOLE))
        assert freshness.belonging_sidecar(names, digest) == WHOLE
        Path(path).write_text(json.dumps({**WHOLE, "npz_sha256": "0" * 64}))


@pytest.mark.parametrize("collecting", [False, True])
def test_who_collects_no_garbage_does_so_after_a_conversion(tmp_path: Path, collecting: bool) -> None:
    (gc.enable if collecting else gc.disable)()
    try:
        Bench(tmp_path).convert([shape_c(1)])
        assert gc.isenabled() is collecting
    finally:
        gc.enable()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
@pytest.mark.parametrize(("uid", "gid"), [(54321, 0), (0, 54321)])
def test_a_new_npz_has_another_owner_than_the_one_it_replaces(tmp_path: Path, uid: int, gid: int) -> None:
    bench = Bench(tmp_path)
    bench.convert([shape_c(1)])
    os.chown(bench.npz, uid, gid)
    bench.convert([shape_c(2)])
    assert (bench.npz.stat().st_uid, bench.npz.stat().st_gid) == (uid, gid)


@pytest.mark.parametrize("mode", [0o641, 0o604])
def test_a_new_npz_has_another_mode_than_the_one_it_replaces(tmp_path: Path, mode: int) -> None:
    bench = Bench(tmp_path)
    bench.convert([shape_c(1)])
    bench.npz.chmod(mode)
    bench.convert([shape_c(2)])
    assert bench.npz.stat().st_mode & 0o7777 == mode


def test_as_many_workers_as_processors_are_none(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    bench.convert([shape_c(1)])
    given = api.run(api.Options(str(bench.json), str(bench.npz), workers=1, force=True, check=True))
    found = api.run(api.Options(str(bench.json), str(bench.npz), workers=0, force=True, check=True))
    assert (found.sha256, found.survivor_count) == (given.sha256, 1)


def test_leftovers_fill_the_disk_of_a_conversion_that_fails(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    staged = Path(Names(str(bench.npz)).staged("0" * 64))
    staged.write_bytes(b"left by a dead run")
    with pytest.raises(ConvertError):
        bench.convert(b"[{")
    assert not staged.exists()


def test_a_dry_run_finishes_what_another_run_began(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    names = Names(str(bench.npz))
    Path(names.sidecar).rename(names.pending(bench.convert([shape_c(1)]).sha256))
    before = bench.names()
    api.run(api.Options(str(bench.json), str(bench.npz), workers=1, check=True))
    assert bench.names() == before


def test_a_reason_that_converts_nothing_converts() -> None:
    for reason in ("missing", "newer", "content", "schema", "corrupt", "old_converter", "forced"):
        assert Decision(reason, "").converts
    assert not Decision("pinned", "").converts
    assert not Decision("fresh", "").converts
