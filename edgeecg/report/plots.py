"""The figures: inline SVG that takes its colours from the page, light or dark."""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Canvas
from matplotlib.ticker import MaxNLocator

from edgeecg.report import scope, units
from edgeecg.report.documents import Measurement, RunDocuments
from edgeecg.report.rows import Comparison, FileRow, MeasuredRow

# Each stands for a CSS variable of the page; replaced in the finished SVG.
_INK, _GRID = "#010101", "#020202"
_SERIES = ("#030301", "#030302", "#030303", "#030304")
_VARIABLES = {_INK: "--ink", _GRID: "--grid"} | {c: f"--s{i}" for i, c in enumerate(_SERIES, 1)}
_WIDTH = 5.4


@dataclass(frozen=True)
class Figure:
    """One drawing.

    Attributes:
        title: What it shows, and on which data.
        text: The same in words, for who cannot see it.
        svg: The drawing, an ``<svg>`` element.
    """

    title: str
    text: str
    svg: str


def all_figures(documents: RunDocuments, comparison: Comparison) -> list[Figure]:
    """Draw every figure that the documents allow."""
    tag = scope.general(documents.model.data)
    found = [_steps(documents), _layers(documents, tag)]
    places = dict.fromkeys(m.place for m in documents.measurements)
    for place in places:
        found.append(_latency(documents, place, tag))
        found.append(_promise(comparison, place, tag))
    return [figure for figure in found if figure is not None]


def _draw(title: str, text: str, height: float, paint: Callable[[Canvas], None]) -> Figure:
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
            # Ids in the file hang on it: the same figures give the same page.
            "svg.hashsalt": salt,
            "font.family": "sans-serif",
            "font.size": 9,
            # A $ in a name is no formula.
            "text.parse_math": False,
            "text.color": _INK,
            "axes.labelcolor": _INK,
            "axes.edgecolor": _GRID,
            "xtick.color": _INK,
            "ytick.color": _INK,
            "grid.color": _GRID,
            "axes.spines.top": False,
            "axes.spines.right": False,
            "legend.frameon": False,
        }
    )


def _inline(svg: str, name: str) -> str:
    """Return the bare ``<svg>``: its own ids, colours from the page, scaled by the page."""
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


def _titled(title: str, tag: str) -> str:
    return f"{title} ({tag})" if tag else title


def _steps(documents: RunDocuments) -> Figure | None:
    log = documents.log
    if log is None or not log.steps:
        return None
    at = [step.step for step in log.steps]
    name = documents.model.val.headline[0]
    score = [step.val.headline[1] for step in log.steps]
    executed = [step.proxy_executed for step in log.steps]
    ideal = [step.proxy_ideal for step in log.steps]
    if documents.baseline is not None:
        at, score = [0, *at], [documents.baseline.val.headline[1], *score]
        executed, ideal = [1.0, *executed], [1.0, *ideal]

    def paint(canvas: Canvas) -> None:
        upper, lower = canvas.subplots(2, 1, sharex=True)
        upper.plot(at, score, marker="o", color=_SERIES[0])
        upper.set_ylabel(f"val {name}")
        lower.plot(at, executed, marker="o", color=_SERIES[1], label="executed")
        lower.plot(at, ideal, marker="s", ls="--", color=_SERIES[2], label="ideal")
        lower.set_ylabel("proxy / baseline")
        lower.set_ylim(bottom=0)
        lower.set_xlabel("step (0 is the baseline)")
        lower.xaxis.set_major_locator(MaxNLocator(integer=True))
        lower.legend()
        for axes in (upper, lower):
            axes.grid(alpha=0.5)

    text = "; ".join(
        f"step {n}: {name} {units.fraction(s)}, executed proxy {units.ratio(e)}"
        for n, s, e in zip(at, score, executed, strict=True)
    )
    title = _titled(
        f"{name[0].upper()}{name[1:]} and proxy, step by step", scope.validation(log.data)
    )
    return _draw(title, text, 3.8, paint)


def _layers(documents: RunDocuments, tag: str) -> Figure | None:
    if documents.baseline is not None:
        before = _flat(documents.baseline.widths)
        after = _flat(documents.model.widths)
        if before.keys() == after.keys() and before != after:
            bars = {"baseline": list(before.values()), "compressed": list(after.values())}
            return _bars(_titled("Channels of each layer", tag), list(before), bars, "channels")
    if documents.log is None or not documents.log.steps:
        return None
    sparsity = documents.log.steps[-1].layer_sparsity
    bars = {"gone or zero": [100 * value for value in sparsity.values()]}
    title = _titled("Weights gone or zero in each layer", tag)
    return _bars(title, list(sparsity), bars, "percent") if sparsity else None


def _flat(widths: dict[str, tuple[int, ...]]) -> dict[str, float]:
    return {
        name if len(each) == 1 else f"{name} {i}": float(width)
        for name, each in widths.items()
        for i, width in enumerate(each)
    }


def _bars(
    title: str,
    names: Sequence[str],
    bars: dict[str, Sequence[float | None]] | dict[str, list[float]],
    unit: str,
    line_at: float | None = None,
) -> Figure:
    """Draw groups of horizontal bars, a group for each name, a gap where a value is None."""
    thick = 0.8 / len(bars)

    def paint(canvas: Canvas) -> None:
        axes = canvas.subplots()
        for i, (label, values) in enumerate(bars.items()):
            known = [(n, value) for n, value in enumerate(values) if value is not None]
            places = [n - 0.4 + thick * (i + 0.5) for n, _ in known]
            drawn = axes.barh(
                places, [v for _, v in known], thick * 0.9, color=_SERIES[i], label=label
            )
            texts = [f"{value:.3g}" for _, value in known]
            axes.bar_label(drawn, texts, padding=2, fontsize=7)
        if line_at is not None:
            axes.axvline(line_at, color=_INK, lw=0.8, ls=":")
        _name_rows(axes, names)
        axes.set_xlabel(unit)
        axes.margins(x=0.12)
        if len(bars) > 1:
            canvas.legend(loc="outside upper center", ncols=2)

    text = "; ".join(
        f"{name}: "
        + ", ".join(
            f"{label} {units.MISSING if values[n] is None else units.significant(values[n] or 0)}"
            for label, values in bars.items()
        )
        for n, name in enumerate(names)
    )
    return _draw(title, f"{unit}. {text}", 0.9 + len(names) * (0.2 + 0.17 * len(bars)), paint)


def _name_rows(axes: Axes, names: Sequence[str]) -> None:
    axes.set_yticks(range(len(names)), [_short(name) for name in names])
    axes.set_ylim(len(names) - 0.4, -0.6)
    axes.tick_params(axis="y", length=0)
    axes.grid(axis="x", alpha=0.5)
    axes.set_axisbelow(True)


def _short(name: str) -> str:
    shown = units.printable(name)
    return shown if len(shown) <= 28 else shown[:27] + "…"


def _latency(documents: RunDocuments, place: str, tag: str) -> Figure | None:
    labels = {one.sha256: one.label for one in documents.exported}
    here = [m for one in documents.exported for m in documents.of(one) if m.place == place]
    names = [labels[m.result.artifact.sha256] for m in here]

    def paint(canvas: Canvas) -> None:
        axes = canvas.subplots()
        axes.bxp(
            [_box(m) for m in here],
            positions=range(len(here)),
            orientation="horizontal",
            showfliers=False,
            patch_artist=True,
            boxprops={"facecolor": _SERIES[0], "edgecolor": _INK, "alpha": 0.7, "lw": 0.8},
            medianprops={"color": _INK, "lw": 1.5},
            whiskerprops={"color": _INK, "lw": 0.8},
            capprops={"color": _INK, "lw": 0.8},
        )
        _name_rows(axes, names)
        highest = max((m.result.latency.p99_s for m in here), default=1.0)
        scale, unit = (1e6, "µs") if highest < 1e-3 else (1e3, "ms") if highest < 1 else (1.0, "s")
        axes.set_xlim(left=0)
        axes.xaxis.set_major_formatter(lambda value, _: f"{value * scale:g}")
        axes.set_xlabel(f"{unit}; box p25 to p75, line p50, whiskers p1 to p99")

    text = "; ".join(
        f"{name}: p50 {units.seconds(m.result.latency.p50_s)}, "
        f"p99 {units.seconds(m.result.latency.p99_s)}"
        for name, m in zip(names, here, strict=True)
    )
    title = _titled(f"Latency on {place}", tag)
    return _draw(title, text, 1.0 + 0.32 * len(here), paint)


def _box(measurement: Measurement) -> dict[str, float]:
    latency = measurement.result.latency
    if latency.samples_s:
        spots = np.percentile(latency.samples_s, [1, 25, 50, 75, 99]).tolist()
    else:
        spots = [latency.p50_s] * 4 + [latency.p99_s]
    return dict(zip(("whislo", "q1", "med", "q3", "whishi"), spots, strict=True))


def _promise(comparison: Comparison, place: str, tag: str) -> Figure | None:
    here: list[tuple[FileRow, MeasuredRow]] = [
        (row, row.measured)
        for row in comparison.files
        if row.measured is not None and row.measured.place == place
    ]
    bars: dict[str, Sequence[float | None]] = {
        "proxy, ideal": [m.proxy_ideal for _, m in here],
        "proxy, executed": [m.proxy_executed for _, m in here],
        "measured p50": [m.latency_ratio for _, m in here],
        "measured net energy": [m.energy_ratio for _, m in here],
    }
    shown = {name: values for name, values in bars.items() if any(v is not None for v in values)}
    if not shown:
        return None
    title = _titled(f"Promise and measurement on {place}", tag)
    return _bars(title, [row.label for row, _ in here], shown, "relative to the baseline", 1.0)
