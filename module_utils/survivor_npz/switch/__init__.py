# SPDX-License-Identifier: MIT
"""Switch one host's live copies: names, recovery, activation, cleanup."""
