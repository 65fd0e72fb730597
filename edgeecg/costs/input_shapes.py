"""Shapes of the inputs of a file, some of whose axes may have no fixed length."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from edgeecg.errors import UsageError

Shapes = Mapping[str, tuple[int, ...]]
"""Shape of every input, by its name."""

_EXAMPLE_LENGTH = 256


@dataclass(frozen=True)
class Input:
    """An input of a file.

    Attributes:
        name: Its name.
        shape: The length of every axis. An axis without a fixed length (a free axis) has its name
            instead, or an empty text.
    """

    name: str
    shape: tuple[int | str, ...]

    @property
    def free(self) -> bool:
        """Whether an axis has no fixed length."""
        return any(isinstance(size, str) for size in self.shape)

    @property
    def text(self) -> str:
        """The shape in the notation of ``--shape``, e.g. ``"1x1xtime"``."""
        return "x".join(str(size) if size != "" else "?" for size in self.shape)


def concrete(path: Path, inputs: Sequence[Input], given: Shapes) -> dict[str, tuple[int, ...]]:
    """Return the shape of every input of a file.

    A free first axis is the batch, which is 1 unless a shape is given. A given shape has no effect
    on an input without free axes.

    Args:
        path: The file, for error messages.
        inputs: Its inputs.
        given: Shapes that the user gave; names of inputs of other files are ignored.

    Raises:
        UsageError: An axis other than the first is free and no shape is given for it, or a given
            shape contradicts a fixed axis of an input with free axes.
    """
    return {each.name: _shape(path, each, given.get(each.name)) for each in inputs}


def _shape(path: Path, found: Input, given: tuple[int, ...] | None) -> tuple[int, ...]:
    if given is not None and found.free:
        fits = len(given) == len(found.shape) and all(
            isinstance(size, str) or size == wanted
            for size, wanted in zip(found.shape, given, strict=True)
        )
        if not fits:
            raise contradiction(path, found, given)
        return given
    for place, size in enumerate(found.shape):
        if place > 0 and isinstance(size, str):
            example = "x".join(
                str(1 if n == 0 else _EXAMPLE_LENGTH) if isinstance(each, str) else str(each)
                for n, each in enumerate(found.shape)
            )
            raise UsageError(
                f"The input '{found.name}' of {path.name} has no fixed shape.",
                f"Its shape is {found.text}: the length of axis {place + 1} is free.",
                f"Give the shape of one window, e.g. --shape {found.name}={example}",
            )
    return tuple(1 if isinstance(size, str) else size for size in found.shape)


def contradiction(path: Path, found: Input, given: tuple[int, ...]) -> UsageError:
    """Return the error for a given shape that contradicts the file.

    Args:
        path: The file.
        found: The input.
        given: The shape that the user gave.
    """
    return UsageError(
        f"The input '{found.name}' of {path.name} cannot have the shape "
        f"{'x'.join(map(str, given))}.",
        f"In the file its shape is {found.text or 'a single number'}.",
        "Leave --shape out, or change only axes that have a name or '?' there.",
    )
