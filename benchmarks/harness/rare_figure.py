"""The figures on rare classes: a signal on DS1 against the loss on DS2, and losses over budgets."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from .experiment import EXPERIMENTS, Experiment, load
from .figures import pyplot
from .rare_losses import Point, correlations, lost, nearest, points
from .results import stored

# Okabe and Ito's colours, which colour-blind readers can tell apart; the marks differ, too.
_STYLES = (
    ("o", "#0072B2"),
    ("D", "#D55E00"),
    ("s", "#009E73"),
    ("^", "#CC79A7"),
    ("v", "#E69F00"),
    ("P", "#56B4E9"),
    ("X", "#000000"),
)

_OTHER = (".", "#aaaaaa")


def draw(results: Path, name: str = "rare_beats", experiments: Path = EXPERIMENTS) -> bytes | None:
    """Draw the best signal against the loss, and the losses of some runs over the budgets.

    The runs that the setting ``drawn`` names have a colour and a line; without it all of them have.

    Args:
        results: Folder of the results.
        name: The experiment.
        experiments: Folder of the experiment files.

    Returns:
        An SVG file; None where nothing was measured yet.
    """
    experiment, found = _measured(results, name, experiments)
    if not found:
        return None
    labels = list(dict.fromkeys(point.label for point in found))
    styles = _styles([each for each in experiment.settings.get("drawn", labels) if each in labels])
    figure, panels = pyplot().subplots(1, 3, figsize=(12.5, 4.4), layout="constrained")
    best = correlations(found, "recall of S")[0]
    for label in labels:
        mark, colour = styles.get(label, _OTHER)
        here = [point for point in found if point.label == label]
        panels[0].scatter(
            [point.signals[best.signal] for point in here],
            [point.lost["recall of S"] for point in here],
            marker=mark, color=colour, alpha=0.7, linewidths=0, s=22,
        )  # fmt: skip
    panels[0].set_xlabel(f"lost on DS1: {best.signal}")
    panels[0].set_ylabel("DS2: recall of S lost")
    panels[0].set_title(f"rank correlation {best.rho:.2f}")
    _losses(panels[1:], found, styles, experiment.settings["budgets"])
    return _svg(figure, panels)


def draw_losses(
    results: Path, name: str = "methods_over_budgets", experiments: Path = EXPERIMENTS
) -> bytes | None:
    """Draw the losses of all runs over the budgets; see :func:`draw`."""
    experiment, found = _measured(results, name, experiments)
    if not found:
        return None
    figure, panels = pyplot().subplots(1, 2, figsize=(10.5, 4.4), layout="constrained")
    styles = _styles(list(dict.fromkeys(point.label for point in found)))
    _losses(panels, found, styles, experiment.settings["budgets"])
    return _svg(figure, panels)


def _measured(results: Path, name: str, experiments: Path) -> tuple[Experiment, Sequence[Point]]:
    experiment = load(name, experiments)
    return experiment, points(stored(experiment, results, experiments))


def _styles(labels: Sequence[str]) -> dict[str, tuple[str, str]]:
    """Return mark and colour of every run with a line."""
    return {label: _STYLES[k % len(_STYLES)] for k, label in enumerate(labels)}


def _losses(
    panels: Any,
    found: Sequence[Point],
    styles: Mapping[str, tuple[str, str]],
    budgets: Sequence[float],
) -> None:
    """Draw two panels of losses over the budgets."""
    for axes, loss in zip(panels, ("recall of S", "macro-F1"), strict=True):
        for label, style in styles.items():
            _line(axes, found, label, budgets, loss, style)
        axes.set_xscale("log")
        ticks = sorted(budgets)
        axes.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
        axes.xaxis.set_minor_locator(pyplot().NullLocator())
        axes.invert_xaxis()
        axes.axhline(0, color="#888888", linewidth=0.8)
        axes.set_xlabel("executed proxy, relative to the dense model")
        axes.set_ylabel(f"DS2: {loss} lost")


def _svg(figure: Any, panels: Any) -> bytes:
    """Return a figure with its legend above the panels."""
    for axes in panels:
        axes.grid(color="#e3e3e3")
        axes.set_axisbelow(True)
        axes.spines[["top", "right"]].set_visible(False)
    handles, names = panels[-1].get_legend_handles_labels()
    figure.legend(handles, names, loc="outside upper center", ncols=3, frameon=False)
    drawn = io.BytesIO()
    figure.savefig(drawn, format="svg", metadata={"Date": None}, facecolor="white")
    pyplot().close(figure)
    return drawn.getvalue()


def _line(
    axes: Any,
    found: Sequence[Point],
    label: str,
    budgets: Sequence[float],
    loss: str,
    style: tuple[str, str],
) -> None:
    """Draw the mean over seeds at each budget; bars are the deviation."""
    mark, colour = style
    chosen = [nearest(found, label, budget) for budget in budgets]
    chosen = [each for each in chosen if each]
    seeds = ", ".join(str(seed) for seed in sorted({p.seed for each in chosen for p in each}))
    values = [lost(each, loss) for each in chosen]
    axes.errorbar(
        [sum(point.proxy for point in each) / len(each) for each in chosen],
        [value["mean"] for value in values],
        yerr=[value["std"] or 0.0 for value in values],
        label=f"{label} (seeds {seeds})",
        marker=mark, color=colour, markersize=5, linewidth=1.2, capsize=2,
    )  # fmt: skip
