"""What ``edgeecg doctor`` reports."""

from __future__ import annotations

from edgeecg.schema.value import Value


class Finding(Value):
    """The outcome of one check of ``edgeecg doctor``.

    Attributes:
        check: Name of the check.
        ok: Whether nothing stands in the way of a measurement.
        found: What was found, a sentence.
        fix: The command or the action that fixes it; None when there is nothing to fix.
        crashed: Whether the check itself failed, so that it is unknown what holds.
    """

    check: str
    ok: bool
    found: str
    fix: str | None = None
    crashed: bool = False
