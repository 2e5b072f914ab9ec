# SPDX-License-Identifier: MIT
"""Take one decision over the fleet, on the controller: read what hosts registered, return groups and the report."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import ansible.module_utils
from ansible import constants  # type: ignore[attr-defined]
from ansible.errors import AnsibleError
from ansible.plugins.action import ActionBase

ROOT = Path(__file__).resolve().parents[2]
# Modules find our package through the setting `module_utils`; a plugin needs this line.
ansible.module_utils.__path__.append(str(ROOT / "module_utils"))
from ansible.module_utils.survivor_npz.controller.fleet import goal as goals
from ansible.module_utils.survivor_npz.controller.fleet import plan, preflight, proof, table
from ansible.module_utils.survivor_npz.controller.fleet import status as statuses
from ansible.module_utils.survivor_npz.controller.fleet.decision import Stop, one, plays, registered
from ansible.module_utils.survivor_npz.controller.fleet.guard import guard
from ansible.module_utils.survivor_npz.controller.fleet.membership import Team
from ansible.module_utils.survivor_npz.controller.preload import preload

preload()


def _members(groups: Mapping[str, list[str]]) -> list[dict[str, Any]]:
    """Hosts and the groups that they join, as `add_host` takes them."""
    return [{"name": host, "groups": joined} for host, joined in groups.items()]


class ActionModule(ActionBase):  # type: ignore[misc] # Ansible ships no types
    """Take the decision that the task names as `phase`; the role's tasks show the options of each."""

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
            "reverted": self._reverted,
            "proof": self._proof,
            "status": self._status,
            "workers": self._workers,
        }
        phase = self._args.get("phase")
        if phase not in phases:
            raise AnsibleError(f"survivor_npz_fleet: phase is {phase}; must be one of {', '.join(phases)}.")
        try:
            found = phases[phase]()
        except Stop as stop:
            self._report["faults"] = stop.report
            return {"failed": True, "changed": False, "msg": str(stop), "report": self._report}
        return {"changed": False, "report": self._report, **found}

    def _registered(self, hosts: list[str], *names: str) -> tuple[dict[str, Any], ...]:
        return registered(self._vars, hosts, *names)

    def _looks(self, hosts: list[str]) -> dict[str, Any]:
        looks = self._registered(hosts, "look")[0]
        return {host: looks.get(host) for host in hosts}

    @property
    def _team(self) -> Team:
        """The fleet as the guard found it."""
        return Team(**one(self._vars, "guard", "team")["team"])

    @property
    def _plan_made(self) -> Any:
        return one(self._vars, "plan", "parts")

    @property
    def _options(self) -> dict[str, Any]:
        known = self._vars["hostvars"]
        addresses = {
            rig: str(known[rig].get("ansible_host", rig)) for rig in [*self._team.rigs, *self._team.skipped]
        }
        return {**self._args["options"], "check": bool(self._task.check_mode), "addresses": addresses}

    def _plays(self, tag: str) -> bool:
        return plays(self._vars, self._task.tags, tag)

    def _evaluate(self, host: str, name: str) -> Any:
        """A variable of a host; where its template needs one of the role's defaults, with those."""
        try:
            return self._vars["hostvars"][host][name]
        except AnsibleError:
            known = {key: value for key, value in self._vars.items() if key.startswith("survivor_npz_")}
            known.update(self._vars["hostvars"].raw_get(host))
            return self._templar.copy_with_new_env(available_variables=known).template(known[name])

    def _guard(self) -> dict[str, Any]:
        found = guard(self._vars, self._args, ROOT / "playbooks", self._evaluate)
        self._report.update(found.pop("report"))
        self._report["options"]["starts"] = self._plays("run")
        if self._args["scope"] == "fleet":
            self._report["fleet"] = table.rows(Team(**found["team"]), {}, {}, {})
        parts = ("convert", "distribute", "run")
        return {**found, "plays": {tag: self._plays(tag) for tag in parts}}

    def _preflight(self) -> dict[str, Any]:
        team, options = self._team, self._options
        answers = self._looks(team.hosts)
        found = preflight.preflight(answers, str(team.coordinator), options)
        self._report["fleet"] = table.rows(team, answers, {}, {})
        looks = preflight.looks_of(answers, team.coordinator)[0]
        self._report["warnings"] = preflight.warnings(looks, str(team.coordinator), options["addresses"])
        self._report["running"] = bool((looks.get(str(team.coordinator), {}).get("run") or {}).get("running"))
        if found:
            raise Stop("preflight", f"Faults on {', '.join(found)}; nothing was changed on any host.", found)
        return {}

    def _plan(self) -> dict[str, Any]:
        team, options = self._team, self._options
        lead = str(team.coordinator)
        answers = self._looks(team.hosts)
        result, goal = goals.decided(answers[lead], self._args["conversion"], options["convert"])
        self._report["convert"] = goals.conversion(
            result, goal, options["check"] or not self._plays("convert")
        )
        if goal["due"] and not self._plays("convert") and (self._plays("distribute") or self._plays("run")):
            raise Stop(
                "convert",
                f"A conversion is due (reason: {goal['reason']}), and the chosen tags leave it out. "
                "Run without --tags, or with --tags convert,distribute,run. No host was changed.",
            )
        warned = statuses.foreign(answers[lead], result)
        return self._planned(team, answers, goal, options, warned)

    def _rollback(self) -> dict[str, Any]:
        team, options = self._team, {**self._options, "convert": "auto", "needs_json": False}
        self._args["options"] = options
        self._preflight()
        answers = self._looks(team.hosts)
        goal = goals.from_previous(str(team.coordinator), answers, options["json"])
        if "refused" in goal:
            raise Stop("rollback", f"{goal['refused']} No host was changed.")
        self._report["rollback"] = goals.rollback(goal, options["json"], not options["check"])
        return self._planned(team, answers, goal, options, [])

    def _planned(
        self,
        team: Team,
        answers: dict[str, Any],
        goal: dict[str, Any],
        options: dict[str, Any],
        warned: list[str],
    ) -> dict[str, Any]:
        lead, check = str(team.coordinator), options["check"]
        goal = {**goal, **goals.on_purpose(answers[lead], goal, options["json"])}
        few = goals.too_few(goal, options["min_survivors"], goal["reason"] == "rollback")
        if few:
            raise Stop("convert", few)
        parts, found = plan.plan(answers, goal, options["convert"], lead)
        will = check and self._distributes(goal)
        self._report["fleet"] = table.rows(team, answers, parts, {}, will=will)
        if options["for_run"]:
            warned = warned + goals.sample_warnings(goal["survivor_count"], options["scorer_args"])
        self._report["warnings"] = [*preflight.warnings(answers, lead, options["addresses"]), *warned]
        if found:
            why = f"{', '.join(found)} can't take part; nothing live was changed on any host."
            raise Stop("plan", why, found)
        sender = goal.get("holder") or lead
        connection = self._vars["hostvars"][sender].get("ansible_connection")
        parcel = plan.parcel(goal, connection, constants.DEFAULT_LOCAL_TMP)
        fetched = sender if parcel != goal["path"] else None
        carried = {name: goal.get(name) for name in ("sha256", "sha1", "path", "pin")}
        carried |= {"parcel": parcel, "copy_seconds": plan.copy_seconds(parts, goal["size"])}
        return {
            "goal": goal,
            "parts": parts,
            "members": [
                {"name": host, "groups": groups, "part": {**parts[host], "goal": carried}}
                for host, groups in plan.groups(parts, fetched, lead, check).items()
            ],
        }

    def _received(self) -> dict[str, Any]:
        parts = self._plan_made["parts"]
        hosts = [host for host, part in parts.items() if part["receive"]]
        found = proof.received(dict.fromkeys(hosts) | self._registered(hosts, "received")[0])
        if found:
            raise Stop("barrier", proof.not_ready(found), found)
        return {}

    def _barrier(self) -> dict[str, Any]:
        made = self._plan_made
        answers = self._registered(list(made["parts"]), "staged")[0]
        found = proof.barrier(made["parts"], answers, made["goal"]["sha256"])
        if found:
            raise Stop("barrier", proof.not_ready(found), found)
        return {"members": _members(plan.cleared(made["parts"], str(self._team.coordinator)))}

    def _switched(self) -> dict[str, Any]:
        team, made = self._team, self._plan_made
        hosts = [host for host in self._args["hosts"] if host in made["parts"]]
        answers = self._registered(hosts, "switched")[0]
        asked = [host for host in hosts if host != team.coordinator or host in answers]
        found = proof.unswitched(asked, answers)
        members = {host: ["survivor_npz_reverting"] for host in asked} if found else {}
        if found:
            members.setdefault(str(team.coordinator), []).append("survivor_npz_renewing")
        answered = proof.answered(asked, answers)
        settled = answered and not found
        return {"unswitched": found, "answered": answered, "settled": settled, "members": _members(members)}

    def _reverted(self) -> dict[str, Any]:
        hosts = list(self._vars["groups"]["survivor_npz_reverting"])
        return {"answered": proof.answered(hosts, self._registered(hosts, "reverted")[0])}

    def _proof(self) -> dict[str, Any]:
        team, options, made = self._team, self._options, self._plan_made
        lead, goal, parts = str(team.coordinator), made["goal"], made["parts"]
        names = ("look", "switched", "reverted", "staged")
        results = dict(zip(names, self._registered(team.hosts, *names)))
        lease = self._vars.get("__survivor_npz_lease")
        lease = lease if isinstance(lease, Mapping) and "begun" in lease else {}
        latest = proof.latest(team.hosts, results, lease)
        will = options["check"] and self._distributes(goal)
        unproven = proof.proof(
            latest, parts, goal, lead if options["convert"] == "never" else None, planned=will
        )
        last = self._vars.get("__survivor_npz_all_switched")
        unswitched = last.get("unswitched") if isinstance(last, Mapping) else None
        named = proof.states(latest, goal["sha256"]) if unswitched else None
        self._report["fleet"] = table.rows(
            team, results["look"], parts, results, unproven=unproven, named=named, will=will
        )
        if unswitched:
            raise Stop("switch", proof.went_back(unswitched, named or {}), unswitched)
        if unproven and (self._distributes(goal) or self._plays("run")):
            raise Stop(
                "prove",
                f"Not proven on {', '.join(unproven)}. Fix the host, or run without --tags so that every host is "
                "brought to the same bytes.",
                unproven,
            )
        if unproven or (goal["due"] and not self._plays("convert")):
            return {"proven": False, "members": []}
        waves = proof.waves(latest, results["look"][lead], lease)
        old = proof.too_old(waves)
        starts = options["for_run"] and not options["check"] and self._plays("run")
        if old and starts and not self._args.get("final"):
            again = {host: ["survivor_npz_look_again"] for host in dict.fromkeys([*old, lead])}
            again[lead].append("survivor_npz_judge_again")
            return {"proven": False, "members": _members(again)}
        proven = {
            "sha256": goal["sha256"],
            "survivor_count": goal["survivor_count"],
            "hosts": team.hosts,
            "stamp": proof.stamp(waves, results["look"][lead], lease),
        }
        if not options["check"]:
            self._report["proof"] = proven
        last = (results["look"][lead].get("proven") or [None])[0]
        npz = {"path": goal["live"], "sha256": goal["sha256"], "survivor_count": goal["survivor_count"]}
        return {
            **proven,
            "proven": True,
            "unrecorded": goal["sha256"] if last != goal["sha256"] else None,
            "npz": npz,
            "members": _members({lead: ["survivor_npz_proven"]}),
        }

    def _distributes(self, goal: Mapping[str, Any]) -> bool:
        """Whether what differs is distributed in this run; a rollback always is."""
        return goal["reason"] == "rollback" or self._plays("distribute")

    def _workers(self) -> dict[str, Any]:
        hosts = [host for host in self._team.hosts if host in one(self._vars, "guard", "played")["played"]]
        answers = dict.fromkeys(hosts) | self._registered(hosts, "workers")[0]
        self._report["warnings"] = preflight.leftovers(answers)
        return {}

    def _status(self) -> dict[str, Any]:
        team, lead, options = self._team, self._team.coordinator, self._options
        played = one(self._vars, "guard", "played")["played"]
        hosts = [host for host in team.hosts if host in played]
        decision = self._registered([lead], "decision")[0].get(lead) if lead in hosts else None
        options = {**options, "played": played, "now": time.time()}
        self._report["status"] = statuses.status(team, self._looks(hosts), decision, options)
        wrong = statuses.wrong(self._report["status"])
        if wrong and options["fail_on_difference"]:
            raise Stop("status", f"{wrong} (survivor_npz_fail_on_difference).")
        return {"same": self._report["status"]["same"]}
