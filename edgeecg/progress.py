"""How long work reports its progress."""

from __future__ import annotations

from collections.abc import Callable

ProgressCallback = Callable[[str, int, int], None]
"""Called as ``callback(what, done, total)``.

``what`` says what is being done, ``done`` how much of it is done, ``total`` how much there is.
"""


def ignore(what: str, done: int, total: int) -> None:
    """Do nothing: the callback of a caller who asked for none."""
