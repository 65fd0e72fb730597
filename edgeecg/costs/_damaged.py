"""What is raised where a model file contradicts itself."""

from __future__ import annotations


class DamagedError(Exception):
    """An offset, a length, a type or an index of the file is impossible."""
