"""Errors that cross from a child process to this one, with the class that was raised there."""

from __future__ import annotations

from typing import Any

from edgeecg import errors
from edgeecg.errors import EdgeECGError


def described(error: EdgeECGError) -> dict[str, Any]:
    """Return the sentences and the class of an error as values that JSON has."""
    return {
        "refused": [error.what, error.why, error.todo],
        "kind": type(error).__name__,
        "exit_code": error.exit_code,
    }


def rebuilt(message: dict[str, Any]) -> EdgeECGError:
    """Return the error that :func:`described` has described, so that its exit status is the same.

    Args:
        message: What the child process sent.
    """
    kind: type[EdgeECGError] = getattr(errors, message["kind"], EdgeECGError)
    what, why, todo = message["refused"]
    return errors.rebuilt(kind, what, why, todo, message["exit_code"])
