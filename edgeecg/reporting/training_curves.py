"""The figures of a compression: score and proxy after each step, and the training loss."""

from __future__ import annotations

from itertools import accumulate
from math import nan

from matplotlib.figure import Figure as Canvas
from matplotlib.ticker import MaxNLocator

from edgeecg.reporting import captions, units
from edgeecg.reporting.documents import RunDocuments
from edgeecg.reporting.drawing import GRID, SERIES, Figure, draw, titled


def steps(documents: RunDocuments) -> Figure | None:
    """Draw validation score and both proxies after every step; None without a log."""
    log = documents.log
    if log is None or not log.steps:
        return None
    at = [step.step for step in log.steps]
    name = documents.model.val.headline[0]
    score = [step.val.headline[1] for step in log.steps]
    executed = [step.proxy_executed for step in log.steps]
    ideal = [step.proxy_ideal for step in log.steps]
    latency = [nan if (part := step.latency_predicted) is None else part for step in log.steps]
    if documents.baseline is not None:
        latency = [1.0, *latency]
        at, score = [0, *at], [documents.baseline.val.headline[1], *score]
        executed, ideal = [1.0, *executed], [1.0, *ideal]

    def paint(canvas: Canvas) -> None:
        upper, lower = canvas.subplots(2, 1, sharex=True)
        upper.plot(at, score, marker="o", color=SERIES[0])
        upper.set_ylabel(f"val {name}")
        lower.plot(at, executed, marker="o", color=SERIES[1], label="executed")
        lower.plot(at, ideal, marker="s", ls="--", color=SERIES[2], label="ideal")
        if log.config.costs is not None:
            lower.plot(at, latency, marker="^", ls=":", color=SERIES[3], label="latency, predicted")
        lower.set_ylabel("relative to baseline" if log.config.costs else "proxy / baseline")
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
    title = titled(
        f"{name[0].upper()}{name[1:]} and proxy, step by step", captions.validation(log.data)
    )
    return draw(title, text, 3.8, paint)


def losses(documents: RunDocuments) -> Figure | None:
    """Draw the training loss of every epoch of fine-tuning, with a line between two steps.

    Steps that were rolled back are left out. Quantisation-aware training comes last. None when
    nothing was fine-tuned.
    """
    log = documents.log
    if log is None:
        return None
    parts = {f"step {step.step}": step.train_loss for step in log.steps}
    if documents.quantization is not None and documents.quantization.kept == "qat":
        parts["int8"] = documents.quantization.train_loss
    every = [loss for losses in parts.values() for loss in losses]
    if not every:
        return None
    ends = list(accumulate(len(losses) for losses in parts.values()))

    def paint(canvas: Canvas) -> None:
        axes = canvas.subplots()
        for end in ends[:-1]:
            axes.axvline(end + 0.5, color=GRID, lw=0.8)
        axes.plot(range(1, len(every) + 1), every, marker="o", color=SERIES[0])
        for name, end, count in zip(parts, ends, map(len, parts.values()), strict=True):
            axes.annotate(
                name,
                (end - (count - 1) / 2, 1.0),
                xycoords=("data", "axes fraction"),
                ha="center",
                fontsize=7,
            )
        axes.set_ylabel("training loss")
        axes.set_xlabel("epoch of fine-tuning")
        axes.set_ylim(0, 1.1 * max(every))
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.grid(axis="y", alpha=0.5)

    text = "; ".join(
        f"{name}: {', '.join(units.significant(loss) for loss in losses)}"
        for name, losses in parts.items()
    )
    return draw(
        titled("Training loss after each step", captions.synthetic_only(log.data)), text, 2.4, paint
    )
