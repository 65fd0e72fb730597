"""Scores from confusion counts and their bootstrap intervals."""
