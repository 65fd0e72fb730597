"""The figures of a report."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Canvas

from edgeecg.reporting import captions, training_curves, units
from edgeecg.reporting.documents import Measurement, RunDocuments
from edgeecg.reporting.drawing import INK, SERIES, Figure, draw, titled
from edgeecg.reporting.rows import Comparison, FileRow, MeasuredRow


def all_figures(documents: RunDocuments, comparison: Comparison) -> list[Figure]:
    """Draw all figures for which there is data.

    Args:
        documents: The documents of the run.
        comparison: The figures of the run.
    """
    data = captions.synthetic_only(documents.model.data)
    found = [
        training_curves.steps(documents),
        training_curves.losses(documents),
        _layers(documents, data),
    ]
    places = dict.fromkeys(m.place for m in documents.measurements)
    for place in places:
        found.append(_latency(documents, place, data))
        found.append(_proxy_vs_measured(comparison, place, data))
    return [figure for figure in found if figure is not None]


def _layers(documents: RunDocuments, data: str) -> Figure | None:
    if documents.baseline is not None:
        before = _flat(documents.baseline.widths)
        after = _flat(documents.model.widths)
        if before.keys() == after.keys() and before != after:
            bars = {"baseline": list(before.values()), "compressed": list(after.values())}
            return _bars(titled("Channels of each layer", data), list(before), bars, "channels")
    if documents.log is None or not documents.log.steps:
        return None
    sparsity = documents.log.steps[-1].layer_sparsity
    bars = {"removed or zero": [100 * value for value in sparsity.values()]}
    title = titled("Weights of each layer that are removed or zero", data)
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
    """Draw a group of horizontal bars for each name; a value that is None leaves a gap."""
    thick = 0.8 / len(bars)

    def paint(canvas: Canvas) -> None:
        axes = canvas.subplots()
        for i, (label, values) in enumerate(bars.items()):
            known = [(n, value) for n, value in enumerate(values) if value is not None]
            places = [n - 0.4 + thick * (i + 0.5) for n, _ in known]
            drawn = axes.barh(
                places, [v for _, v in known], thick * 0.9, color=SERIES[i], label=label
            )
            texts = [f"{value:.3g}" for _, value in known]
            axes.bar_label(drawn, texts, padding=2, fontsize=7)
        if line_at is not None:
            axes.axvline(line_at, color=INK, lw=0.8, ls=":")
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
    return draw(title, f"{unit}. {text}", 0.9 + len(names) * (0.2 + 0.17 * len(bars)), paint)


def _name_rows(axes: Axes, names: Sequence[str]) -> None:
    axes.set_yticks(range(len(names)), [_short(name) for name in names])
    axes.set_ylim(len(names) - 0.4, -0.6)
    axes.tick_params(axis="y", length=0)
    axes.grid(axis="x", alpha=0.5)
    axes.set_axisbelow(True)


def _short(name: str) -> str:
    shown = units.printable(name)
    return shown if len(shown) <= 28 else shown[:27] + "…"


def _latency(documents: RunDocuments, place: str, data: str) -> Figure | None:
    labels = {exported.sha256: exported.label for exported in documents.exported}
    here = [m for each in documents.exported for m in documents.of(each) if m.place == place]
    names = [labels[m.result.artifact.sha256] for m in here]

    def paint(canvas: Canvas) -> None:
        axes = canvas.subplots()
        axes.bxp(
            [_box(m) for m in here],
            positions=range(len(here)),
            orientation="horizontal",
            showfliers=False,
            patch_artist=True,
            boxprops={"facecolor": SERIES[0], "edgecolor": INK, "alpha": 0.7, "lw": 0.8},
            medianprops={"color": INK, "lw": 1.5},
            whiskerprops={"color": INK, "lw": 0.8},
            capprops={"color": INK, "lw": 0.8},
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
    title = titled(f"Latency on {place}", data)
    return draw(title, text, 1.0 + 0.32 * len(here), paint)


def _box(measurement: Measurement) -> dict[str, float]:
    latency = measurement.result.latency
    if latency.samples_s:
        spots = np.percentile(latency.samples_s, [1, 25, 50, 75, 99]).tolist()
    else:
        spots = [latency.p50_s] * 4 + [latency.p99_s]
    return dict(zip(("whislo", "q1", "med", "q3", "whishi"), spots, strict=True))


def _proxy_vs_measured(comparison: Comparison, place: str, data: str) -> Figure | None:
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
    title = titled(f"Proxy against measurement on {place}", data)
    return _bars(title, [row.label for row, _ in here], shown, "relative to the baseline", 1.0)
