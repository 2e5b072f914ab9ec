# SPDX-License-Identifier: MIT
"""A rig was cut off during a run; for an hour the operator only saw that the script was running."""

from __future__ import annotations

import socket
from typing import Any

import pytest
from ansible.module_utils.survivor_npz.controller.rig_watch import RigWatch, places

from plugins import plugin

module = plugin("action", "survivor_npz_live")

HERE = "127.0.0.1"


def listen(port: int = 0) -> socket.socket:
    return socket.create_server((HERE, port))


def test_a_rig_that_was_cut_off_during_a_run_was_not_named() -> None:
    with listen() as server:
        port = server.getsockname()[1]
        watch = RigWatch({"rig-6600": (HERE, port)})
        watch.look()
        watch.look()
        assert watch.news() == []
    watch.look()
    watch.look()
    (gone,) = watch.news()
    assert gone.startswith(f"rig-6600 has stopped answering ({HERE} port {port})")
    with listen(port):
        watch.look()
        assert watch.news() == ["rig-6600 answers again."]
    assert watch.news() == []


def test_a_rig_behind_a_gateway_was_called_dead() -> None:
    with listen() as server:
        port = server.getsockname()[1]
    watch = RigWatch({"rig-6600": (HERE, port)})
    watch.look()
    assert watch.news() == []


def test_a_local_rig_is_not_watched() -> None:
    known = {
        "here": {"ansible_connection": "local"},
        "rig": {"ansible_host": "192.0.2.7", "ansible_port": "2222"},
        "name": {},
    }
    found = places({"__survivor_npz_guard": {"team": {"rigs": list(known)}}, "hostvars": known})
    assert found == {"rig": ("192.0.2.7", 2222), "name": ("name", 22)}
    assert places({}) == {}


@pytest.mark.parametrize("quiet", [True, False])
def test_the_screen_only_said_that_the_pid_is_running(quiet: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    shown: list[str] = []
    monkeypatch.setattr(module.RigWatch, "news", lambda _: ["rig has stopped answering"])
    monkeypatch.setattr(module.display, "display", lambda text, **_: shown.append(text))
    action: Any = module.ActionModule.__new__(module.ActionModule)
    action._vars, action._run = {}, {"run": "r"}
    action._args = {"quiet": quiet, "follow": True, "backlog": 0, "sign_of_life": 30}
    answer = {"data": "", "elapsed": 61, "offset": 0, "times": [], "silent": 0, "size": 0, "log_cut": None}
    action._steady = lambda **_: {**answer, "running": False, "record": {}}
    action._result = lambda *_: "over"
    assert action._watch() == "over"
    assert shown == ["[0:01:01] rig has stopped answering"]
