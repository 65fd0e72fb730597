"""A picture of the operations of a model file and their shares of its costs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from edgeecg.reporting import picture_file
from edgeecg.reporting.units import printable
from edgeecg.schema import InspectedOperation, Inspection

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_SHOWN = 40
_LONGEST = 30


def draw(found: Inspection, path: Path) -> None:
    """Draw the share of every operation in MACs, weights and activations.

    Args:
        found: The file; of more than 40 operations, those with the largest shares are drawn.
        path: The picture to write; its suffix is one of :data:`picture_file.FORMATS`.

    Raises:
        UsageError: The suffix is another one.
        MissingDependencyError: matplotlib is not installed.
        EdgeECGError: The picture cannot be written.
    """
    rows = shares(found)

    def paint(axes: Axes) -> None:
        for number, label in enumerate(("MACs", "weight bytes", "activation bytes")):
            places = [row + (number - 1) * 0.27 for row in range(len(rows))]
            widths = [100 * parts[number] for _, parts in rows]
            colour = picture_file.COLOURS[number]
            axes.barh(places, widths, height=0.25, label=label, color=colour)
        axes.set_yticks(range(len(rows)), [_label(each) for each, _ in rows], fontsize=7)
        axes.set_ylim(len(rows) - 0.4, -0.6)
        axes.grid(axis="x", alpha=0.3)
        axes.set_axisbelow(True)
        axes.set_xlabel("share of the file in %")
        axes.set_title(printable(Path(found.file).name), fontsize=10)
        axes.legend(fontsize=8)

    picture_file.write(path, (9, 1.5 + 0.25 * len(rows)), paint)


def shares(found: Inspection) -> list[tuple[InspectedOperation, tuple[float, float, float]]]:
    """Return the operations to draw, with their shares of MACs, weights and activations.

    Args:
        found: The file; what is unknown of an operation counts as 0.
    """
    counted = [
        (each, (each.macs or 0, each.weight_bytes or 0, each.activation_bytes or 0))
        for each in found.ops
    ]
    totals = [sum(parts[n] for _, parts in counted) or 1 for n in range(3)]
    rows = [
        (each, (parts[0] / totals[0], parts[1] / totals[1], parts[2] / totals[2]))
        for each, parts in counted
    ]
    largest = sorted(rows, key=lambda row: -max(row[1]))[:_SHOWN]
    return sorted(largest, key=lambda row: row[0].index)


def _label(operation: InspectedOperation) -> str:
    name = operation.name
    shown = name if len(name) <= _LONGEST else f"…{name[1 - _LONGEST :]}"
    return printable(f"{operation.index} {operation.op} {shown}")
