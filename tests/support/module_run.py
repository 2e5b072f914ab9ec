# SPDX-License-Identifier: MIT
"""Run one of our modules (or any other) as Ansible does: in this process, in a fork of it, or in its own."""

from __future__ import annotations

import contextlib
import importlib
import io
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any, Callable, Dict, List, Optional, Tuple
from unittest import mock

import ansible.module_utils
from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.testing import patch_module_args

ROOT = Path(__file__).resolve().parents[2]
for _list, _entry in ((ansible.module_utils.__path__, "module_utils"), (sys.path, "library")):
    if str(ROOT / _entry) not in _list:
        _list.append(str(ROOT / _entry))

JOBS = {path.stem for path in (ROOT / "module_utils" / "survivor_npz" / "jobs").glob("*.py")}

LAUNCH = (
    "import sys, runpy, ansible.module_utils as m; m.__path__.append(sys.argv.pop(1)); "
    "path = sys.argv.pop(1); sys.argv[0] = path; runpy.run_path(path, run_name='__main__')"
)


def parameters(args: Dict[str, Any], check: bool = False, diff: bool = False) -> Dict[str, Any]:
    """A module's arguments, and what Ansible adds to them."""
    internal = {
        "_ansible_check_mode": check,
        "_ansible_diff": diff,
        "_ansible_remote_tmp": tempfile.gettempdir(),
    }
    return {**internal, **args}


def arguments(args: Dict[str, Any], check: bool = False, diff: bool = False) -> bytes:
    """The file of arguments that Ansible hands to a module."""
    return json.dumps({"ANSIBLE_MODULE_ARGS": parameters(args, check, diff)}).encode()


def preload() -> None:
    """Import every job, and what a run of one needs, for a fork that becomes a user who can't read the checkout."""
    run_here("survivor_npz_run", {"dir": "/"})  # a look; Ansible imports parts of its own only then
    for job in JOBS:
        importlib.import_module(f"ansible.module_utils.survivor_npz.jobs.{job}")


def played(module: str, args: Dict[str, Any]) -> Tuple[str, Dict[str, Any]]:
    """The module that the action plugin runs on a host in the place of `module`, and its arguments."""
    job = module.replace("survivor_npz_", "")
    if job in JOBS:
        return "survivor_npz_host", {"job": job, "given": args}
    return module, args


def answer_of(out: str) -> Dict[str, Any]:
    """The one JSON object that a module prints. Raises AssertionError for anything else."""
    lines = [line for line in out.splitlines() if line.strip()]
    assert len(lines) == 1, f"a module must print one JSON object, not:\n{out[-4000:]}"
    answer: Dict[str, Any] = json.loads(lines[0])
    assert "Traceback" not in out, f"a traceback reached the operator:\n{out[-4000:]}"
    assert not answer.get("exception"), answer
    if answer.get("failed"):
        assert answer.get("msg"), "a failure without a message"
    return answer


def run_here(module: str, args: Dict[str, Any], check: bool = False, diff: bool = False) -> Dict[str, Any]:
    """Run a module in this process and return its result."""
    module, args = played(module, args)
    out = io.StringIO()
    warnings: List[str] = []
    # Ansible keeps warnings for a process's whole life: the answer would carry those of earlier runs.
    warn = mock.patch.object(AnsibleModule, "warn", lambda _self, text: warnings.append(text))
    here = patch_module_args(parameters(args, check, diff))
    with here, warn, contextlib.redirect_stdout(out), contextlib.suppress(SystemExit):
        importlib.import_module(module).main()
    return {"warnings": warnings, **answer_of(out.getvalue())}


def command(module_path: str, args_file: str) -> List[str]:
    """The command line of one module run: the module's own file, its arguments in a JSON file."""
    return [sys.executable, "-c", LAUNCH, str(ROOT / "module_utils"), module_path, args_file]


def start(
    args: Dict[str, Any], where: Path, module: str = "convert_survivors", check: bool = False
) -> subprocess.Popen[str]:
    """Start a module in a process (and session) of its own; `where` takes the arguments file."""
    module, args = played(module, args)
    file = where / f"args-{os.getpid()}.json"
    file.write_bytes(arguments(args, check))
    return subprocess.Popen(
        command(str(ROOT / "library" / f"{module}.py"), str(file)),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def run_process(
    args: Dict[str, Any],
    where: Path,
    module: str = "convert_survivors",
    check: bool = False,
    timeout: float = 60,
) -> Dict[str, Any]:
    """Run a module in a process of its own and return its result."""
    process = start(args, where, module, check)
    out, err = process.communicate(timeout=timeout)
    assert "Traceback" not in err, err[-4000:]
    return answer_of(out)


def in_fork(function: Callable[[], Any]) -> Tuple[Optional[int], Any]:
    """Call `function` in a forked child that leads its own session.

    Returns:
        (signal that ended the child or None, what the function returned, as JSON).
    """
    pid, read = fork(function)
    with os.fdopen(read, "rb") as pipe:
        data = pipe.read()
    _pid, status = os.waitpid(pid, 0)
    if os.WIFSIGNALED(status):
        return os.WTERMSIG(status), None
    assert data, f"the child ended with {status} and no answer"
    answer = json.loads(data)
    assert "error" not in answer, answer["error"]
    return None, answer["value"]


def fork(function: Callable[[], Any]) -> Tuple[int, int]:
    """As in_fork, but return at once: the child's pid and the pipe with its answer."""
    read, write = os.pipe()
    sys.stdout.flush()
    sys.stderr.flush()
    pid = os.fork()
    if pid:
        os.close(write)
        return pid, read
    status = 1
    try:
        os.close(read)
        os.setsid()
        try:
            text = json.dumps({"value": function()})
            status = 0
        except BaseException as error:
            import traceback

            text = json.dumps({"error": f"{error!r}\n{traceback.format_exc()}"})
        # A worker may hold the pipe's other end no longer than this process: see the timeouts of pytest.
        os.write(write, text.encode()[:60000])
    finally:
        os._exit(status)
