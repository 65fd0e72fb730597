"""Scores from confusion counts and their bootstrap intervals: NumPy only, for every stage."""
