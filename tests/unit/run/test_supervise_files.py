# SPDX-License-Identifier: MIT
"""The launch lock and the records of runs: who may hold it, and which run is over. In this process."""

from __future__ import annotations

import errno
import fcntl
import json
import os
import pwd
import time
from pathlib import Path
from typing import Any, Iterator

import pytest
from ansible.module_utils.survivor_npz.run import control, proven
from ansible.module_utils.survivor_npz.run.supervise import home, lock, processes, run
from ansible.module_utils.survivor_npz.run.supervise.clocks import boot_id

STRANGER = 54321
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")


@pytest.fixture(autouse=True)
def no_descriptor_is_left_open() -> Iterator[None]:
    before = len(os.listdir("/proc/self/fd"))
    yield
    assert len(os.listdir("/proc/self/fd")) <= before


def me() -> tuple[int, int]:
    stat = processes.look_at(os.getpid())
    assert stat
    return os.getpid(), stat[1]


def note_run(directory: Path, name: str = "20260101T000000Z-1", **more: Any) -> dict[str, Any]:
    """A run's record, of a supervisor that is dead."""
    place = Path(home.home(str(directory)), "runs", name)
    place.mkdir(parents=True, exist_ok=True)
    record = {"run": name, "state": "running", "boot": boot_id(), "supervisor": 1, "supervisor_start": -1}
    record.update(more)
    (place / "record.json").write_text(json.dumps(record))
    return record


def test_a_lock_that_cannot_be_taken_passes_for_held(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = str(tmp_path / "lock")
    first, second = home.open_lock(path, create=True), home.open_lock(path, create=False)
    assert home.try_lock(first)
    assert not home.try_lock(second)
    assert home.is_at(first, path)
    assert os.lstat(path).st_mode & 0o777 == 0o600

    number = errno.EACCES

    def fails(_descriptor: int, _how: int) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(fcntl, "flock", fails)
    assert home.try_lock(first) is False
    number = errno.ENOLCK
    with pytest.raises(OSError, match="No locks"):
        home.try_lock(first)
    os.unlink(path)
    assert not home.is_at(first, path)
    os.close(first)
    os.close(second)
    with pytest.raises(FileNotFoundError):
        home.open_lock(path, create=False)


@as_root
def test_another_users_file_is_a_riddle(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    path.touch()
    os.chown(path, STRANGER, STRANGER)
    me = pwd.getpwuid(0).pw_name
    with pytest.raises(PermissionError) as refusal:
        home.open_lock(str(path), create=True)
    assert refusal.value.filename == str(path)
    assert f"belongs to uid {STRANGER}, but this runs as {me}. Run as uid {STRANGER}" in str(refusal.value)
    os.close(home.open_lock(str(path), create=False))
    mine = home.foreign(str(tmp_path / "nothing"))
    assert (mine.errno, mine.filename) == (errno.EACCES, str(tmp_path / "nothing"))
    assert str(mine).startswith("[Errno 13] Permission denied")
    os.chown(tmp_path, STRANGER, STRANGER)
    assert home.foreign(str(tmp_path / "nothing")).filename == str(tmp_path)
    os.chown(tmp_path, 0, 0)
    target = tmp_path / "target"
    target.mkdir()
    os.chown(target, STRANGER, STRANGER)
    (tmp_path / home.HOME).symlink_to(target)
    with pytest.raises(PermissionError, match=f"uid {STRANGER}"):
        home.make_private(str(tmp_path))
    assert target.stat().st_mode & 0o777 != 0o700


def test_a_directory_of_ours_stays_open(tmp_path: Path) -> None:
    own = Path(home.home(str(tmp_path)))
    own.mkdir(mode=0o755)
    assert home.make_private(str(tmp_path)) == str(own)
    assert own.stat().st_mode & 0o777 == 0o700


def test_runs_are_in_another_order_or_no_runs(tmp_path: Path) -> None:
    odd = tmp_path / "a[b]*"
    for name in ("20260102T000000Z-5", "20260101T000000Z-9", "kept", "20260101"):
        Path(home.home(str(odd)), "runs", name).mkdir(parents=True)
    assert [os.path.basename(path) for path in home.records(str(odd))] == [
        "20260101T000000Z-9",
        "20260102T000000Z-5",
    ]
    file = tmp_path / "x.json"
    for text, found in (('{"a": 1}', {"a": 1}), ("[1]", {}), ("{", {}), ("\xff", {})):
        file.write_bytes(text.encode("latin-1"))
        assert home.read_json(str(file)) == found


def test_a_run_that_is_over_passes_for_one_that_is_on(tmp_path: Path) -> None:
    pid, start = me()
    record = note_run(tmp_path, supervisor=pid, supervisor_start=start)
    assert lock.supervised(record)
    for wrong in (
        {"state": "ended"},
        {"supervisor_start": start + 1},
        {"boot": "another"},
        {"supervisor": 0},
    ):
        assert not lock.supervised({**record, **wrong}), wrong
    assert lock.orphaned(str(tmp_path)) == record, "its lock file was deleted"
    note_run(tmp_path)
    assert lock.orphaned(str(tmp_path)) == {}
    assert lock.holder(str(tmp_path)) is None
    assert control.query(str(tmp_path))["running"] is False


def test_processes_of_a_run_from_before_the_restart_are_its_orphans(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    family = {(7, 1), (5, 1)}
    monkeypatch.setattr(lock, "family", lambda run: family if run == "20260101T000000Z-1" else set())
    record = note_run(tmp_path)
    note_run(tmp_path, "20260102T000000Z-2")
    assert lock.orphaned(str(tmp_path)) == {**record, "orphans": [5, 7]}
    with pytest.raises(
        lock.Refused, match=r"lost its supervisor but is not over \(pids 5, 7 live\)"
    ) as refused:
        lock.take_lock(str(tmp_path))
    assert refused.value.answer()["refused"]["orphans"] == [5, 7]
    for wrong in ({"boot": "another"}, {"state": "ended"}):
        note_run(tmp_path, **wrong)
        assert lock.orphaned(str(tmp_path)) == {}
    os.close(lock.take_lock(str(tmp_path)))


def test_a_held_lock_without_a_note_passes_for_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(time, "sleep", lambda _seconds: None)
    descriptor = lock.take_lock(str(tmp_path))
    path = os.path.join(home.home(str(tmp_path)), "lock")
    assert lock.holder(str(tmp_path)) == {"lock": path}
    assert f"`fuser -v {path}`" in lock.refusal({"lock": path})
    with pytest.raises(control.RunError, match="may be running"):
        control.stop(str(tmp_path))
    pid, start = me()
    for wrong in ({"supervisor": pid, "supervisor_start": start + 1}, {"supervisor": 2**22 + 1}):
        Path(path).write_text(json.dumps(wrong))
        assert lock.holder(str(tmp_path)) == {"lock": path}
    for note in (
        {"supervisor": pid, "supervisor_start": start, "run": "r"},
        {"supervisor": pid, "supervisor_start": start, "run": "r", "pid": 1},
    ):
        Path(path).write_text(json.dumps(note))
        slept: list[float] = []
        monkeypatch.setattr(time, "sleep", slept.append)
        assert lock.holder(str(tmp_path)) == note
        assert bool(slept) == ("pid" not in note), "the note of a script that runs is complete"
    with pytest.raises(lock.Refused) as refused:
        lock.take_lock(str(tmp_path))
    assert refused.value.note == note
    os.close(descriptor)
    assert lock.holder(str(tmp_path)) is None


def test_a_lock_that_is_always_just_taken_is_waited_for_for_ever(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    slept: list[float] = []
    monkeypatch.setattr(time, "sleep", slept.append)
    monkeypatch.setattr(lock, "try_lock", lambda _descriptor: False)
    asked: list[int] = []
    monkeypatch.setattr(lock, "holder", lambda _directory: asked.append(1))
    with pytest.raises(lock.Refused) as refused:
        lock.take_lock(str(tmp_path))
    assert refused.value.note == {"lock": os.path.join(home.home(str(tmp_path)), "lock")}
    assert (len(slept), len(asked)) == (10, 2)


def test_a_lock_file_that_was_deleted_guards_a_start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = os.path.join(home.home(str(tmp_path)), "lock")
    opened = home.open_lock
    deleted: list[int] = []

    def deletes(place: str, create: bool) -> int:
        descriptor = opened(place, create)
        if not deleted:
            os.unlink(place)
            deleted.append(1)
        return descriptor

    monkeypatch.setattr(lock, "open_lock", deletes)
    descriptor = lock.take_lock(str(tmp_path))
    assert home.is_at(descriptor, path)
    os.close(descriptor)


@pytest.mark.parametrize(
    ("note", "says"),
    [
        (
            {"run": "r", "host": "zeus", "pid": 7, "start": "noon", "log": "/l"},
            "already on zeus: pid 7, started noon, log /l.",
        ),
        ({"run": "r"}, "already on this host: pid not known yet, started just now, log not known yet."),
    ],
)
def test_a_refusal_names_another_run(note: dict[str, Any], says: str) -> None:
    assert says in lock.refusal(note)


def test_how_a_run_ended_is_told_of_another(tmp_path: Path) -> None:
    note_run(tmp_path, "20260101T000000Z-1")
    note_run(tmp_path, "20260104T000000Z-1", state="ended", verdict="ok")
    assert control.finished(str(tmp_path))["verdict"] == "ok"
    lost = control.finished(str(tmp_path), "20260101T000000Z-1")
    assert (lost["state"], lost["verdict"], "unknown" in lost["message"]) == ("ended", "lost", True)
    assert control.finished(str(tmp_path), "20260109T000000Z-1") == {}


def test_what_was_proven_is_told_in_another_order_or_for_a_run_without(tmp_path: Path) -> None:
    digests = [f"{number:064x}" for number in range(20)]
    note_run(tmp_path, "20260101T000000Z-1", npz={"sha256": digests[1]})
    note_run(tmp_path, "20260102T000000Z-1", npz=None)
    note_run(tmp_path, "20260103T000000Z-1", npz={"sha256": "odd"})
    note_run(tmp_path, "20260104T000000Z-1", npz={"sha256": digests[2]})
    where = str(tmp_path)
    assert proven.proven(where) == [digests[2], digests[1]]
    proven.record(where, digests[3])
    proven.record(where, digests[1])
    assert proven.proven(where) == [digests[1], digests[3], digests[2]]
    for digest in digests:
        proven.record(where, digest)
    assert home.read_json(f"{home.home(where)}/proven.json") == {"npz": digests[:9:-1]}
    Path(home.home(where), "proven.json").write_text('{"npz": 5}')
    assert proven.proven(where) == [digests[2], digests[1]]


def test_an_empty_text_finds_every_process(tmp_path: Path) -> None:
    for text in ("", " "):
        with pytest.raises(control.RunError, match="set match"):
            control.workers(str(tmp_path), text)
    for script in ("", None):
        with pytest.raises(control.RunError, match="set script"):
            control.command(str(tmp_path), script or "", [])


@pytest.mark.parametrize(
    ("code", "name"),
    [(0, None), (1, None), (128, None), (129, "SIGHUP"), (137, "SIGKILL"), (193, None), (255, None)],
)
def test_an_exit_code_is_taken_for_another_signal(code: int, name: str | None) -> None:
    assert run._signal_of(code) == name
