"""Smaller models with the defaults of today: what each keeps of the score and of every class."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from ..aggregate import table_rows
from ..results import Results
from ..rows import Row
from ..statistics_of_seeds import Spread, plus_minus, spread
from . import sentences
from .markdown import NAMES, dense, lost, rarest, score, table, without_232
from .options import differing

_OTHER_DENSE_MODELS = (
    "The dense models of beats were trained for these tables: other ones than those of [Five "
    "models on MIT-BIH](#five-models-on-mit-bih). "
)
_FIDELITY = (
    "Fidelity: the share of test windows to which the dense model gives a class, and the "
    "compressed model too."
)


def models(results: Results) -> str:
    """Return what each model keeps of score, file and time."""
    rows = table_rows(results.experiment.name, results)
    lines = [
        f"| {sentences.size_and_time(row)} "
        f"| {NAMES[row['score']]} {dense(row)} | {score(row)} | {lost(row)} "
        f"| {without_232(row)} | {options} |"
        for row, options in zip(rows, differing(rows), strict=True)
    ]
    head = f"{sentences.SIZE_AND_TIME} | dense | compressed | lost | lost without 232 | options"
    blocks = any(row["structure"] == "blocks" for row in rows)
    own = any(row["variant"].run.dense == "own" for row in rows)
    notes = (
        f"Whole channels, LSTM units, heads{', and blocks for PTB-XL,' if blocks else ''} removed "
        "under a budget, energy-aware, distilled; the guard that `compress` proposes for beats "
        "today was off. File and p50 (LiteRT, one thread, batch 1, all files of a run in one bench "
        "call) are relative to the dense float32 file; the raw p50 are the smallest and "
        "the largest of the seeds. Lost: negative is a gain; without 232: what macro-F1 on all "
        f"other records of DS2 lost. {sentences.PROXY_OF_FILES}"
        f"{_OTHER_DENSE_MODELS if own else ''}{sentences.processors(rows)}"
    ).strip()
    return table(head, lines, notes, rows, results, timed=True)


def short(results: Results, compared: Results) -> str:
    """Return the smaller models in short, for the README.

    Args:
        results: Rows of the smaller models.
        compared: Rows of energy-aware, L1 and random choice.
    """
    rows = table_rows(results.experiment.name, results)
    lines = [
        f"| {_code(row)} | {row['macs_ratio']:.2f} × | {row['bytes_ratio']:.2f} × "
        f"| {sentences.latency(row)} | {NAMES[row['score']]} {dense(row)} "
        f"| {score(row)} | {rarest(row)} | {_fidelity(row, row['rarest']['class'])} |"
        for row in rows
        if row["latency_ratio"] is not None
    ]
    notes = (
        "× is relative to the dense float32 model; at 0.08: a budget of 8 % of its energy proxy. "
        "p50: LiteRT, one thread, batch 1, both files of a run in one `bench` call on x86-64. "
        "Scores on test patients. ±: standard deviation over three seeds. Rare class: recall of S "
        "(supraventricular beats, three quarters of them of record 232) of the dense models, and "
        "what each lost; for PTB-XL the AUROC of the class that lost most (MI: myocardial "
        "infarction). Fidelity: the share of this class, as the dense model gives it, that the "
        f"compressed model gives too. {sentences.processors(rows)}"
    ).strip()
    methods = (
        "- **Choice of channels.** "
        f"{sentences.which_method_wins(table_rows('methods', compared))} "
        "These means are of the fine-tuning of earlier versions."
    )
    head = "| model | MACs | file | p50, measured | dense | compressed | rare class | fidelity |"
    return "\n".join([head, "|---|--:|--:|--:|--:|--:|--:|--:|", *lines, "", notes, "", methods])


def classes(results: Results) -> str:
    """Return recall and fidelity of every class, and for PTB-XL the AUROC that each lost."""
    rows = table_rows(results.experiment.name, results)
    lines = [
        f"| {row['label']} | {name} | {_before(row, name, 'recall'):.3f} "
        f"| {_lost(row, name, 'recall')} | {_lost(row, name, 'auroc')} | {_fidelity(row, name)} |"
        for row in rows
        for name in row["recall"]
    ]
    head = "model | class | recall, dense | recall lost | AUROC lost | fidelity"
    notes = (
        f"{_FIDELITY} For PTB-XL a class is given from a probability of 0.50. Lost: negative is a "
        "gain."
    )
    return table(head, lines, notes, rows, results)


def _of_seeds(row: Row, value: Callable[[Row], float | None]) -> Spread | None:
    """Return mean and deviation over the seeds; None where a seed has no value."""
    found = [value(seed) for seed in row["variant"].seeds]
    known = [each for each in found if each is not None]
    return spread(known) if len(known) == len(found) else None


def _code(row: Row) -> str:
    """Return the label with the model as code."""
    return f"`{row['model']}`{row['label'].removeprefix(row['model'])}"


def _before(row: Row, name: str, measure: str) -> float:
    seeds: Sequence[Row] = row["variant"].seeds
    return sum(_class(seed["baseline"]["test"], name)[measure] for seed in seeds) / len(seeds)


def _lost(row: Row, name: str, measure: str) -> str:
    """Return what a class lost of a measure, against the dense model of the same seed."""

    def of(seed: Row) -> float | None:
        before = _class(seed["baseline"]["test"], name)[measure]
        after = _class(seed["test"], name)[measure]
        return None if before is None or after is None else before - after

    found = _of_seeds(row, of)
    return "-" if found is None else plus_minus(found, sign="+")


def _fidelity(row: Row, name: str) -> str:
    found = _of_seeds(row, lambda seed: seed["fidelity"]["per_class"][name]["fidelity"])
    return "-" if found is None else plus_minus(found)


def _class(test: dict[str, Any], name: str) -> dict[str, Any]:
    return test["per_class"][name]
