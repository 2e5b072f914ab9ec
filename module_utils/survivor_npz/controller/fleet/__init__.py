# SPDX-License-Identifier: MIT
"""Every decision over the fleet, as functions of what its hosts have shown. On the controller only."""
