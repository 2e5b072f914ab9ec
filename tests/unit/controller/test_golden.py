# SPDX-License-Identifier: MIT
"""Deliberate errors, and the final lines that an operator reads: tests/golden/, reviewed by eye."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any
from unittest.mock import Mock

import golden
import pytest
from ansible import context  # type: ignore[attr-defined] # Ansible ships no types
from ansible.module_utils.survivor_npz.controller.fleet import answers
from ansible.module_utils.survivor_npz.controller.run_result import task_result
from hostfacts import IDLE, LIVE, NEW, OLD, OPTIONS, RAM, a_copy, a_directory, a_look, looks
from localfleet import ROOT

from plugins import plugin

deciding, reporting = plugin("action", "survivor_npz_fleet"), plugin("callback", "survivor_npz_report")

SPECS = str(ROOT / "roles" / "survivor_npz" / "meta" / "argument_specs.yml")
GROUPS = {"all": ["zeus", "rig"], "coordinator": ["zeus"], "rigs": ["rig"]}
TEAM = {"coordinator": "zeus", "rigs": ["rig"], "skipped": [], "faults": []}
HOME = "/home/michael/pipeline"
SETTINGS = {**OPTIONS, "for_run": True, "fail_on_difference": False}
CONVERSION = {
    "changed": True,
    "sha256": NEW,
    "checksum": "d" * 40,
    "size": 2_000_000,
    "survivor_count": 98172,
    "reason": "newer",
    "live_sha256": OLD,
    "staged": f"{HOME}/.survivors.npz.{NEW[:16]}.staged",
}


class Game:
    """Plays decisions as a playbook would, and collects what the report shows at the end."""

    def __init__(self, playbook: str = "step25.yml", check: bool = False) -> None:
        context.CLIARGS = {"check": check}
        self.lines: list[str] = []
        self.check = check
        self.report = reporting.CallbackModule()
        self.report._display = SimpleNamespace(display=self._display, warning=pytest.fail)
        self.report.v2_playbook_on_start(SimpleNamespace(_file_name=str(ROOT / "playbooks" / playbook)))
        self.failed = False
        self.vars: dict[str, Any] = {
            "groups": GROUPS,
            "hostvars": {"zeus": {}, "rig": {}},
            "ansible_play_hosts_all": ["zeus", "rig", "localhost"],
            "playbook_dir": str(ROOT / "playbooks"),
            "__survivor_npz_guard": {"team": TEAM, "played": ["zeus", "rig"]},
        }

    def _display(self, line: str, color: str | None = None) -> None:
        self.lines.append(line)

    def task(self, name: str, action: str, host: str, answer: dict[str, Any]) -> None:
        task = SimpleNamespace(
            name=f"survivor_npz : {name} | Do it", action=action, check_mode=self.check, _uuid=name, args={}
        )
        result = SimpleNamespace(_result=answer, _task=task, _host=SimpleNamespace(get_name=lambda: host))
        self.report.v2_playbook_on_task_start(task, False)
        if answer.get("failed"):
            self.failed = True
            self.report.v2_runner_on_failed(result)
        else:
            self.report.v2_runner_on_ok(result)

    def look(self, rig: Any = None, **zeus: Any) -> Game:
        for host, answer in looks(rig or a_look(), **zeus).items():
            self.answers(host, look=answer)
        return self

    def answers(self, host: str, **given: Any) -> Game:
        self.vars["hostvars"][host].update({f"__survivor_npz_{name}": value for name, value in given.items()})
        return self

    def decide(self, phase: str, **args: Any) -> Game:
        """Take a decision; after one against going on, none follows."""
        if self.failed:
            return self
        args = {"phase": phase, "options": SETTINGS, **args}
        task = SimpleNamespace(
            args=args, check_mode=self.check, tags=[], async_val=0, action="survivor_npz_fleet"
        )
        plugin = deciding.ActionModule(task, Mock(), Mock(), Mock(), Mock(), Mock())
        answer = plugin.run(task_vars=self.vars)
        self.vars[f"__survivor_npz_{phase}"] = answer
        self.task(phase, "survivor_npz_fleet", "zeus", answer)
        return self

    def plan(self, rig: Any = None, conversion: Any = None, **zeus: Any) -> Game:
        self.look(rig, **zeus).decide("preflight").decide(
            "plan", conversion={**CONVERSION, **(conversion or {})}
        )
        return self

    def end(self) -> str:
        if self.report._signal:
            return "\n".join(self.lines)
        self.report.v2_playbook_on_stats(SimpleNamespace(failures={"zeus": 1} if self.failed else {}))
        return "\n".join(self.lines)


def guarded(scope: str = "fleet", limit: Any = None, tags: Any = ("all",), **variables: Any) -> Game:
    game = Game()
    played = [limit] if limit else ["zeus", "rig", "localhost"]
    game.vars.update(ansible_limit=limit, ansible_play_hosts_all=played, ansible_run_tags=list(tags))
    for known in game.vars["hostvars"].values():
        known.update(variables)
    groups = {"coordinator_group": "coordinator", "rigs_group": "rigs", "skip_rigs": []}
    return game.decide("guard", scope=scope, argument_specs=SPECS, **groups)


def gone(message: str) -> Game:
    return Game().look({"unreachable": True, "msg": message}).decide("preflight")


def wrong(*copies: Any, **rig: Any) -> Game:
    return Game().look(a_look(*copies, **rig)).decide("preflight")


def zeus(**look: Any) -> Game:
    return Game().look(**look).decide("preflight")


def a_file(name: str, **changes: Any) -> dict[str, Any]:
    usable = {"exists": True, "readable": True, "executable": True, "size": 10**6, "mtime_ns": 2}
    return {"name": name, "path": f"{HOME}/{name}", **usable, **changes}


def missing_everywhere() -> Game:
    rig, lead = (
        a_copy(sha256=None, directory=a_directory(exists=False, path=HOME, nearest="/home", identity=host))
        for host in ("rig", "zeus")
    )
    return Game().look(a_look(rig), copies=[lead]).decide("preflight")


def barrier(staged: Any) -> Game:
    game = Game().plan()
    fine = {"staged": [{"path": LIVE, "sha256": NEW}]}
    return game.answers("rig", staged=staged).answers("zeus", staged=fine).decide("barrier")


def failed_switch() -> Game:
    game = Game().plan()
    game.answers(
        "rig", switched={"failed": True, "msg": "live changed since this run looked at it", "code": "moved"}
    )
    game.decide("switched", hosts=["rig"])
    game.vars["__survivor_npz_all_switched"] = game.vars["__survivor_npz_switched"]
    return game.decide("proof")


def of_the_run(record: dict[str, Any], **answer: Any) -> Game:
    game = Game().plan(a_look(a_copy(sha256=OLD)), {"reason": "fresh", "sha256": OLD, "changed": False})
    game.decide("proof")
    result = task_result({"run": "1", "record": record, **answer}, "", "", True)
    game.task("run", "survivor_npz_live", "zeus", result)
    return game


def rolled_back(previous: Any) -> Game:
    game = Game("rollback.yml")
    main = a_copy(previous=previous, directory=a_directory(identity="zeus"))
    return game.look(copies=[main], files=[a_file("survivors.json")]).decide("rollback")


def status(rig: Any = None, fail: bool = False, **more: Any) -> Game:
    game = Game("status.yml").look(rig, **more)
    game.answers("zeus", decision={**CONVERSION, "reason": "fresh", "sha256": OLD})
    return game.decide("status", options={**SETTINGS, "fail_on_difference": fail})


def interrupted() -> Game:
    game = Game().plan()
    game.report._signal, game.report.live = "Ctrl-C", {"rig": "unknown", "zeus": "switched"}
    game.report._at_exit()
    return game


RUNNING = {
    **IDLE,
    "running": True,
    "message": f"Step 2.5 is running already on zeus: pid 4711, started 2026-11-24T20:00:00Z, log {HOME}/"
    ".survivor_npz/runs/20261124T200000Z-4711/log. Watch it with playbooks/follow.yml, end it with playbooks/stop.yml.",
}
LEASE = {
    "controller": "anna@desk (pid 99)",
    "begun_utc": "2026-11-24T20:00:00Z",
    "until": "2026-11-24T20:03:00Z",
}
FAILED = {
    "verdict": "failed",
    "message": "Step 2.5 failed: exit code 3",
    "exit_code": 3,
    "log": f"{HOME}/.survivor_npz/runs/20261124T200000Z-4711/log",
    "tail": ["Traceback (most recent call last):", "MemoryError"],
}
HELD = {"path": f"{HOME}/.survivors.npz.previous", "sha256": NEW, "sha1": "c" * 40, "size": 9, "fault": None}
CASES: dict[str, Callable[[], Game]] = {
    "variable-misspelt": lambda: guarded(survivor_npz_forse=True),
    "variable-unknown": lambda: guarded(survivor_npz_banana=True),
    "variable-of-the-run": lambda: guarded(__survivor_npz_plan={}),
    "variable-list-as-text": lambda: guarded(survivor_npz_scorer_args="100 --sample-size 50"),
    "variable-mode-as-number": lambda: guarded(survivor_npz_mode=644),
    "limit-to-a-rig": lambda: guarded(limit="rig"),
    "tag-unknown": lambda: guarded(tags=["convrt"]),
    "json-missing": lambda: zeus(files=[a_file("survivors.json", exists=False)]),
    "history-missing": lambda: zeus(files=[a_file("train_history.json", exists=False)]),
    "script-missing": lambda: zeus(files=[a_file("script.sh", exists=False)]),
    "script-unreadable": lambda: zeus(files=[a_file("script.sh", readable=False)]),
    "directory-missing-everywhere": missing_everywhere,
    "rig-down": lambda: gone("ssh: connect to host 192.0.2.12 port 22: No route to host"),
    "host-key-unknown": lambda: gone(
        "No ED25519 host key is known for rig and you have requested strict checking."
    ),
    "host-key-changed": lambda: gone(
        "@@@@ WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED! @@@@ Offending key in x:3"
    ),
    "login-refused": lambda: gone("michael@192.0.2.12: Permission denied (publickey,password)."),
    "home-full": lambda: gone("Authentication or permission failure. Failed to create temporary directory."),
    "disk-hangs": lambda: (
        Game().look({"failed": True, "msg": "Timed out after 60 second(s)."}).decide("preflight")
    ),
    "python-missing": lambda: (
        Game()
        .look({"failed": True, "msg": "The module interpreter '/usr/bin/python3' was not found."})
        .decide("preflight")
    ),
    "python-old": lambda: wrong(python="3.8.10"),
    "clock-off": lambda: wrong(skew=-3600.0),
    "libraries-missing": lambda: zeus(libraries={"numpy": None, "orjson": None}),
    "directory-mode-555": lambda: wrong(a_copy(directory=a_directory(writable=False, mode="0555"))),
    "directory-of-root": lambda: wrong(
        a_copy(directory=a_directory(writable=False, mode="0755", owner="root"))
    ),
    "directory-exposed": lambda: wrong(
        a_copy(directory=a_directory(untrusted=["/home belongs to mallory, who could replace the NPZ."]))
    ),
    "disk-full": lambda: Game().plan(a_look(a_copy(directory=a_directory(free=4096)))),
    "npz-is-a-symlink": lambda: zeus(
        copies=[
            a_copy(
                kind="symlink", target=f"{HOME}/.s172_accumulator/a.npz", directory=a_directory(identity="z")
            )
        ]
    ),
    "ram-copy-is-a-directory": lambda: wrong(a_copy(), a_copy(RAM, kind="other")),
    "owner-unknown": lambda: wrong(
        accounts={"owner": {"wanted": "micheal", "name": None, "grantable": False}}
    ),
    "one-file-two-names": lambda: wrong(a_copy(directory=a_directory(identity="zeus"))),
    "code-differs": lambda: (
        Game().look(a_look(same_files={"scorer.py": OLD}), same_files={"scorer.py": NEW}).decide("preflight")
    ),
    "step25-runs": lambda: zeus(run=RUNNING),
    "another-controller": lambda: zeus(run={**IDLE, "lease": {**LEASE, "left": 120.0}}),
    "answer-forged": lambda: (
        Game().look(answers.clean("survivor_npz_look", {"copies": "all right"})).decide("preflight")
    ),
    "survivors-none": lambda: Game(check=True).plan(conversion={"survivor_count": 0}),
    "rollback-without-previous": lambda: rolled_back(None),
    "rollback-previous-damaged": lambda: rolled_back(
        {**HELD, "fault": "BadZipFile: bad CRC", "survivors": 7}
    ),
    "staging-failed": lambda: barrier({"failed": True, "msg": f"{LIVE}: No space left on device"}),
    "staging-silent": lambda: barrier({"staged": [{"path": LIVE, "sha256": OLD}]}),
    "switch-failed": failed_switch,
    "proof-failed": lambda: Game().plan().decide("proof"),
    "run-failed": lambda: of_the_run(FAILED),
    "run-refused": lambda: of_the_run(
        {}, failed=True, refused={"stale": {}}, run=None, msg="It was last looked at 70 s ago"
    ),
    "run-ok": lambda: of_the_run(
        {**FAILED, "verdict": "ok", "exit_code": 0, "message": "Step 2.5 finished successfully"}
    ),
    "interrupted": interrupted,
    "dry-run": lambda: (
        Game(check=True).plan(conversion={"warned": ["fewer than half the survivors"]}).decide("proof")
    ),
    "status": lambda: status(a_look(a_copy(), a_copy(RAM, sha256=NEW))),
    "status-running": lambda: status(run=RUNNING),
    "status-rig-down": lambda: status({"unreachable": True, "msg": "ssh: No route to host"}, fail=True),
}


@pytest.mark.parametrize("name", CASES)
def test_the_last_lines_of_an_error_are_the_reviewed_ones(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(context, "CLIARGS", {})
    monkeypatch.setattr(reporting.signal, "signal", Mock())
    monkeypatch.setattr(reporting.atexit, "register", Mock())
    monkeypatch.setattr("time.time", lambda: 7200.0)
    golden.check(name, CASES[name]().end())
