"""The tables of the dense models."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..results import Results
from ..rows import Row
from ..statistics_of_seeds import plus_minus, spread
from .provenance import made_by

_SCORES = ("macro_auroc", "macro_auprc", "macro_f1", "macro_f1_at_threshold")


def _models(results: Results, dataset: str) -> dict[str, list[Row]]:
    """Return the rows of each model, where all seeds are there."""
    found: dict[str, list[Row]] = {}
    for run in results.experiment.runs:
        model = run.model or run.label
        seeds = [results.last(model=model, seed=seed) for seed in results.experiment.seeds]
        rows = [row for row in seeds if row is not None]
        if len(rows) == len(seeds) and rows[0]["dataset"] == dataset:
            found[model] = rows
    return found


def _tested(rows: Sequence[Row], what: str) -> str:
    return plus_minus(spread([row["test"][what] for row in rows]))


def _class(rows: Sequence[Row], name: str) -> str:
    means = [
        spread([row["test"]["per_class"][name][what] for row in rows])["mean"]
        for what in ("recall", "precision")
    ]
    return " / ".join(f"{mean:.2f}" for mean in means)


def _seeds(results: Results) -> str:
    return f"seeds {', '.join(map(str, results.experiment.seeds))}, mean ± standard deviation"


def beat_models(results: Results) -> str:
    """Return the models of MIT-BIH."""
    models = _models(results, "mitdb")
    lines = [
        "| model | parameters | MACs | accuracy | macro-F1 | S: Se / +P | V: Se / +P "
        "| S Se without 232 |",
        "|---|--:|--:|--:|--:|--:|--:|--:|",
    ]
    for model, rows in models.items():
        without = [row["s_recall_without_232"] for row in rows]
        shown = "-" if None in without else plus_minus(spread(without), 2)
        lines.append(
            f"| `{model}` | {rows[0]['parameters']:,} | {rows[0]['macs']:,} "
            f"| {_tested(rows, 'accuracy')} | {_tested(rows, 'macro_f1')} "
            f"| {_class(rows, 'S')} | {_class(rows, 'V')} | {shown} |"
        )
    first = next(iter(models.values()))[0]
    spans = [rows[0]["test"]["macro_f1_ci95"] for rows in models.values()]
    wide = max(spans, key=lambda span: span[1] - span[0])
    return "\n".join(
        [
            *lines,
            "",
            f"MIT-BIH DS2 ({first['n']:,} beats), inter-patient, class map {first['split']}; "
            f"{_seeds(results)}. {' '.join(first['notes'])} {_taught(models)}"
            "F and Q beats are left out here; "
            "`edgeecg evaluate MODEL` gives the EC57 figures, which count them. 95 % intervals "
            f"over patients are wide (one seed's macro-F1: {wide[0]:.2f} to {wide[1]:.2f}); "
            "differences inside them are not resolved.",
            "",
            made_by([row for rows in models.values() for row in rows]),
        ]
    )


def record_models(results: Results, encoders: Results) -> str:
    """Return the models of PTB-XL, the random encoder, and all averaged."""
    models = _models(results, "ptbxl")
    random = [row for row in encoders.newest("what", "seed") if row["what"] == "encoder"]
    averaged = encoders.last(what="averaged")
    lines = [
        "| model | parameters | MACs | macro AUROC | macro AUPRC | macro-F1 at 0.50 "
        "| at thresholds of fold 9 |",
        "|---|--:|--:|--:|--:|--:|--:|",
    ]
    for model, rows in models.items():
        scores = " | ".join(_tested(rows, name) for name in _SCORES)
        lines.append(f"| `{model}` | {rows[0]['parameters']:,} | {rows[0]['macs']:,} | {scores} |")
    scores = " | ".join(_tested(random, name) for name in _SCORES)
    lines.append(f"| random convolutions, linear head | - | - | {scores} |")
    if averaged is not None:
        scores = " | ".join(f"{averaged['test'][name]:.3f}" for name in _SCORES)
        lines.append(f"| both models and three of these, averaged | - | - | {scores} |")
    first = next(iter(models.values()))[0]
    made = [row for rows in models.values() for row in rows]
    return "\n".join(
        [
            *lines,
            "",
            f"PTB-XL, fold 10 ({first['n']} records), five superclasses, 100 Hz; "
            f"{_seeds(results)}. {' '.join(first['notes'])} {_intervals(models)}"
            f"{_average(averaged)}",
            "",
            made_by([*made, *random, *([averaged] if averaged else [])]),
        ]
    )


def _taught(models: dict[str, list[Row]]) -> str:
    """Say which models learned from others, and from which."""
    said: list[str] = []
    for model, rows in models.items():
        training = rows[0]["training"]
        if training.get("teachers"):
            names = ", ".join(f"`{name}`" for name in training["teachers"])
            said.append(
                f"`{model}` learns from {names} of the package: teacher weight "
                f"{training['teacher_weight']:g}, {training['teacher_windows']} windows. "
            )
    return "".join(said)


def _intervals(models: dict[str, list[Row]]) -> str:
    each = "; ".join(
        f"`{model}` AUROC {_span(test, 'macro_auroc')}, AUPRC {_span(test, 'macro_auprc')}, "
        f"F1 {_span(test, 'macro_f1')}"
        for model, test in ((model, rows[0]["test"]) for model, rows in models.items())
    )
    return (
        f"95 % intervals over patients, seed 0: {each}. Differences inside them are not resolved."
    )


def _average(averaged: Row | None) -> str:
    if averaged is None:
        return ""
    val, test = averaged["val"]["per_class"], averaged["test"]
    by_class = ", ".join(
        f"{name} {found['auroc']:.3f} ({val[name]['auroc']:.3f})"
        for name, found in test["per_class"].items()
    )
    return (
        " Averaged: probabilities of the package's weights and of three random encoders, once; "
        f"AUROC {_span(test, 'macro_auroc')}; AUROC by class on fold 10, and in brackets on fold "
        f"9: {by_class}."
    )


def _span(test: dict[str, Any], name: str) -> str:
    low, high = test[f"{name}_ci95"]
    return f"{low:.3f} to {high:.3f}"
