"""Writing a picture with axes to a file of its own."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from edgeecg.errors import MissingDependencyError, UsageError
from edgeecg.files import replacing

if TYPE_CHECKING:
    from matplotlib.axes import Axes

FORMATS = (".png", ".svg", ".pdf")
"""Suffixes of the files that can be written."""


COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7")
"""Okabe and Ito's colours, which colour-blind readers can tell apart."""


def check(path: Path) -> None:
    """Check that a picture can be drawn, before anything is computed.

    Args:
        path: The file to write.

    Raises:
        UsageError: Its suffix is none of :data:`FORMATS`.
        MissingDependencyError: matplotlib is not installed.
    """
    if path.suffix.lower() not in FORMATS:
        raise UsageError(
            f"The picture '{path}' cannot be drawn.",
            f"Its suffix is '{path.suffix}'; {', '.join(FORMATS)} can be written.",
            "Give e.g. --picture picture.png.",
        )
    try:
        import matplotlib.figure  # noqa: F401  # pyright: ignore[reportUnusedImport]
    except ModuleNotFoundError as error:
        raise MissingDependencyError("matplotlib", "report", "drawing the picture") from error


def write(path: Path, inches: tuple[float, float], paint: Callable[[Axes], None]) -> None:
    """Draw a picture.

    Args:
        path: The file to write; its suffix is one of :data:`FORMATS`.
        inches: Width and height.
        paint: Draws on the axes.

    Raises:
        UsageError: The suffix is another one.
        MissingDependencyError: matplotlib is not installed.
        EdgeECGError: The file cannot be written.
    """
    check(path)
    import matplotlib as mpl
    from matplotlib.figure import Figure

    # A $ in a name does not start a formula.
    with mpl.rc_context({"text.parse_math": False}):
        canvas = Figure(figsize=inches, layout="constrained")
        paint(canvas.subplots())
        with replacing(path) as beside:
            canvas.savefig(beside, format=path.suffix.lower()[1:])
