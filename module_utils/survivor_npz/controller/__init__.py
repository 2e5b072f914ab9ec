"""Code that never leaves the controller."""
