# SPDX-License-Identifier: MIT
"""Destinations that are not ours to replace, and clocks that can't be trusted."""

import os
import pwd
import shutil
from pathlib import Path
from typing import Any, Dict

import module_run
import pytest
from place import Place, sha256
from scenarios import T0, document


@pytest.fixture
def place(tmp_path: Path) -> Place:
    found = Place(tmp_path / "pipeline")
    found.write(document(5), T0)
    return found


def refused(place: Place, code: str, **more: Any) -> Dict[str, Any]:
    before = place.tree()
    for check in (True, False):
        answer = place.run(check=check, **more)
        assert answer.get("failed"), answer
        assert answer["code"] == code, answer
        assert place.tree() == before
    return answer


@pytest.mark.parametrize("target", ["there", "gone"])
@pytest.mark.parametrize("activate", [True, False])
def test_an_owned_symlink_is_never_replaced(place: Place, target: str, activate: bool) -> None:
    owned = place.directory / ".s172_accumulator" / "owned.npz"
    owned.parent.mkdir()
    if target == "there":
        owned.write_bytes(b"another owner's")
    place.npz.symlink_to(owned)
    answer = refused(place, "symlink", activate=activate, force=True)
    assert "survivor_npz_convert" in answer["msg"]
    assert str(place.npz) in answer["msg"]


def test_a_directory_as_destination_is_refused(place: Place) -> None:
    place.npz.mkdir()
    answer = place.run()
    assert answer["failed"]
    assert answer["code"]
    assert str(place.npz) in answer["msg"]
    assert "directory" in answer["msg"]
    assert place.leftovers() == []


@pytest.mark.parametrize("kind", ["fifo", "socket-like"])
def test_a_fifo_does_not_hang_the_run(place: Place, kind: str) -> None:
    path = place.npz if kind == "fifo" else place.json
    path.unlink(missing_ok=True)
    os.mkfifo(path)
    answer = place.run()
    assert answer["failed"]
    assert str(path) in answer["msg"]


def test_a_destination_directory_that_is_missing_is_refused(place: Place) -> None:
    answer = place.run(dest=str(place.directory / "gone" / "x.npz"))
    assert answer["failed"]
    assert "gone" in answer["msg"]


def test_a_sidecar_that_is_a_directory_leaves_the_old_pair(place: Place) -> None:
    Path(place.names.sidecar).mkdir()
    answer = place.run()
    assert answer["failed"], "a sidecar can't be written there"
    assert place.names.sidecar in answer["msg"]
    assert place.live() is None
    assert place.leftovers() == []


def as_nobody(place: Place, **more: Any) -> Dict[str, Any]:
    nobody = pwd.getpwnam("nobody")
    for path in (place.names.lock_home, place.names.lock):
        shutil.chown(path, "nobody")  # the lock is not what these tests are about

    def run() -> Dict[str, Any]:
        os.setgroups([])
        os.setgid(nobody.pw_gid)
        os.setuid(nobody.pw_uid)
        return place.run(**more)

    _signal, answer = module_run.in_fork(run)
    return dict(answer)


@pytest.fixture
def shared_place() -> Any:
    """A directory that `nobody` can reach; pytest's own can't be entered by others."""
    if os.getuid() != 0:
        pytest.skip("changing the owner of a file needs root")
    where = Path("/tmp") / f"survivor-npz-owner-{os.getpid()}"
    place = Place(where)
    where.chmod(0o777)
    place.write(document(5, seed=1), T0 - 10**9)
    place.run()
    place.write(document(6), T0)
    yield place
    shutil.rmtree(where)


def test_an_npz_owned_by_somebody_else_in_a_sticky_directory_stays(shared_place: Place) -> None:
    shared_place.directory.chmod(0o1777)
    old = str(shared_place.live())
    answer = as_nobody(shared_place)
    assert answer["failed"], answer
    assert str(shared_place.npz) in answer["msg"]
    assert shared_place.live() == old
    # What was staged stays for the next run, which the owner lets in.
    shared_place.directory.chmod(0o777)
    answer = as_nobody(shared_place)
    shared_place.check_settled(answer["sha256"])


def test_an_npz_owned_by_somebody_else_is_replaced_where_the_directory_allows_it(shared_place: Place) -> None:
    os.chown(shared_place.npz, 12345, 12345)
    answer = as_nobody(shared_place)
    assert not answer.get("failed"), answer
    shared_place.check_settled(answer["sha256"])


def test_a_directory_without_permission_to_write_keeps_the_old_pair(shared_place: Place) -> None:
    shared_place.directory.chmod(0o755)
    old = str(shared_place.live())
    answer = as_nobody(shared_place)
    assert answer["failed"], answer
    assert "ermission" in answer["msg"]
    assert str(shared_place.directory) in answer["msg"]
    shared_place.check_settled(old)


def test_a_fresh_run_of_another_user_than_the_owner_is_no_failure(shared_place: Place) -> None:
    shared_place.run()
    shared_place.directory.chmod(0o755)
    answer = as_nobody(shared_place, mode="0644")
    assert (answer.get("reason"), answer.get("changed")) == ("fresh", False), answer


def test_a_json_without_permission_to_read_is_refused(shared_place: Place) -> None:
    shared_place.json.chmod(0o600)
    old = str(shared_place.live())
    answer = as_nobody(shared_place)
    assert answer["failed"], answer
    assert str(shared_place.json) in answer["msg"]
    shared_place.check_settled(old)


@pytest.mark.parametrize("mtime_ns", [4_102_444_800 * 10**9 + 1, 1, 0, 2**32 * 10**9 + 5])
def test_a_future_dated_or_ancient_json_converts_once(place: Place, mtime_ns: int) -> None:
    place.write(document(5), mtime_ns)
    answer = place.run()
    assert not answer.get("failed"), answer
    assert place.npz.stat().st_mtime_ns == place.json.stat().st_mtime_ns
    place.check_settled(answer["sha256"])
    place.check_idle()


def test_a_clock_set_back_neither_hides_nor_repeats_a_conversion(place: Place) -> None:
    place.write(document(5), T0 + 10**18)
    first = place.run()
    # The clock is set back: the next Step 1 writes an older mtime than the NPZ has.
    place.write(document(6), T0)
    second = place.run()
    assert (second["changed"], second["reason"]) == (True, "content"), second
    assert second["sha256"] != first["sha256"]
    place.check_settled(second["sha256"])
    place.check_idle()


def test_fresh_reads_neither_json_nor_numpy(place: Place, tmp_path: Path) -> None:
    import subprocess

    place.run()
    stat = place.json.stat()
    place.json.write_bytes(b"?" * stat.st_size)
    os.utime(place.json, ns=(stat.st_mtime_ns, stat.st_mtime_ns))
    file = tmp_path / "args.json"
    file.write_bytes(module_run.arguments(place.args()))
    command = module_run.command(str(module_run.ROOT / "library" / "convert_survivors.py"), str(file))
    command[1:1] = ["-X", "importtime"]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    answer = module_run.answer_of(done.stdout)
    assert (answer["changed"], answer["reason"]) == (False, "fresh"), answer
    imported = {line.rpartition("|")[2].strip().partition(".")[0] for line in done.stderr.splitlines()}
    assert "ansible" in imported
    assert not imported & {"numpy", "orjson", "multiprocessing"}


def test_the_old_npz_is_whole_after_every_refusal(place: Place) -> None:
    place.run()
    content = place.npz.read_bytes()
    for bad in (b"", b"[", b"{}", b"[1]", b'[{"seed": -1}]', b"\xff", b"[NaN]", document(5)[:-1]):
        place.write(bad, T0 + 10**9)
        answer = place.run()
        assert answer["failed"], bad
        assert sha256(place.npz.read_bytes()) == sha256(content)
        assert place.leftovers() == []
