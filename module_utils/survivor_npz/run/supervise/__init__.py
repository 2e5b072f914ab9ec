# SPDX-License-Identifier: MIT
"""Supervise one run of Step 2.5: its lock, time limit, log and record, which a dead controller can't keep.

Standard library only, and every import between its modules is relative: the package runs from its files
(`__main__.py`, for the hook in the script's header), from a text (`bundle.py`, for the playbook), and as a
part of this project.
"""
