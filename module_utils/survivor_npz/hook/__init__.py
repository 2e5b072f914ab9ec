"""The hook in Step 2.5's script."""
