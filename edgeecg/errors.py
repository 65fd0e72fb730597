"""The one family of errors a user may see: what failed, why, and what to do about it."""

from __future__ import annotations

import difflib
import sys
from collections.abc import Iterable
from typing import Any

ON_A_WORKSTATION = (
    "Compress and export on a workstation (x86-64 Linux or a Mac), copy the .tflite or .onnx file "
    "here, and run: edgeecg bench FILE"
)
"""What to do on a machine that can measure files and not make them."""


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

    def __reduce__(self) -> tuple[Any, ...]:
        """Return what :mod:`pickle` needs: errors cross from the processes of a cluster."""
        return rebuilt, (type(self), self.what, self.why, self.todo, self.exit_code)


def rebuilt(
    kind: type[EdgeECGError], what: str, why: str, todo: str, exit_code: int
) -> EdgeECGError:
    """Return an error with the class and the sentences of another one.

    Args:
        kind: The class; some are constructed from other arguments than their three sentences.
        what: What failed.
        why: The cause.
        todo: What the user can do.
        exit_code: The process exit status.
    """
    error = kind.__new__(kind)
    EdgeECGError.__init__(error, what, why, todo)
    error.exit_code = exit_code
    return error


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
        spelled = {known.casefold(): known for known in names}
        near = difflib.get_close_matches(name.casefold(), spelled, n=1)
        # A kind of several words, such as "model, run or file", has no plain plural.
        plural = f"{kind}es" if kind.endswith("s") else f"{kind}s"
        kinds = "ones" if " " in kind else plural
        hint = f"Did you mean '{spelled[near[0]]}'?" if near else "Choose one of these."
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


class NotFiniteError(EdgeECGError):
    """The outputs of a model are not all finite numbers."""


class DivergedError(EdgeECGError):
    """Training whose loss is no finite number any more."""


class MeterError(EdgeECGError):
    """An energy meter that is absent or unreadable, or gives impossible values."""


class RemoteError(EdgeECGError):
    """A host that cannot be reached, or on which the measurement failed."""

    def __init__(self, what: str, why: str, todo: str, exit_code: int = 1) -> None:
        """Keep the exit status, too.

        Args:
            what: What failed.
            why: The cause.
            todo: What the user can do.
            exit_code: The exit status that the error would have had on the host.
        """
        super().__init__(what, why, todo)
        self.exit_code = exit_code


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
            install_advice(package, extra),
        )


def measures_only() -> bool:
    """Return whether this machine can measure files, but neither compress nor export models.

    That is Linux on ARM: the converter to .tflite has no packages for it, and PyTorch has none for
    32-bit ARM.
    """
    import platform

    return sys.platform == "linux" and platform.machine().startswith(("aarch64", "arm"))


def install_advice(
    package: str,
    extra: str,
    bits: int | None = None,
    python: tuple[int, int] | None = None,
) -> str:
    """Return how to get a missing package on this machine, or what to do where there is none.

    Args:
        package: The distribution that could not be imported.
        extra: The extra of edgeecg that installs it.
        bits: Width of this Python; read when None.
        python: Version of this Python; read when None.
    """
    bits = bits or (64 if sys.maxsize > 2**32 else 32)
    if extra == "device" and bits == 32:
        return _advice_32(package, python or sys.version_info[:2])
    if extra in ("compress", "export") and measures_only():
        if package == "onnx" and bits == 64:
            return "Install it with: pip install onnx"
        return ON_A_WORKSTATION
    return f"Install it with: pip install 'edgeecg[{extra}]'"


def _advice_32(package: str, python: tuple[int, int]) -> str:
    """Return where to get a package of the device side for 32-bit Linux on ARM."""
    if package == "onnxruntime":
        return "It has no 32-bit packages: give the .tflite file, or install a 64-bit system."
    if package == "ai-edge-litert" and python >= (3, 12):
        return (
            "For a 32-bit Python of version 3.12 or newer no such runtime exists: install the "
            "64-bit Raspberry Pi OS, or one with Python 3.11 (Bookworm)."
        )
    return "Install it with: pip install 'edgeecg[device32]'"
