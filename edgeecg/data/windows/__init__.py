"""Data sets of windows: cutting them from records, and keeping them on disk."""
