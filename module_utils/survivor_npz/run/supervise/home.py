"""The supervisor's files in a pipeline directory, for those who write them and those who read them.

`.survivor_npz/lock`, and `.survivor_npz/runs/<utc>-<pid>/{log,times,record.json}` of the newest runs.
"""

from __future__ import annotations

import glob
import json
import os
from typing import Any, Dict, List

HOME = ".survivor_npz"


def home(directory: str) -> str:
    """Return the supervisor's own directory in a pipeline directory."""
    return os.path.join(directory, HOME)


def records(directory: str) -> List[str]:
    """Return the run directories, oldest first."""
    return sorted(glob.glob(os.path.join(glob.escape(home(directory)), "runs", "[0-9]*T[0-9]*Z-[0-9]*")))


def read_json(path: str) -> Dict[str, Any]:
    """Read a JSON object; {} where there is none or half of one."""
    try:
        with open(path, "rb") as file:
            found = json.loads(file.read())
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}
