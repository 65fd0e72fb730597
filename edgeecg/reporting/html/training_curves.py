"""The figures of a compression: scores and proxy after each step, and the training loss."""

from __future__ import annotations

from itertools import accumulate
from typing import Any

from edgeecg.reporting import captions, units
from edgeecg.reporting.documents import RunDocuments
from edgeecg.reporting.html.figure import (
    DASHES,
    GRID,
    SERIES,
    SYMBOLS,
    Figure,
    Trace,
    axis,
    label,
    titled,
    words,
)
from edgeecg.schema import Scores

_STEP = "step (0 is the baseline)"


def line(name: str, x: list[int], y: list[float | None], n: int, **changes: Any) -> Trace:
    """Return a line with marks.

    Args:
        name: Its name.
        x: Steps or epochs.
        y: Values; None leaves a gap.
        n: Number of the series, for its colour and mark.
        changes: More of Plotly's keys.
    """
    return {
        "type": "scatter", "mode": "lines+markers", "name": label(name), "x": x, "y": y,
        "line": {"color": SERIES[n % len(SERIES)], "dash": DASHES[n % len(DASHES)]},
        "marker": {"color": SERIES[n % len(SERIES)], "symbol": SYMBOLS[n % len(SYMBOLS)]},
        **changes,
    }  # fmt: skip


def steps(documents: RunDocuments) -> Figure | None:
    """Return validation score and both proxies after every step; None without a log."""
    log = documents.log
    if log is None or not log.steps:
        return None
    name = documents.model.val.headline[0]
    at = [step.step for step in log.steps]
    score: list[float | None] = [step.val.headline[1] for step in log.steps]
    executed: list[float | None] = [step.proxy_executed for step in log.steps]
    ideal: list[float | None] = [step.proxy_ideal for step in log.steps]
    latency: list[float | None] = [step.latency_predicted for step in log.steps]
    if documents.baseline is not None:
        at, score = [0, *at], [documents.baseline.val.headline[1], *score]
        executed, ideal, latency = [1.0, *executed], [1.0, *ideal], [1.0, *latency]
    lower = {"yaxis": "y2"}
    traces = [
        line(f"validation {name}", at, score, 0),
        line("executed proxy", at, executed, 1, **lower),
        line("ideal proxy", at, ideal, 2, **lower),
    ]
    if log.config.costs is not None:
        traces.append(line("latency, predicted", at, latency, 3, **lower))
    text = words(
        f"step {n}: {name} {units.fraction(s)}, executed proxy {units.ratio(e)}"
        for n, s, e in zip(at, score, executed, strict=True)
    )
    title = titled(
        f"{name[0].upper()}{name[1:]} and proxy, step by step", captions.validation(log.data)
    )
    layout: dict[str, Any] = {
        "xaxis": axis(_STEP, dtick=max(1, len(at) // 10), anchor="y2"),
        "yaxis": axis(f"val {name}", domain=[0.56, 1]),
        "yaxis2": axis("× baseline", domain=[0, 0.44], rangemode="tozero"),
    }
    return Figure(title, text, tuple(traces), layout, 440)


def losses(documents: RunDocuments) -> Figure | None:
    """Return the training loss of every epoch of fine-tuning, with a line between two steps.

    Steps that were rolled back are left out. Quantisation-aware training comes last. None when
    nothing was fine-tuned.
    """
    log = documents.log
    if log is None:
        return None
    parts = {f"step {step.step}": step.train_loss for step in log.steps}
    if documents.quantization is not None and documents.quantization.kept == "qat":
        parts["int8"] = documents.quantization.train_loss
    every: list[float | None] = [loss for losses in parts.values() for loss in losses]
    if not every:
        return None
    ends = list(accumulate(len(losses) for losses in parts.values()))
    layout: dict[str, Any] = {
        "xaxis": axis("epoch of fine-tuning", dtick=max(1, len(every) // 12)),
        "yaxis": axis("training loss", rangemode="tozero"),
        "showlegend": False,
        "margin": {"l": 50, "r": 20, "t": 30, "b": 45},
        "shapes": [
            {"type": "line", "x0": end + 0.5, "x1": end + 0.5, "y0": 0, "y1": 1, "yref": "paper",
             "line": {"color": GRID, "width": 1}}
            for end in ends[:-1]
        ],
        "annotations": [
            {"x": end - (len(part) - 1) / 2, "y": 1, "yref": "paper", "yanchor": "bottom",
             "text": label(name), "showarrow": False, "font": {"size": 10}}
            for (name, part), end in zip(parts.items(), ends, strict=True)
            if part
        ],
    }  # fmt: skip
    text = words(
        f"{name}: {', '.join(units.significant(loss) for loss in losses)}"
        for name, losses in parts.items()
    )
    title = titled("Training loss after each step", captions.synthetic_only(log.data))
    trace = line("training loss", list(range(1, len(every) + 1)), every, 0)
    return Figure(title, text, (trace,), layout, 300)


def classes(documents: RunDocuments) -> tuple[Figure, ...]:
    """Return recall and precision of each class after every step, or its AUROC for records."""
    log = documents.log
    if log is None or not log.steps:
        return ()
    scored = [(step.step, step.val) for step in log.steps]
    if documents.baseline is not None:
        scored.insert(0, (0, documents.baseline.val))
    if documents.model.test.task == "records":
        kinds = {"auroc": "AUROC"}
    else:
        kinds = {"recall": "Recall", "precision": "Precision"}
    return tuple(
        _by_class(kind, title, scored, documents.model.classes, captions.validation(log.data))
        for kind, title in kinds.items()
    )


def _by_class(
    kind: str, title: str, scored: list[tuple[int, Scores]], names: tuple[str, ...], data: str
) -> Figure:
    at = [step for step, _ in scored]
    values: dict[str, list[float | None]] = {
        name: [
            None if (found := scores.per_class.get(name)) is None else getattr(found, kind)
            for _, scores in scored
        ]
        for name in names
    }
    return Figure(
        titled(f"{title} of each class, step by step", data),
        words(
            f"{name}: {', '.join(units.fraction(v) for v in each)}" for name, each in values.items()
        ),
        tuple(line(name, at, each, n) for n, (name, each) in enumerate(values.items())),
        {"xaxis": axis(_STEP, dtick=max(1, len(at) // 10)), "yaxis": axis(title)},
    )
