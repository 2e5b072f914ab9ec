# SPDX-License-Identifier: MIT
"""Code that never leaves the controller."""
