"""Reading the small text files of ``/proc`` and ``/sys``; None for what is not there."""

from __future__ import annotations

from pathlib import Path


def text(path: Path) -> str | None:
    """Return the content of a file without null bytes and white space at its ends, or None."""
    try:
        return path.read_text(encoding="utf-8", errors="replace").strip("\0 \n\t")
    except OSError:
        return None


def number(path: Path) -> float | None:
    """Return the number that a file holds, or None."""
    try:
        return float(text(path) or "")
    except ValueError:
        return None


def cpuinfo(root: Path) -> dict[str, str]:
    """Return ``/proc/cpuinfo`` by its keys; of keys that every core repeats the first one.

    Args:
        root: Root of the file system.
    """
    found: dict[str, str] = {}
    for line in (text(root / "proc/cpuinfo") or "").splitlines():
        name, _, value = line.partition(":")
        found.setdefault(name.strip(), value.strip())
    return found
