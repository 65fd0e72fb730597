"""Predictions of models and exported files, and their scores against annotations."""
