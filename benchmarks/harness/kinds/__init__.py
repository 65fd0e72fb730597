"""Kinds of experiments: one module each, see ``harness.experiment.Kind``."""
