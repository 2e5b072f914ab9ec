# SPDX-License-Identifier: MIT
"""Make the project's module_utils importable as Ansible's modules import them, and signals usual."""

import os
import signal
import sys
from pathlib import Path

import ansible.module_utils

ROOT = Path(__file__).resolve().parent.parent
ansible.module_utils.__path__.append(str(ROOT / "module_utils"))
sys.path.insert(0, str(ROOT / "library"))

# `make test &` in a script ignores SIGINT, `nohup` SIGHUP, and children inherit that: tests that stop
# what they started by a signal would wait for ever.
signal.signal(signal.SIGINT, signal.default_int_handler)
for usual in (signal.SIGHUP, signal.SIGQUIT, signal.SIGTERM):
    signal.signal(usual, signal.SIG_DFL)

# A shell that has it set would hide from tests that output is held back.
os.environ.pop("PYTHONUNBUFFERED", None)
