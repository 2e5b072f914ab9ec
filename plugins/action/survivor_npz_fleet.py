"""Take one decision over the fleet, on the controller: read what hosts registered, return groups and the report."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import ansible.module_utils
import yaml
from ansible import constants  # type: ignore[attr-defined]
from ansible.errors import AnsibleError
from ansible.plugins.action import ActionBase

ROOT = Path(__file__).resolve().parents[2]
# Modules find our package through the setting `module_utils`; a plugin has to be told.
ansible.module_utils.__path__.append(str(ROOT / "module_utils"))
from ansible.module_utils.survivor_npz.controller.fleet import goal as goals
from ansible.module_utils.survivor_npz.controller.fleet import membership, plan, preflight, proof, table, variables
from ansible.module_utils.survivor_npz.controller.fleet import status as statuses
from ansible.module_utils.survivor_npz.controller.fleet.membership import Team

RELOOK = 35.0  # seconds: a look older than this is repeated before a start, which allows 60
LEASE = "__survivor_npz_lease"


class _StopError(Exception):
    """The decision is no: `message`, and per host what is wrong."""

    def __init__(self, phase: str, message: str, hosts: Mapping[str, list[str]] | None = None) -> None:
        super().__init__(message)
        self.report = {"phase": phase, "hosts": dict(hosts or {})}


class ActionModule(ActionBase):  # type: ignore[misc] # Ansible ships no types
    """See library/survivor_npz_fleet.py for options and results."""

    TRANSFERS_FILES = False
    _requires_connection = False

    def run(self, tmp: Any = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Decide; a decision against going on fails by itself."""
        super().run(tmp, task_vars)
        self._vars = task_vars or {}
        self._args = dict(self._task.args)
        self._report: dict[str, Any] = {}
        phases = {
            "guard": self._guard,
            "preflight": self._preflight,
            "plan": self._plan,
            "rollback": self._rollback,
            "received": self._received,
            "barrier": self._barrier,
            "switched": self._switched,
            "proof": self._proof,
            "status": self._status,
        }
        phase = self._args.get("phase")
        if phase not in phases:
            raise AnsibleError(f"survivor_npz_fleet: phase is {phase}; it must be one of {', '.join(phases)}.")
        try:
            found = phases[phase]()
        except _StopError as stop:
            self._report["faults"] = stop.report
            return {"failed": True, "changed": False, "msg": str(stop), "report": self._report}
        return {"changed": False, "report": self._report, **found}

    # -- what was registered -------------------------------------------------------------------------------

    def _registered(self, hosts: list[str], *names: str) -> tuple[dict[str, Any], ...]:
        """What tasks registered, for each name by host; hosts without it are left out."""
        found: tuple[dict[str, Any], ...] = tuple({} for _ in names)
        for host in hosts:
            known = self._vars["hostvars"][host]
            for place, name in zip(found, names):
                value = known.get(f"__survivor_npz_{name}") if f"__survivor_npz_{name}" in known else None
                if isinstance(value, Mapping) and not value.get("skipped"):
                    place[host] = value
        return found

    def _looks(self, hosts: list[str]) -> dict[str, Any]:
        looks = self._registered(hosts, "look")[0]
        return {host: looks.get(host) for host in hosts}

    @property
    def _team(self) -> Team:
        """The fleet as the guard found it."""
        guard = self._vars.get("__survivor_npz_guard")
        if not isinstance(guard, Mapping) or "team" not in guard:
            raise _StopError(
                "guard", "The guard did not run (--start-at-task, or --skip-tags always?): run the whole playbook."
            )
        return Team(**guard["team"])

    @property
    def _options(self) -> dict[str, Any]:
        options = dict(self._args["options"])
        options["check"] = bool(self._task.check_mode)
        return options

    def _plays(self, tag: str) -> bool:
        """Whether the operator's tags let tasks with this tag run."""
        run, skip = self._vars.get("ansible_run_tags", ["all"]), self._vars.get("ansible_skip_tags", [])
        wanted = any(name in run for name in ("all", "tagged", tag))
        return wanted and not any(name in skip for name in ("all", "tagged", tag))

    # -- phases --------------------------------------------------------------------------------------------

    def _guard(self) -> dict[str, Any]:
        scope = self._args.get("scope", "fleet")
        team = membership.team_of(self._vars["groups"], self._args)
        played = list(self._vars["ansible_play_hosts_all"])
        limit = self._vars.get("ansible_limit")
        if scope == "coordinator":
            faults = self._without_coordinator(team, played, limit)
        else:
            faults = list(team.faults)
            batch = list(self._vars.get("ansible_play_batch", played))
            faults += [] if faults or scope == "status" else membership.left_out(team, played, batch, limit)
        hosts = [host for host in team.hosts if host in played]
        lead = [team.coordinator] if team.coordinator in played else []
        values = self._values(team.hosts if scope == "fleet" else lead or hosts)
        wrong = self._reserved(values) + self._tags() + self._misgiven(values)
        self._report["options"] = {
            "path": str(values.get(str(team.coordinator), {}).get("survivor_npz_report", "")),
            "skipped": team.skipped,
        }
        if wrong or (faults and scope != "status"):
            raise _StopError("guard", " ".join([*faults, *wrong]) + " Nothing was done.")
        members = membership.groups_for(team if scope == "fleet" else team._replace(rigs=[]))
        if scope == "status":
            members = {host: names for host, names in membership.groups_for(team).items() if host in played}
        return {
            "team": {**team._asdict(), "faults": faults},
            "members": [{"name": host, "groups": groups} for host, groups in members.items()],
            "played": played,
            "controller_pid": os.getppid(),
        }

    def _without_coordinator(self, team: Team, played: list[str], limit: Any) -> list[str]:
        if team.coordinator is None:
            return team.faults[:1]
        if team.coordinator not in played:
            return [f"--limit {limit or ''} leaves out {team.coordinator}, the coordinator; run without --limit."]
        return []

    def _values(self, hosts: list[str]) -> dict[str, dict[str, Any]]:
        """Variables of ours that the inventory, -e, or the play sets, by host."""
        own = {
            name: self._templar.template(value)
            for name, value in self._vars.items()
            if name.startswith(variables.PREFIX) and name in self._args["play_vars"]
        }
        found = {}
        for host in hosts:
            known = self._vars["hostvars"][host]
            names = [name for name in known if name.startswith((variables.PREFIX, variables.INTERNAL))]
            values: dict[str, Any] = dict(own)
            for name in names:
                try:
                    values[name] = known[name] if name.startswith(variables.PREFIX) else None
                except Exception as error:  # a template of the operator's that can't be evaluated
                    message = " ".join(str(error).split())
                    raise _StopError("guard", f"{name} can't be evaluated for {host}: {message}") from error
            found[host] = values
        return found

    def _reserved(self, values: Mapping[str, Mapping[str, Any]]) -> list[str]:
        earlier = self._vars.get("__survivor_npz_guard")
        if isinstance(earlier, Mapping) and earlier.get("controller_pid") == os.getppid():
            return []  # an earlier playbook of the same command left its groups and results
        names = {name for known in values.values() for name in known}
        taken = variables.reserved(names) + sorted(
            name for name in self._vars["groups"] if name.startswith(variables.PREFIX)
        )
        return [f"{', '.join(taken)}: names that begin like this are internal; do not set them."] if taken else []

    def _tags(self) -> list[str]:
        if Path(str(self._vars.get("playbook_dir", ""))).resolve() != ROOT / "playbooks":
            return []  # in a play of the operator's own, other tags are none of our business
        return variables.tag_problems(
            self._vars.get("ansible_run_tags", []), self._vars.get("ansible_skip_tags", [])
        )

    def _misgiven(self, values: Mapping[str, Mapping[str, Any]]) -> list[str]:
        specs = yaml.safe_load(Path(self._args["argument_specs"]).read_text(encoding="utf-8"))
        known = variables.options_of(specs["argument_specs"])
        found: dict[str, list[str]] = {}
        judged: dict[str, list[str]] = {}
        for host, given in values.items():
            ours = {name: value for name, value in given.items() if name.startswith(variables.PREFIX)}
            key = repr(ours)
            if key not in judged:
                judged[key] = variables.problems(ours, known)
            for fault in judged[key]:
                found.setdefault(fault, []).append(host)
        return [
            fault if len(hosts) == len(values) else f"{', '.join(hosts)}: {fault}" for fault, hosts in found.items()
        ]

    def _preflight(self) -> dict[str, Any]:
        team, options = self._team, self._options
        answers = self._looks(team.hosts)
        found = preflight.preflight(answers, str(team.coordinator), options)
        self._report["fleet"] = table.rows(team, answers, {}, {})
        self._report["warnings"] = preflight.warnings(preflight.looks_of(answers, team.coordinator)[0])
        if found:
            who = ", ".join(found)
            raise _StopError("preflight", f"Faults on {who}; nothing was changed on any host.", found)
        return {}

    def _plan(self) -> dict[str, Any]:
        team, options = self._team, self._options
        lead = str(team.coordinator)
        answers = self._looks(team.hosts)
        if options["convert"] == "never":
            result, goal = None, goals.from_live(answers[lead])
        else:
            result = self._args["conversion"]
            goal = goals.from_decision(answers[lead], result)
        self._report["convert"] = goals.conversion(
            result, goal, options["check"] or not self._args.get("converted", True)
        )
        if goal["due"] and not self._plays("convert") and (self._plays("distribute") or self._plays("run")):
            raise _StopError(
                "convert",
                f"A conversion is due (reason: {goal['reason']}), and the chosen tags leave it out. "
                "Run without --tags, or with --tags convert,distribute,run. No host was changed.",
            )
        warned = list((result or {}).get("warned") or []) or statuses.foreign(answers[lead], result)
        return self._planned(team, answers, goal, options, warned)

    def _rollback(self) -> dict[str, Any]:
        team, options = self._team, {**self._options, "convert": "auto", "needs_json": False}
        self._args["options"] = options
        self._preflight()
        answers = self._looks(team.hosts)
        goal = goals.from_previous(answers[str(team.coordinator)], options["json"])
        if "refused" in goal:
            raise _StopError("rollback", f"{goal['refused']} No host was changed.")
        self._report["rollback"] = {
            "sha256": goal["sha256"],
            "survivor_count": goal["survivor_count"],
            "source_mtime_ns": goal["source_mtime_ns"],
            "replaced": goal["replaces"],
            "stays": goal["stays"],
            "json": options["json"],
            "done": not options["check"],
        }
        return self._planned(team, answers, goal, options, [])

    def _planned(
        self, team: Team, answers: dict[str, Any], goal: dict[str, Any], options: dict[str, Any], warned: list[str]
    ) -> dict[str, Any]:
        lead, check = str(team.coordinator), options["check"]
        few = goals.too_few(goal, options["min_survivors"], goal["reason"] == "rollback")
        if few:
            raise _StopError("convert", few)
        parts, found = plan.plan(answers, goal, options["convert"], lead)
        will = check and self._plays("distribute")
        self._report["fleet"] = table.rows(team, answers, parts, {}, will=will)
        if options["for_run"]:
            warned = warned + goals.sample_warnings(goal["survivor_count"], options["scorer_args"])
        self._report["warnings"] = [*preflight.warnings(answers), *warned]
        if found:
            raise _StopError(
                "distribute", f"{', '.join(found)} can't take part; nothing live was changed on any host.", found
            )
        members = {host: ["survivor_npz_differ"] for host, part in parts.items() if part["changes"] or part["open"]}
        differ = list(members)
        receivers = [host for host, part in parts.items() if part["receive"] and not check]
        for host in receivers:
            members[host].append("survivor_npz_receive")
        if differ and not check:
            members.setdefault(lead, []).append("survivor_npz_switching")
        if receivers:
            members[lead].append("survivor_npz_sending")
        parcel = os.path.join(constants.DEFAULT_LOCAL_TMP, "survivor_npz", f"{goal['sha256']}.npz")
        return {
            "goal": goal,
            "parts": parts,
            "members": [{"name": host, "groups": groups} for host, groups in members.items()],
            "parcel": parcel,
        }

    @property
    def _plan_made(self) -> Any:
        made = self._vars.get("__survivor_npz_plan")
        if not isinstance(made, Mapping) or "parts" not in made:
            raise _StopError("distribute", "There is no plan of this run: run the whole playbook.")
        return made

    def _received(self) -> dict[str, Any]:
        parts = self._plan_made["parts"]
        hosts = [host for host, part in parts.items() if part["receive"]]
        found = proof.received(dict.fromkeys(hosts) | self._registered(hosts, "received")[0])
        if found:
            self._stop_at_barrier(found)
        return {}

    def _stop_at_barrier(self, found: dict[str, list[str]]) -> None:
        who = ", ".join(found)
        verb = "is" if len(found) == 1 else "are"
        raise _StopError(
            "barrier", f"Stopped before the switch: {who} {verb} not ready. Nothing live was changed.", found
        )

    def _barrier(self) -> dict[str, Any]:
        made = self._plan_made
        answers = self._registered(list(made["parts"]), "staged")[0]
        found = proof.barrier(made["parts"], answers, made["goal"]["sha256"])
        if found:
            self._stop_at_barrier(found)
        cleared = [host for host, part in made["parts"].items() if part["switch"] or part["attributes"]]
        return {"members": [{"name": host, "groups": ["survivor_npz_cleared"]} for host in cleared]}

    def _switched(self) -> dict[str, Any]:
        team, made = self._team, self._plan_made
        hosts = [host for host in self._args["hosts"] if host in made["parts"]]
        answers = self._registered(hosts, "switched")[0]
        asked = [host for host in hosts if host != team.coordinator or host in answers]
        found = proof.unswitched(asked, answers)
        members = {host: ["survivor_npz_reverting"] for host in asked} if found else {}
        if found:
            members.setdefault(str(team.coordinator), []).append("survivor_npz_renewing")
        return {
            "unswitched": found,
            "answered": proof.answered(asked, answers),
            "members": [{"name": host, "groups": groups} for host, groups in members.items()],
        }

    # -- the proof -----------------------------------------------------------------------------------------

    def _proof(self) -> dict[str, Any]:
        team, options, made = self._team, self._options, self._plan_made
        lead, goal, parts = str(team.coordinator), made["goal"], made["parts"]
        answers = self._looks(team.hosts)
        names = ("switched", "reverted", "staged", "again")
        results = dict(zip(names, self._registered(team.hosts, *names)))
        changes = {**results["switched"], **results["reverted"]}
        latest = {host: proof.latest(host, answers, changes, results["again"]) for host in team.hosts}
        will = options["check"] and self._plays("distribute")
        unproven = proof.proof(latest, parts, goal, lead, options["convert"], will)
        unswitched = (self._vars.get("__survivor_npz_rigs_switched") or {}).get("unswitched") or (
            self._vars.get("__survivor_npz_all_switched") or {}
        ).get("unswitched")
        named = proof.states(latest, goal["sha256"]) if unswitched else None
        self._report["fleet"] = table.rows(team, answers, parts, results, unproven, named, will)
        self._report["changed_live"] = sorted(
            host for host, answer in results["switched"].items() if answer.get("changed")
        )
        if unswitched:
            states = ", ".join(f"{host} {state}" for host, state in (named or {}).items())
            raise _StopError(
                "activate",
                f"The switch failed on {', '.join(unswitched)}, so the fleet went back. State of each host: {states}. "
                "Fix the host, then run again.",
                unswitched,
            )
        if unproven:
            if not (self._plays("distribute") or self._plays("run")):
                return {"proven": False, "members": []}
            raise _StopError(
                "prove",
                f"Not proven on {', '.join(unproven)}. Fix the host, or run without --tags so that every host is "
                "brought to the same bytes.",
                unproven,
            )
        if goal["due"] and not self._plays("convert"):
            return {"proven": False, "members": []}
        return self._proven(team, options, goal, answers, changes, results["again"])

    def _proven(
        self,
        team: Team,
        options: dict[str, Any],
        goal: dict[str, Any],
        answers: dict[str, Any],
        changes: dict[str, Any],
        again: dict[str, Any],
    ) -> dict[str, Any]:
        """The proof with its stamp: Zeus's boot clock before the oldest look that counts."""
        lead = str(team.coordinator)
        lease = self._vars.get(LEASE)
        lease = lease if isinstance(lease, Mapping) and "number" in lease else None
        waves = {}
        for host in team.hosts:
            if host in again:
                waves[host] = (again[lead]["run"]["stamp"]["clock"], again[lead]["asked_at"])
            elif host in changes and lease:
                waves[host] = (lease["begun"], lease["asked_at"])
            else:
                waves[host] = (answers[lead]["run"]["stamp"]["clock"], answers[lead]["asked_at"])
        now = time.clock_gettime(time.CLOCK_BOOTTIME)
        old = [host for host, (_clock, asked_at) in waves.items() if now - asked_at > RELOOK]
        if old and options["for_run"] and not options["check"] and not again and self._plays("run"):
            groups = {host: ["survivor_npz_look_again"] for host in dict.fromkeys([*old, lead])}
            groups[lead].append("survivor_npz_judge_again")
            return {
                "proven": False,
                "members": [{"name": host, "groups": names} for host, names in groups.items()],
            }
        stamp = dict(answers[lead]["run"]["stamp"])
        stamp["clock"] = min(clock for clock, _asked_at in waves.values())
        if lease:
            stamp["number"] = lease["number"]
        result: dict[str, Any] = {
            "sha256": goal["sha256"],
            "survivor_count": goal["survivor_count"],
            "hosts": team.hosts,
            "stamp": stamp,
        }
        if not options["check"]:
            self._report["proof"] = result
        npz = {"path": goal["live"], "sha256": goal["sha256"], "survivor_count": goal["survivor_count"]}
        return {
            "proven": True,
            "npz": npz,
            **result,
            "members": [{"name": lead, "groups": ["survivor_npz_proven"]}],
        }

    def _status(self) -> dict[str, Any]:
        guard, options = self._vars["__survivor_npz_guard"], self._options
        team = self._team
        lead = team.coordinator
        hosts = [host for host in team.hosts if host in guard["played"]]
        decision = self._registered([lead], "decision")[0].get(lead) if lead in hosts else None
        self._report["status"] = statuses.status(
            team, self._looks(hosts), decision, options, guard["played"], time.time()
        )
        return {"same": self._report["status"]["same"]}
