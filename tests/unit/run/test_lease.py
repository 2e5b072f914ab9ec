# SPDX-License-Identifier: MIT
"""The lease: who may change the fleet, until when, and what is no lease. In this process."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import Any, Iterator

import pytest
from ansible.module_utils.survivor_npz.run.supervise import home, lease
from ansible.module_utils.survivor_npz.run.supervise.clocks import boot_id, uptime, utc


@pytest.fixture(autouse=True)
def no_descriptor_is_left_open() -> Iterator[None]:
    before = len(os.listdir("/proc/self/fd"))
    yield
    assert len(os.listdir("/proc/self/fd")) <= before


LEASE = {
    "number": 3,
    "token": "t",
    "controller": "laptop",
    "boot": "b",
    "begun": 5.0,
    "expires": 65.0,
    "begun_utc": "noon",
    "ended": False,
}


def write_lease(directory: Path, content: Any) -> None:
    own = Path(home.make_private(str(directory)))
    (own / "lease.json").write_text(content if isinstance(content, str) else json.dumps(content))


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("{", "it is not JSON"),
        ([1], "not a JSON object"),
        ({**LEASE, "number": 0}, "less than 1"),
        ({**LEASE, "number": True}, "'number'"),
        ({**LEASE, "expires": "5"}, "'expires'"),
        ({**LEASE, "expires": False}, "'expires'"),
        ({**LEASE, "ended": 1}, "'ended'"),
        *(({k: value for k, value in LEASE.items() if k != key}, f"'{key}'") for key in LEASE),
    ],
)
def test_a_file_that_is_no_lease_passes_for_one(tmp_path: Path, content: Any, says: str) -> None:
    write_lease(tmp_path, content)
    with pytest.raises(lease.LeaseError, match=says) as refusal:
        lease.read(str(tmp_path))
    assert refusal.value.note == {}
    found = lease.state(str(tmp_path))
    assert found["stamp"]["number"] is None
    assert says in found["lease"]["trouble"]


@pytest.mark.parametrize("kind", ["link", "fifo"])
def test_a_lease_is_read_from_elsewhere_or_waited_for_for_ever(tmp_path: Path, kind: str) -> None:
    write_lease(tmp_path, LEASE)
    path = Path(home.home(str(tmp_path)), "lease.json")
    path.rename(tmp_path / "elsewhere")
    if kind == "link":
        path.symlink_to(tmp_path / "elsewhere")
    else:
        os.mkfifo(path)
    with pytest.raises(lease.LeaseError, match="Too many levels of" if kind == "link" else "it is not JSON"):
        lease.read(str(tmp_path))


def test_a_lease_is_told_otherwise_than_it_is(tmp_path: Path) -> None:
    assert lease.state(str(tmp_path))["lease"] is None
    assert lease.state(str(tmp_path))["stamp"]["number"] == 0
    now = uptime()
    held = {**LEASE, "boot": boot_id(), "begun": now, "expires": now + 60, "controller": "a\x1bb" + "x" * 300}
    write_lease(tmp_path, held)
    found = lease.read(str(tmp_path))
    assert found["controller"] == "a?b" + "x" * 197
    write_lease(tmp_path, {**LEASE, "begun": 5, "begun_utc": "a\x1bb" + "x" * 300})
    assert lease.read(str(tmp_path))["begun_utc"] == "a?b" + "x" * 197
    note = lease.note(found)
    assert 55 < note["left"] <= 60 and note["expired"] is False
    assert set(note) == {"number", "token", "controller", "begun_utc", "ended", "until", "left", "expired"}
    assert utc(50) < note["until"] <= utc(61)
    assert "transaction 3, begun noon, until" in lease.who(found)
    restarted = {**found, "boot": "another", "begun": 10**9, "expires": 10**9 + 60.0}
    assert lease.ends(restarted) == 60
    assert "expired at" in lease.who(restarted) and lease.note(restarted)["left"] == 0
    assert "has ended" in lease.who({**found, "ended": True})


def test_a_lease_of_another_is_no_conflict_or_ones_own_is() -> None:
    now = uptime()
    held = {**LEASE, "boot": boot_id(), "begun": now, "expires": now + 60}
    assert lease.conflict({}, 0, "me") == ""
    assert "is changing the fleet" in lease.conflict(held, 3, "me")
    assert lease.conflict(held, 3, "t") == ""
    assert lease.conflict(held, 2, "t") == ""
    ended = {**held, "ended": True}
    assert lease.conflict(ended, 3, "me") == ""
    assert "after this run looked" in lease.conflict(ended, 2, "me")
    assert lease.conflict(ended, 2, "t") == ""
    assert "was 4 and is 3 now" in lease.conflict(ended, 4, "me")
    assert "was 1 and is 0 now" in lease.conflict({}, 1, "me")
    expired = {**held, "expires": now - 1}
    assert lease.conflict(expired, 3, "me") == ""


def test_a_lease_lasts_longer_than_it_was_given_or_is_ended_by_another(tmp_path: Path) -> None:
    where = str(tmp_path)
    assert lease.end(where, "me") is False
    assert not os.path.lexists(home.home(where)), "to end a lease makes nothing"
    for token, seconds in (("", 5.0), ("me", 0.0), ("me", 600.5)):
        with pytest.raises(lease.LeaseError, match="from 1 to 600"):
            lease.take(where, token, "laptop", seconds, seen=0)
    foretold, _ = lease.take(where, "me", "laptop", 600, seen=0, dry=True)
    assert (foretold["number"], lease.read(where)) == (1, {})
    taken, former = lease.take(where, "me", "laptop", 60, seen=0)
    assert (taken["number"], former, lease.read(where)) == (1, {}, taken)
    assert taken["expires"] == round(taken["begun"] + 60, 3)
    assert lease.take(where, "me", "laptop", 60, seen=0) == (taken, {}), "the same request repeated"
    with pytest.raises(lease.LeaseError, match="Nothing live was changed") as refusal:
        lease.take(where, "other", "pc", 60, seen=1)
    assert refusal.value.note["controller"] == "laptop"
    with pytest.raises(lease.LeaseError, match="took it over"):
        lease.renew(where, "other", 60)
    renewed = lease.renew(where, "me", 10**6)
    assert taken["expires"] < renewed["expires"] <= uptime() + 600
    assert lease.read(where) == renewed
    assert lease.end(where, "other") is False
    assert lease.end(where, "me") is True
    assert lease.end(where, "me") is False
    with pytest.raises(lease.LeaseError, match="has ended"):
        lease.renew(where, "me", 60)
    second, former = lease.take(where, "other", "pc", 60, seen=1)
    assert (second["number"], former) == (2, {})
    write_lease(tmp_path, {**second, "expires": uptime() - 1})
    third, former = lease.take(where, "me", "laptop", 60, seen=2)
    assert (third["number"], former["token"]) == (3, "other"), "it was never ended: what it staged must go"
    write_lease(tmp_path, {**third, "expires": uptime() - 1})
    fourth, former = lease.take(where, "me", "x" * 300, 60, seen=2)
    assert fourth["expires"] > uptime() and former == {}, "asked for again when it had expired"
    assert fourth["controller"] == "x" * 200
    os.unlink(os.path.join(home.home(where), "lease.json"))
    with pytest.raises(lease.LeaseError, match="was removed"):
        lease.renew(where, "me", 60)
    assert lease.end(where, "me") is False


def test_a_lease_is_lost_in_a_power_cut(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    steps: list[str] = []
    flush, rename = os.fsync, os.replace

    def fsync(descriptor: int) -> None:
        steps.append(os.readlink(f"/proc/self/fd/{descriptor}"))
        flush(descriptor)

    def replace(source: str, target: str) -> None:
        steps.append("rename")
        assert json.loads(Path(source).read_text())["number"] == 1, "all of it is written"
        rename(source, target)

    monkeypatch.setattr(os, "fsync", fsync)
    monkeypatch.setattr(os, "replace", replace)
    own = home.make_private(str(tmp_path))
    steps.clear()
    lease.take(str(tmp_path), "me", "laptop", 60, seen=0)
    assert steps == [f"{own}/lease.json.tmp", "rename", own]
    assert os.lstat(f"{own}/lease.json").st_mode & 0o777 == 0o600


def test_a_lock_file_that_was_removed_guards_the_lease(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, tried = os.path.join(home.home(str(tmp_path)), "lease.lock"), list[int]()

    def try_lock(descriptor: int) -> bool:
        if not tried:
            os.unlink(path)
        tried.append(descriptor)
        return home.try_lock(descriptor)

    monkeypatch.setattr(lease, "try_lock", try_lock)
    with lease.locked(str(tmp_path)):
        assert len(tried) == 2 and os.path.exists(path)


def test_the_leases_lock_is_held_or_waited_for_for_ever(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = os.path.join(home.make_private(str(tmp_path)), "lease.lock")
    held = home.open_lock(path, create=True)
    assert home.try_lock(held)
    monkeypatch.setattr(lease, "_PATIENCE", 0.1)
    with pytest.raises(lease.LeaseError, match=r"has been locked for 0\.1 s"):
        lease.take(str(tmp_path), "me", "laptop", 60, seen=0)
    monkeypatch.setattr(lease, "_PATIENCE", 10.0)
    monkeypatch.setattr(time, "sleep", lambda _seconds: os.close(held))
    lease.take(str(tmp_path), "me", "laptop", 60, seen=0)
