"""Convert on one host: decide, build, stage."""
