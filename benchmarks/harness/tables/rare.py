"""The tables on rare classes: which signal tells of a loss, and which options lose least."""

from __future__ import annotations

from collections.abc import Sequence

from ..aggregate import missing
from ..rare_losses import (
    Point,
    correlations,
    lost,
    lost_more,
    nearest,
    points,
    seeds_in_rows,
    signal,
)
from ..results import Results
from ..statistics_of_seeds import Spread, plus_minus
from .provenance import made_by

GUARDED = "fidelity, wide, S"
"""The signal on DS1 that stands beside the losses."""

_SHOWN = 8


def variants(results: Results) -> str:
    """Return what every run loses at each budget, and what DS1 says of it."""
    found = points(results)
    budgets: Sequence[float] = results.experiment.settings["budgets"]
    lines = [
        "| options | budget | proxy | seeds | recall of S lost | macro-F1 lost "
        "| fidelity of S lost | the same on DS1, augmented |",
        "|---|--:|--:|--:|--:|--:|--:|--:|",
    ]
    for run in results.experiment.runs:
        for budget in budgets:
            chosen = nearest(found, run.label, budget)
            if chosen:
                lines.append(f"| {run.label} | {budget:g} | {_cells(chosen)} |")
    left = missing(results)
    return "\n".join(
        [
            *lines,
            "",
            "Model `cnn1d` where none is named. annotations: the defaults of earlier versions (a "
            "tenth of the loss is of the annotations, windows as in training, two epochs a step). "
            "wide windows: the dense model alone, on wide windows, four epochs. frozen norms: "
            "likewise, and batch norms use the running mean and variance of the dense model; "
            "today's defaults also have 20 epochs after the last step. Dense minus compressed, "
            "mean ± standard deviation over the seeds; each seed against its own dense model where "
            "not said otherwise. Lost: on DS2. "
            "On DS1: one minus the fidelity of S on training windows that are changed at random; "
            "this column and the validation patients decided. Shown is the step whose proxy is "
            f"nearest to the budget.{_left(left)}",
            "",
            made_by(seeds_in_rows(results), cpu=True),
        ]
    )


def over_budgets(results: Results) -> str:
    """Return what every choice of channels loses at each budget, beside the first run's."""
    found = points(results)
    budgets: Sequence[float] = results.experiment.settings["budgets"]
    reference = results.experiment.runs[0].label
    lines = [
        "| budget | choice of channels | proxy | seeds | recall of S lost | macro-F1 lost "
        f"| fidelity of S lost | the same on DS1, augmented | recall of S: more than {reference} "
        f"| macro-F1: more than {reference} |",
        "|--:|---|--:|--:|--:|--:|--:|--:|--:|--:|",
    ]
    for budget in budgets:
        others = nearest(found, reference, budget)
        for run in results.experiment.runs:
            chosen = nearest(found, run.label, budget)
            if chosen:
                more = [
                    "" if run.label == reference else _signed(lost_more(chosen, others, loss))
                    for loss in ("recall of S", "macro-F1")
                ]
                cells = [f"{budget:g}", run.label, _cells(chosen), *more]
                lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(
        [
            *lines,
            "",
            "Model `cnn1d`. Fine-tuned alike: the dense model alone, wide windows, frozen norms, "
            "four epochs after every step. Dense minus compressed, mean ± standard deviation over "
            "the seeds, each against its own dense model. Lost: on DS2. On DS1: one minus the "
            "fidelity of S on training windows that are changed at random. The last two columns: "
            f"the difference to {reference}, seed by seed. Shown is the step whose proxy is "
            f"nearest to the budget, within a quarter.{_left(missing(results))}",
            "",
            made_by(seeds_in_rows(results), cpu=True),
        ]
    )


def _left(labels: Sequence[str]) -> str:
    return f" Seeds still to be run: {'; '.join(labels)}." if labels else ""


def _cells(chosen: Sequence[Point]) -> str:
    proxy = sum(point.proxy for point in chosen) / len(chosen)
    values = [
        lost(chosen, "recall of S"),
        lost(chosen, "macro-F1"),
        lost(chosen, "fidelity of S"),
        signal(chosen, GUARDED),
    ]
    seeds = ", ".join(str(point.seed) for point in chosen)
    return " | ".join([f"{proxy:.3f}", seeds, *map(_signed, values)])


def _signed(value: Spread | None) -> str:
    return "-" if value is None else plus_minus(value, sign="+")


def signals(results: Results) -> str:
    """Return the rank correlation of the best signals with the losses."""
    found = points(results)
    ranked = correlations(found, "recall of S")
    others = {each.signal: each.rho for each in correlations(found, "macro-F1")}
    kept = ranked[:_SHOWN]
    kept += [each for each in ranked[_SHOWN:] if each.signal in (GUARDED, "macro-F1, validation")]
    lines = [
        "| signal on DS1 | with recall of S lost on DS2 | 95 % interval | with macro-F1 lost |",
        "|---|--:|--:|--:|",
    ]
    for each in kept:
        interval = "-" if each.ci95 is None else f"{each.ci95[0]:.2f} to {each.ci95[1]:.2f}"
        other = others.get(each.signal)
        lines.append(
            f"| {each.signal} | {each.rho:.2f} | {interval} "
            f"| {'-' if other is None else f'{other:.2f}'} |"
        )
    runs = len({(point.label, point.seed) for point in found})
    return "\n".join(
        [
            *lines,
            "",
            f"Spearman's rank correlation over {len(found)} models of {runs} runs; interval: "
            f"bootstrap over runs. The best {_SHOWN} of {len(ranked)} signals, so that the first "
            f"is optimistic, the one that guards watch ({GUARDED}) and macro-F1 on validation. "
            "Fidelity counts as what it lacks of 1. The losses on DS2 were known when guards were "
            "given their signal.",
            "",
            "![Signals on DS1 and losses on DS2](../docs/images/rare_beats.svg)",
            "",
            made_by(seeds_in_rows(results), cpu=True),
        ]
    )
