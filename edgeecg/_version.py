"""The version of edgeecg."""

__version__ = "0.1.0"
