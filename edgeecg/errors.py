"""The one family of errors a user may see: what failed, why, and what to do about it."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class EdgeECGError(Exception):
    """A failure that is explained rather than traced.

    Attributes:
        what: One sentence: what failed.
        why: One sentence: the cause, with what was expected and what came.
        todo: One sentence: what the user can do now.
        exit_code: The process exit status the command line ends with (1 failed, 2 wrong usage).
    """

    exit_code = 1

    def __init__(self, what: str, why: str, todo: str) -> None:
        """Keep the three sentences apart, so that the command line can lay them out."""
        super().__init__(f"{what} {why} {todo}")
        self.what = what
        self.why = why
        self.todo = todo


class UsageError(EdgeECGError):
    """The command or its options do not fit together; nothing was done (exit code 2)."""

    exit_code = 2


class UnknownNameError(UsageError):
    """A model, target, device, runtime, meter or suite that does not exist."""

    def __init__(self, kind: str, name: str, known: Iterable[str]) -> None:
        """Say which names exist, and which of them is nearest to the one given.

        Args:
            kind: What the name was meant to be, e.g. ``"model"``.
            name: The name as the user wrote it.
            known: Every name that would have worked.
        """
        names = sorted(known)
        near = difflib.get_close_matches(name, names, n=1)
        kinds = f"{kind}es" if kind.endswith("s") else f"{kind}s"
        hint = f"Did you mean '{near[0]}'?" if near else f"Choose one of the {kinds} listed."
        super().__init__(
            f"There is no {kind} named '{name}'.",
            f"The known {kinds} are: {', '.join(names) or 'none'}.",
            hint,
        )


class DataError(EdgeECGError):
    """A record or data folder that is missing, damaged, or not what it claims to be."""


class SchemaError(EdgeECGError):
    """A JSON or TOML document that does not hold the value it should."""


class ArtifactError(EdgeECGError):
    """An exported file that is corrupt, foreign, or does not agree with its manifest."""


class ExportError(EdgeECGError):
    """A conversion that failed, or whose output disagrees with the PyTorch model."""


class DivergedError(EdgeECGError):
    """Training whose loss is no finite number any more."""


class MeterError(EdgeECGError):
    """An energy meter that is absent, unreadable or not to be believed."""


class PluginError(EdgeECGError):
    """An extension of another package that cannot be imported."""


class MissingDependencyError(EdgeECGError):
    """A package that an optional part of edgeecg needs is not installed."""

    def __init__(self, package: str, extra: str, purpose: str) -> None:
        """Name the extra that brings the package.

        Args:
            package: The distribution that could not be imported.
            extra: The extra of edgeecg that installs it.
            purpose: What needs it, e.g. ``"running a .onnx file"``.
        """
        super().__init__(
            f"{purpose[0].upper()}{purpose[1:]} needs the package '{package}'.",
            "It is not installed in this environment.",
            f"Install it with: pip install 'edgeecg[{extra}]'",
        )
