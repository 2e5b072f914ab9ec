# SPDX-License-Identifier: MIT
"""Only the user who runs Step 2.5 can hold its locks or read its logs; a lost lock file lets nobody in."""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible.module_utils.survivor_npz.run import control
from ansible.module_utils.survivor_npz.run.supervise import home, lease, lock, main
from launch import Place
from module_run import in_fork, preload, run_here

pytest_plugins = ("launch_fixtures",)
NOBODY = 65534


def modes(place: Place) -> dict[str, int]:
    own = place.dir / ".survivor_npz"
    return {str(path.relative_to(place.dir)): path.stat().st_mode & 0o7777 for path in [own, *own.rglob("*")]}


@pytest.mark.parametrize("umask", [0, 0o077])
def test_log_record_or_lock_has_the_mode_that_some_umask_leaves(place: Place, umask: int) -> None:
    place.script("echo secret")
    before = os.umask(umask)
    try:
        place.run()
        control.take_lease(str(place.dir), "a", "a@desk", 100, seen=0)
    finally:
        os.umask(before)
    found = modes(place)
    assert {Path(name).name for name in found} >= {
        "lock",
        "lease.lock",
        "lease.json",
        "log",
        "times",
        "record.json",
    }
    for name, mode in found.items():
        assert mode == (0o700 if (place.dir / name).is_dir() else 0o600), name


def test_directory_of_an_earlier_version_stays_open_or_a_query_changes_it(place: Place) -> None:
    own = place.dir / ".survivor_npz"
    own.mkdir(mode=0o755)
    (own / "lock").touch(mode=0o644)
    before = modes(place)
    control.query(str(place.dir))
    assert modes(place) == before
    place.script("true")
    place.run()
    found = modes(place)
    assert (found[".survivor_npz"], found[".survivor_npz/lock"]) == (0o700, 0o600)


@pytest.mark.parametrize("kind", [fcntl.LOCK_SH, fcntl.LOCK_EX])
def test_query_and_start_disagree_about_a_lock_that_is_held(place: Place, kind: int) -> None:
    place.script("true")
    (place.dir / ".survivor_npz").mkdir()
    with open(place.dir / ".survivor_npz" / "lock", "w") as file:
        fcntl.flock(file, kind)
        message = control.query(str(place.dir))["message"]
        assert "its lock" in message
        with pytest.raises(control.RunError) as refusal:
            place.start()
        assert str(refusal.value) == message


def test_deleted_lock_file_lets_a_second_run_in(place: Place) -> None:
    place.script("echo start >> starts; exec sleep 60")
    first = place.start()
    path = place.dir / ".survivor_npz" / "lock"
    path.unlink()
    for _ in range(2):  # the second time, a refused start has left a new lock file
        asked = control.query(str(place.dir))
        assert (asked["running"], asked["pid"]) == (True, first["pid"])
        with pytest.raises(control.RunError, match=f"running already.*pid {first['pid']}"):
            place.start()
        with pytest.raises(control.RunError, match="running already"):
            control.take_lease(
                str(place.dir), "a", "a@desk", 100, seen=lease.read(str(place.dir)).get("number", 0)
            )
    assert (place.dir / "starts").read_text() == "start\n"
    assert control.stop(str(place.dir))["verdict"] == "stopped"
    place.script("true")
    assert place.run()["verdict"] == "ok"


def test_lock_file_deleted_while_it_is_taken_protects_nothing(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = place.dir / ".survivor_npz" / "lock"
    deleted: list[Path] = []

    def try_lock(descriptor: int) -> bool:
        if not deleted:
            path.unlink()
            deleted.append(path)
        return home.try_lock(descriptor)

    monkeypatch.setattr(lock, "try_lock", try_lock)
    descriptor = lock.take_lock(str(place.dir))
    assert deleted
    assert home.is_at(descriptor, str(path))
    os.close(descriptor)


def test_lock_file_deleted_before_the_record_stood_lets_two_runs_in(place: Place) -> None:
    def start() -> dict[str, Any]:
        def take_lock(directory: str) -> int:
            descriptor = lock.take_lock(directory)
            (place.dir / ".survivor_npz" / "lock").unlink()
            return descriptor

        main.take_lock = take_lock
        answers: list[dict[str, Any]] = []
        main.supervise({"dir": str(place.dir), "command": ["true"]}, (), answers.append)
        return answers[0]

    _signal, answer = in_fork(start)
    assert "started" not in answer
    assert "its lock" in answer["error"]
    assert home.records(str(place.dir)) == []


@pytest.fixture
def shared() -> Iterator[Place]:
    """A pipeline directory that other users can enter."""
    if os.geteuid() != 0:
        pytest.skip("needs root: becomes another user")
    directory = tempfile.mkdtemp(prefix="shared-", dir="/tmp")
    os.chmod(directory, 0o755)  # noqa: S103 - the subject: others may enter
    yield Place(Path(directory))
    shutil.rmtree(directory)


def as_nobody(function: Callable[[], Any]) -> Any:
    def run() -> Any:
        os.setgid(NOBODY)
        os.setuid(NOBODY)
        return function()

    preload()
    return in_fork(run)[1]


def refused(directory: str) -> list[str]:
    """What a start, a query and a lease say."""
    answers: list[dict[str, Any]] = []
    main.supervise({"dir": directory, "command": ["true"]}, (), answers.append)
    lease_of = {"dir": directory, "state": "taken", "token": "b", "seen": "0"}
    found = [run_here("survivor_npz_run", {"dir": directory}), run_here("survivor_npz_lease", lease_of)]
    return [answers[0]["error"], *(answer.get("msg", "") for answer in found)]


def test_another_user_holds_the_launch_lock_or_gets_a_riddle(shared: Place) -> None:
    shared.script("true")
    assert shared.run()["verdict"] == "ok"
    path = shared.dir / ".survivor_npz" / "lock"

    def blocked() -> bool:
        try:
            os.open(path, os.O_RDONLY)
        except PermissionError:
            return True
        return False

    assert as_nobody(blocked)
    for message in as_nobody(lambda: refused(str(shared.dir))):
        assert "belongs to root, but this runs as nobody" in message


def test_directory_that_another_user_made_is_trusted(shared: Place) -> None:
    shared.script("true")
    own = shared.dir / ".survivor_npz"
    own.mkdir()
    os.chown(own, NOBODY, NOBODY)
    for made in (own, shared.dir / "elsewhere"):
        if made != own:
            own.rename(made)
            own.symlink_to(made)
        for message in refused(str(shared.dir))[::2]:  # root may look
            assert "belongs to nobody, but this runs as root. Run as nobody" in message
        assert list(made.iterdir()) == []


def test_lock_file_of_another_user_is_trusted(shared: Place) -> None:
    shared.script("true")
    own = shared.dir / ".survivor_npz"
    own.mkdir()
    for name in ("lock", "lease.lock"):
        (own / name).touch()
        os.chown(own / name, NOBODY, NOBODY)
    for message in refused(str(shared.dir))[::2]:
        assert "belongs to nobody" in message
        assert "lock" in message
