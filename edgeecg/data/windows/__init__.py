"""Data sets of windows, and their cache."""
