# SPDX-License-Identifier: MIT
"""The report of a run: what the decisions and Step 2.5 returned, as one JSON object and as lines for the screen."""

from __future__ import annotations

import json
import os
import re
import tempfile
import textwrap
from collections.abc import Mapping, Sequence
from typing import Any

from ansible.module_utils.survivor_npz.common.digest import short

LAUNCHING = ("step25.yml",)
# What may have become of a host that was asked to switch.
LIVE = {"switched": "switched", "unknown": "may or may not have switched", "reverted": "went back"}
BEYOND = (
    "What the script started on other hosts over SSH was not stopped: check those hosts for leftover workers."
)
_COMMAND = re.compile(r"ansible-playbook \S+(?: -e \S+)*|-e \S+|ssh(?:-keygen -R)? \S+|fuser -v \S+")
_OWN_KEYS = ("faults", "run", "options", "fleet", "running")


def plain(value: Any) -> Any:
    """`value` as plain JSON types (ansible-core hands out tagged ones)."""
    if isinstance(value, Mapping):
        return {str(key): plain(entry) for key, entry in value.items()}
    if isinstance(value, (list, tuple, set)):
        return [plain(entry) for entry in value]
    if isinstance(value, bool) or value is None:
        return value
    if isinstance(value, (int, float)):
        return float(value) if isinstance(value, float) else int(value)
    return str(value)


def write(report: Mapping[str, Any], path: str) -> None:
    """Write the report: a new file under a name that nobody can guess, never through a link."""
    handle, temp = tempfile.mkstemp(prefix=".survivor-npz-", dir=os.path.dirname(path) or ".")
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        file.write(json.dumps(report, ensure_ascii=False) + "\n")
        os.fchmod(file.fileno(), 0o644)
    os.replace(temp, path)


def age(seconds: float) -> str:
    """A time span in its largest unit."""
    for unit, length in (("d", 86400), ("h", 3600), ("min", 60)):
        if seconds >= length:
            return f"{seconds / length:.0f} {unit}"
    return f"{max(seconds, 0):.0f} s"


def table(rows: Sequence[Mapping[str, Any]], columns: Sequence[str]) -> list[str]:
    """Lines of a plain table, columns as wide as their widest entry."""
    cells = [list(columns)] + [[str(row.get(column, "")) for column in columns] for row in rows]
    widths = [max(len(line[index]) for line in cells) for index in range(len(columns))]
    return ["  ".join(cell.ljust(width) for cell, width in zip(line, widths)).rstrip() for line in cells]


def wrapped(line: str, width: int) -> str:
    """A line of a terminal of this width, wrapped between words; not in a table, and not in a command."""
    if not width or len(line) <= width or "  " in line.strip():
        return line
    indent = " " * (len(line) - len(line.lstrip()) + 2)
    kept = _COMMAND.sub(lambda found: found[0].replace(" ", "\xa0"), line)
    return textwrap.fill(
        kept, width, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False
    ).replace("\xa0", " ")


def compose(
    sections: Mapping[str, Any],
    *,
    playbook: str,
    check: bool,
    stopped: bool,
    seconds: Mapping[str, float],
    messages: Mapping[str, str],
    phase: str | None = None,
    interrupted: str = "",
    live: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """The report as JSON types.

    Args:
        sections: what the decisions returned, merged.
        messages: by host, what the last failed task said.
        phase: the one in which it failed.
        interrupted: name of the signal that ended the run; "" for none.
        live: by host, a key of LIVE; without hosts whose live files did not change. For an interrupted run.
    """
    became = {host: LIVE[state] for host, state in (live or {}).items()} if interrupted else {}
    faults, run = sections.get("faults") or {}, sections.get("run") or {}
    options = sections.get("options") or {}
    extra = {name: value for name, value in sections.items() if name not in _OWN_KEYS and value}
    return {
        "playbook": playbook,
        "check": check,
        "ok": not stopped and not interrupted,
        "interrupted": interrupted or None,
        "skipped": options.get("skipped") or [],
        "fleet": [
            {**row, "action": became.get(row["host"], row.get("action", ""))}
            for row in sections.get("fleet") or []
        ],
        "seconds": {phase: round(spent, 1) for phase, spent in seconds.items()},
        "stopped_in": (faults.get("phase") or phase) if stopped else None,
        "faults": faults.get("hosts") or {} if stopped else {},
        "messages": dict(messages) if stopped else {},
        "start_requested": playbook in LAUNCHING and options.get("starts", True),
        "started": bool(run.get("started")),
        "running": bool(sections.get("running") or run.get("running")),
        "run": run or None,
        **extra,
    }


def lines(report: Mapping[str, Any], live: Mapping[str, str], decided: bool = False) -> list[str]:
    """The report as lines.

    Args:
        live: as for `compose`.
        decided: whether a decision over the fleet stopped the run, rather than one host's failure.
    """
    found = [""]
    if report.get("status"):
        ending = _ending(report, live, decided)
        return [*found, *_status(report["status"]), *([""] if ending else []), *ending]
    if report["fleet"]:
        rows = [
            {**row, "proof": "NO" if row.get("proof") == "no" else row.get("proof", "")}
            for row in report["fleet"]
        ]
        found += [*table(rows, ["host", "before", "action", "proof"]), ""]
        found += [f"Left out by name: {rig} (survivor_npz_skip_rigs)." for rig in report["skipped"]]
    found += _conversion(report) + _rollback(report)
    found += [f"WARNING: {warning}" for warning in report.get("warnings") or []]
    found += [f"note: {note}" for note in (report.get("convert") or {}).get("notes", [])]
    if report["seconds"]:
        spent = ", ".join(
            f"{phase}\xa0{seconds}" for phase, seconds in report["seconds"].items() if seconds >= 0.1
        )
        folded = textwrap.wrap(f"Seconds: {spent}.", 100, subsequent_indent="  ") if spent else []
        found += [line.replace("\xa0", " ") for line in folded]
    if report.get("stop"):
        found += [
            f"{report['stop']['message'].rstrip('.')}.",
            *([BEYOND] if report["stop"]["changed"] else []),
        ]
    found += [line for line in report.get("summary") or [] if line]
    return found + _ending(report, live, decided)


def _conversion(report: Mapping[str, Any]) -> list[str]:
    convert = report.get("convert")
    if not convert:
        return []
    done = "not converted"
    many = convert.get("survivor_count")
    if convert.get("converted"):
        done = "converted" if many != 0 else "made an empty NPZ"
    elif convert.get("reuses"):
        done = "used the conversion staged by an earlier run"
    elif convert.get("due"):
        would = "would convert" if many != 0 else "would make an empty NPZ"
        done = would if report["check"] else "due, not converted"
    count = "" if many is None else f", {many:,} survivors"
    return [f"Conversion: {done} (reason: {convert.get('reason')}{count})."]


def _rollback(report: Mapping[str, Any]) -> list[str]:
    back = report.get("rollback")
    if not back or not report["ok"]:
        return []
    count = "unknown" if back["survivor_count"] is None else f"{back['survivor_count']:,}"
    what = f"{short(back['sha256'])} ({count} survivors{_made(back)})"
    if back["stays"]:
        healed = [row["host"] for row in report["fleet"] if row["action"] not in ("none", "left out by name")]
        did = f"only {', '.join(healed)}, which had missed it, changed" if healed else "nothing changed"
        first = f"Rollback: already in force, so {did}; {what} stays live."
    else:
        verb = "went back" if back["done"] else "would go back"
        first = f"Rollback: {verb} from {short(back['replaced'])} to {what}."
    return [
        first,
        f"  It {'stays' if back['done'] else 'would stay'} pinned until Step 1 writes a new {back['json']}.",
        "  To go forward now: ansible-playbook playbooks/prepare.yml -e survivor_npz_force=true",
    ]


def _made(back: Mapping[str, Any]) -> str:
    return f", from survivors {age(back['age'])} old" if back.get("age") is not None else ", age unknown"


def _status(status: Mapping[str, Any]) -> list[str]:
    columns = ["host", "present", "sha256", "survivors", "schema", "age", "same", "previous"]
    words = {None: "-", True: "yes", False: "NO"}
    rows = [
        {
            **{column: "-" if row.get(column) is None else row[column] for column in [*columns, "copy"]},
            "sha256": short(row["sha256"]) if row.get("sha256") else "-",
            "previous": short(row["previous"]) if row.get("previous") else "-",
            "age": "-" if row.get("age") is None else age(row["age"]),
            "same": words[row.get("same")],
        }
        for row in status["copies"]
        if row["present"] != "absent" or row.get("required")
    ]
    paths = ["-", *(row["copy"] for row in rows)]
    rows.sort(key=lambda row: paths.index(row["copy"]))
    run, last = status["run"], status["run"].get("last") or {}
    found = [f"{run.get('message', 'Whether Step 2.5 is running is not known').rstrip('.')}."]
    if last.get("message"):
        found += [f"  The last run, of {last.get('start')}: {last['message']}.", f"  log: {last.get('log')}"]
    if isinstance(run.get("lease"), Mapping) and not run["lease"].get("ended"):
        lease = run["lease"]
        state = "expired" if lease.get("expired") else f"until {lease.get('until')}"
        found.append(f"Lease: {lease.get('controller')}, since {lease.get('begun_utc')}, {state}.")
    found += [
        "",
        *_would(status["would"], str(run.get("message"))),
        *(f"WARNING: {warning}" for warning in status["warnings"]),
        "",
    ]
    header, *cells = table(rows, columns)
    found.append(header)
    for row, line, above in zip(rows, cells, [{}, *rows]):
        found += [f"{row['copy']}:"] if row["copy"] not in ("-", above.get("copy")) else []
        found.append(line)
    return found + [
        f"{row['host']}: {row['copy']}: {row['fault']}" for row in status["copies"] if row.get("fault")
    ]


def _would(actions: Sequence[str], running: str) -> list[str]:
    """What step25.yml would do, and why it would not; `running` was shown already."""
    actions = [action.replace(running.rstrip("."), "Step 2.5 is running") for action in actions]
    refusals = [action.removeprefix("refuse: ") for action in actions if action.startswith("refuse: ")]
    rest = [f"  {action}" for action in actions if not action.startswith(("refuse: ", "not known"))]
    found = ["step25.yml would refuse:", *(f"  {refusal}" for refusal in refusals)] if refusals else []
    if rest:
        found += ["Once this is fixed, it would:" if refusals else "step25.yml would:", *rest]
    return found + [f"{action.capitalize()}." for action in actions if action.startswith("not known")]


def _ending(report: Mapping[str, Any], live: Mapping[str, str], decided: bool) -> list[str]:
    run = report["run"] or {}
    message = str(run.get("message") or "")
    found = []
    if message and not any(message in text for text in report["messages"].values()):
        known = (
            f" (exit code {run['exit_code']})" if report["ok"] and run.get("exit_code") is not None else ""
        )
        found.append(f"{'' if message.startswith('Step 2.5') else 'Step 2.5: '}{message}{known}")
        found += [f"  log: {run['log']}"] if run.get("log") else []
    if report["interrupted"]:
        found.append(_interrupted(report, live))
    elif not report["ok"]:
        found += _why(report, decided)
    # A connection that was lost leaves it open.
    is_known = not (report["running"] or report["interrupted"] or run.get("verdict") == "lost")
    if report["start_requested"] and not report["started"] and is_known:
        dry = " (dry run)" if report["check"] and report["ok"] else ""
        found.append(f"Step 2.5 was NOT started{dry}.")
    return found


def _interrupted(report: Mapping[str, Any], live: Mapping[str, str]) -> str:
    hosts = {state: [host for host in sorted(live) if live[host] == state] for state in LIVE}
    found = [f"{', '.join(hosts[state])} {words}" for state, words in LIVE.items() if hosts[state]]
    rest = "The next run repairs the fleet." if hosts["unknown"] or hosts["switched"] else ""
    known = "; ".join(found) if found else "nothing live was changed on any host"
    return f"INTERRUPTED by {report['interrupted']}: {known}. {rest}".rstrip()


def _why(report: Mapping[str, Any], decided: bool) -> list[str]:
    by_message: dict[str, list[str]] = {}
    for host, message in report["messages"].items():
        by_message.setdefault(message, []).append(host)
    where = f" in {report['stopped_in']}" if report["stopped_in"] else ""
    found = []
    for message, hosts in by_message.items():
        # A decision over the fleet names the hosts at fault by itself.
        text = message if decided else f"{', '.join(hosts)}: {message}"
        first, *rest = text.splitlines() or [""]
        found += [f"STOPPED{where}: {first}", *(f"  {line}" for line in rest)]
    by_fault: dict[str, list[str]] = {}
    for host, faults in report["faults"].items():
        for fault in faults:
            by_fault.setdefault(fault, []).append(host)
    return found + [f"  {', '.join(hosts)}: {fault}" for fault, hosts in by_fault.items()]
