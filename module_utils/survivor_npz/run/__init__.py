# SPDX-License-Identifier: MIT
"""Step 2.5 on the coordinator: control it from outside, supervise it from inside."""
