"""The finding about a value that should stay below a limit."""

from __future__ import annotations

from edgeecg.schema import Finding


def finding(check: str, found: str, *, ok: bool, trouble: str, fix: str) -> list[Finding]:
    """Return the finding about a value.

    Args:
        check: Name of the check.
        found: The value, as a sentence.
        ok: Whether it is below its limit.
        trouble: What happens otherwise, as a sentence.
        fix: What to do then.
    """
    if ok:
        return [Finding(check=check, ok=True, found=found)]
    return [Finding(check=check, ok=False, found=f"{found} {trouble}", fix=fix)]
