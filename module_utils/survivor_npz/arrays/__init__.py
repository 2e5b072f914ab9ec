# SPDX-License-Identifier: MIT
"""From parsed records to the 22 arrays, strictly."""
