# SPDX-License-Identifier: MIT
"""Other programs at work in the same directory, and what they may have put where our files go."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import module_run
import pytest
from ansible.module_utils.survivor_npz.common import durable, json_object
from ansible.module_utils.survivor_npz.common.errors import SwitchError
from ansible.module_utils.survivor_npz.convert import api
from ansible.module_utils.survivor_npz.switch import live, switch
from ansible.module_utils.survivor_npz.switch.names import Names
from place import Place, sha256
from scenarios import T0, document


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    """Two conversions have been: one survivor, then five."""
    found = Place(tmp_path / "pipeline")
    for count, mtime in ((1, T0 - 10**9), (5, T0)):
        found.write(document(count), mtime)
        assert not found.run().get("failed")
    yield found
    durable.observer = None


def status(path: Path) -> tuple[int, int, int]:
    found = path.stat()
    return found.st_ino, found.st_ctime_ns, found.st_mtime_ns


def test_a_fresh_run_writes_nothing_not_even_a_time(place: Place) -> None:
    before = {path: status(path) for path in place.directory.iterdir()}
    answer = place.run(mode="0644")
    assert (answer["reason"], answer["changed"]) == ("fresh", False)
    assert {path: status(path) for path in place.directory.iterdir()} == before


def test_a_rollback_during_a_conversion_keeps_its_pair(place: Place) -> None:
    """The JSON was touched, the conversion gives the live bytes again, and meanwhile others go back."""
    place.write(document(5), T0 + 10**9)
    names, before = place.names, str(place.live())
    one = str(live.sha256_or_none(names.previous))
    make = api._make

    def meanwhile(job: Any) -> Any:
        made = make(job)
        switch.stage_previous(names, one, sidecars=True)
        source = {"path": str(place.json), "size": 1, "mtime_ns": 1}
        switch.activate(names, one, replaces=before, sidecars=True, pin=source)
        return made

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(api, "_make", meanwhile)
        answer = place.run()
    assert (answer.get("failed"), answer.get("code")) == (True, "moved"), answer
    assert place.live() == one
    assert (place.sidecar() or {})["npz_sha256"] == one


@pytest.mark.parametrize("stop", [".pending", ".staged"])
def test_a_dying_run_tidies_away_the_sidecar_of_one_that_is_staging(place: Place, stop: str) -> None:
    place.write(document(9), T0 + 10**9)
    done: list[str] = []

    def strike(when: str, operation: str, path: str, _taken: object) -> None:
        if when == "before" and operation == "rename" and path.endswith(stop) and not done:
            done.append(path)

            def tidy_and_die() -> dict[str, Any]:
                durable.observer = None
                live._PATIENCE_S = 0.2
                vars(api)["_make"] = lambda _job: os._exit(9)
                return place.run()

            pid, read = module_run.fork(tidy_and_die)
            os.close(read)
            os.waitpid(pid, 0)

    durable.observer = strike
    answer = place.run()
    durable.observer = None
    assert done
    if answer.get("failed"):
        answer = place.run()
    place.check_settled(answer["sha256"])


def test_a_staged_npz_without_its_sidecar_is_never_switched(place: Place) -> None:
    old = place.live()
    place.write(document(9), T0 + 10**9)
    staged = place.run(activate=False)
    os.unlink(place.names.pending(staged["sha256"]))
    with pytest.raises(SwitchError, match="lost its sidecar"):
        switch.activate(place.names, staged["sha256"], replaces=old, sidecars=True)
    place.check_settled(str(old), extra=(os.path.basename(staged["staged"]),))


@pytest.mark.parametrize("name", ["previous", "sidecar", "sidecar_previous", "pinned"])
def test_a_directory_in_the_place_of_our_file_is_found_before_the_switch(place: Place, name: str) -> None:
    path = str(getattr(place.names, name))
    if os.path.exists(path):
        os.unlink(path)
    os.mkdir(path)
    old = place.live()
    place.write(document(9), T0 + 10**9)
    for check in (True, False):
        answer = place.run(check=check)
        assert answer["failed"]
        assert answer["code"] in ("place_not_a_file", "sidecar_not_a_file")
        assert path in answer["msg"]
    assert place.live() == old
    assert place.leftovers() == []
    staged = Path(place.names.staged("a" * 64))
    staged.write_bytes(b"x")
    if name == "previous":
        with pytest.raises(SwitchError, match="not a regular file"):
            switch.activate(place.names, sha256(b"x"), replaces=old, check=True)


def test_a_fifo_in_the_place_of_a_small_file_does_not_hang_the_run(place: Place) -> None:
    for path in (place.names.sidecar, place.names.pinned, place.names.sidecar_previous):
        if os.path.exists(path):
            os.unlink(path)
        os.mkfifo(path)
        assert json_object.load(path) is None
    answer = place.run(force=True)
    assert answer["code"] == "sidecar_not_a_file"


@pytest.mark.parametrize("content", [b"[" * 100_000, b'{"source": {"size": 1, "mtime_ns": 2}}'])
def test_a_small_file_that_somebody_edited_badly_counts_as_none(place: Place, content: bytes) -> None:
    sidecar = place.sidecar() or {}
    edited = content
    if b"source" in content:
        del sidecar["source"]["sha256"]
        edited = json.dumps(sidecar).encode()
    for path in (place.names.sidecar, place.names.sidecar_previous, place.names.pinned):
        Path(path).write_bytes(edited)
    answer = place.run()
    assert (answer.get("reason"), answer.get("code")) == ("fresh", None), answer
    place.write(document(9), T0 + 10**9)
    assert place.run()["reason"] == "newer"


def test_the_json_as_destination_is_refused(place: Place) -> None:
    content = place.json.read_bytes()
    other = place.directory / "link.npz"
    os.link(place.json, other)
    for dest in (place.json, other):
        answer = place.run(dest=str(dest), force=True)
        assert (answer.get("failed"), answer.get("code")) == (True, "bad_argument"), answer
    assert place.json.read_bytes() == content


def test_a_json_that_is_being_written_is_told_not_waited_for(place: Place) -> None:
    def write_on() -> dict[str, Any]:
        end = time.monotonic() + 20
        with place.json.open("ab", buffering=0) as file:
            while time.monotonic() < end:
                file.write(b" ")
                time.sleep(0.002)
        return {}

    pid, read = module_run.fork(write_on)
    try:
        time.sleep(0.1)
        start = time.monotonic()
        answer = place.run()
        assert time.monotonic() - start < 10
    finally:
        os.kill(pid, 9)
        os.waitpid(pid, 0)
        os.close(read)
    assert (answer.get("code"), "being written" in answer.get("msg", "")) == ("source_changed", True), answer


def test_a_stuck_holder_of_the_lock_is_told(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live, "_PATIENCE_S", 0.1)
    place.write(document(9), T0 + 10**9)
    old = place.live()
    with live.exclusive(Names(str(place.npz))):
        _signal, answer = module_run.in_fork(place.run)
    assert (answer.get("code"), "fuser" in answer.get("msg", "")) == ("busy", True), answer
    assert place.live() == old


def test_a_diff_shows_a_change_of_the_mode_alone(place: Place) -> None:
    answer = module_run.run_here("convert_survivors", place.args(mode="0600"), check=True, diff=True)
    assert answer["changed"] is True
    assert (answer["diff"]["before"]["mode"], answer["diff"]["after"]["mode"]) == ("0644", "0600")
