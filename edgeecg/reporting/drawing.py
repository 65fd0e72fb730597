"""Drawing a figure: inline SVG with the colours of the page, light or dark."""

from __future__ import annotations

import io
import re
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass

import matplotlib as mpl
from matplotlib.figure import Figure as Canvas

# Each colour represents a CSS variable of the page, which replaces it in the finished SVG.
INK, GRID = "#010101", "#020202"
SERIES = ("#030301", "#030302", "#030303", "#030304")
_VARIABLES = {INK: "--ink", GRID: "--grid"} | {c: f"--s{i}" for i, c in enumerate(SERIES, 1)}
_WIDTH = 5.4


@dataclass(frozen=True)
class Figure:
    """One figure.

    Attributes:
        title: What it shows, and for which data.
        text: The values in words, for readers who cannot see the figure.
        svg: The drawing, an ``<svg>`` element.
    """

    title: str
    text: str
    svg: str


def draw(title: str, text: str, height: float, paint: Callable[[Canvas], None]) -> Figure:
    """Return a finished figure.

    Args:
        title: What it shows, and for which data.
        text: The values in words.
        height: Height in inches; the width is that of the page's column.
        paint: Draws on the canvas.
    """
    name = "f" + re.sub(r"[^a-z0-9]+", "-", title.lower())
    with _style(name):
        canvas = Canvas(figsize=(_WIDTH, height), layout="constrained")
        paint(canvas)
        written = io.StringIO()
        canvas.savefig(written, format="svg", metadata={"Date": None}, transparent=True)
    return Figure(title, text, _inline(written.getvalue(), name))


def _style(salt: str) -> AbstractContextManager[None]:
    return mpl.rc_context(
        {
            "svg.fonttype": "none",
            # The ids in the file depend on it: equal figures give equal pages.
            "svg.hashsalt": salt,
            "font.family": "sans-serif",
            "font.size": 9,
            # A $ in a name does not start a formula.
            "text.parse_math": False,
            "text.color": INK,
            "axes.labelcolor": INK,
            "axes.edgecolor": GRID,
            "xtick.color": INK,
            "ytick.color": INK,
            "grid.color": GRID,
            "axes.spines.top": False,
            "axes.spines.right": False,
            "legend.frameon": False,
        }
    )


def _inline(svg: str, name: str) -> str:
    """Return the ``<svg>`` element with unique ids, and with size and colours set by the page."""
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"<metadata>.*?</metadata>", "", svg, flags=re.DOTALL)
    svg = re.sub(r'\bid="', f'id="{name}-', svg)
    svg = re.sub(r'href="#', f'href="#{name}-', svg)
    svg = re.sub(r"url\(#", f"url(#{name}-", svg)
    svg = re.sub(r'^<svg ([^>]*?)width="[^"]*" ', r"<svg \1", svg)
    svg = re.sub(r'^<svg ([^>]*?)height="[^"]*" ', r'<svg aria-hidden="true" \1', svg)
    for colour, variable in _VARIABLES.items():
        svg = svg.replace(colour, f"var({variable})")
    return svg


def titled(title: str, data: str) -> str:
    """Return a title followed by the name of the data in brackets, if that is not empty."""
    return f"{title} ({data})" if data else title
