"""Which revision of the code made a run."""

from __future__ import annotations

import subprocess
from pathlib import Path

_CHECKOUT = Path(__file__).resolve().parents[2]
# Results and pages that were written since the last commit do not change what the program does.
_CODE = (".", ":!benchmarks/results", ":!docs", ":!*.md")


def git_revision(checkout: Path = _CHECKOUT) -> str | None:
    """Return the checkout's commit, with ``+`` for local changes; None outside a checkout.

    Args:
        checkout: Root of the repository.
    """
    if not (checkout / ".git").exists():
        return None
    try:
        head = _git(checkout, "rev-parse", "--short=12", "HEAD")
        dirty = _git(checkout, "status", "--porcelain", "--untracked-files=no", "--", *_CODE)
    except (OSError, subprocess.SubprocessError):
        return None
    return head + ("+" if dirty else "")


def _git(folder: Path, *arguments: str) -> str:
    done = subprocess.run(
        ["git", "-C", str(folder), *arguments],
        capture_output=True,
        text=True,
        check=True,
        timeout=10,
    )
    return done.stdout.strip()
