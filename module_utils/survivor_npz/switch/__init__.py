"""Switch one host's live copies: names, recovery, activation, cleanup."""
