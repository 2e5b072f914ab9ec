# SPDX-License-Identifier: MIT
"""The hook in Step 2.5's script."""
