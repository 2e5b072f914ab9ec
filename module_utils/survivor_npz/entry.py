# SPDX-License-Identifier: MIT
"""Where scripts that an earlier version hooked find the hook's program; playbooks/hook.yml upgrades them."""

import os
import runpy

HERE = os.path.dirname(os.path.abspath(__file__))
if __name__ == "__main__":
    runpy.run_path(os.path.join(HERE, "hook", "entry.py"), run_name="__main__")
