# SPDX-License-Identifier: MIT
"""Start the supervisor from its files: `python3 -I …/supervise --foreground …`."""

import importlib
import os
import sys

if __name__ == "__main__":
    here = os.path.dirname(os.path.abspath(__file__))
    # Python has put this directory on its path; but its modules must be found through the package only.
    sys.path[:] = [os.path.dirname(here), *(path for path in sys.path if os.path.abspath(path) != here)]
    importlib.import_module("supervise")
    del sys.path[0]
    sys.exit(importlib.import_module("supervise.main").main())
