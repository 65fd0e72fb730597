"""What ``edgeecg compress`` shows: the steps as they come, the scores at the end."""

from __future__ import annotations

import contextlib
from collections.abc import Generator, Sequence
from typing import TYPE_CHECKING

from rich.box import SIMPLE_HEAD
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress import Progress
from rich.table import Table
from rich.text import Text

from edgeecg.cli._console import errors, progress
from edgeecg.schema.constraints import WORST_RECORD

if TYPE_CHECKING:
    from edgeecg.schema import (
        CompressionConfig,
        CompressionLog,
        CompressionStep,
        MeasuredCosts,
        ModelCard,
        Rollback,
    )


class StepTable:
    """The table of steps, a row for each that was kept or undone so far."""

    def __init__(self, config: CompressionConfig) -> None:
        """Start without rows.

        Args:
            config: What was asked for; guarded classes get a column each, and so does the predicted
                latency where layer costs are given.
        """
        self._config = config
        self._events: list[CompressionStep | Rollback] = []
        guarded = (
            guard.class_name
            for guard in config.guards
            if guard.class_name is not None and guard.class_name != WORST_RECORD
        )
        self._classes = tuple(dict.fromkeys(guarded))

    def add(self, event: CompressionStep | Rollback) -> None:
        """Add a row."""
        self._events.append(event)

    def report(self, event: CompressionStep | Rollback) -> None:
        """Add the row of a step that has just ended; without a terminal, print a line, too."""
        self.add(event)
        if not errors().is_terminal:
            errors().print(self._sentence(event), soft_wrap=True, markup=False)

    def _sentence(self, event: CompressionStep | Rollback) -> str:
        from edgeecg.schema import CompressionStep

        size = f"{event.nonzero_parameters:,} non-zero parameters"
        cost = f"executed proxy {event.proxy_executed:.3f}, {event.seconds:.0f} s"
        if not isinstance(event, CompressionStep):
            broken = ", ".join(f"{guard} was {value:.3f}" for guard, value in event.broken.items())
            return f"step rolled back: {broken}; {size}, {cost}"
        what, value = event.val.headline
        part = f"{round(event.progress * self._config.steps, 2):g}/{self._config.steps}"
        return f"step {part}: {size}, {cost}, validation {what} {value:.3f}"

    def table(self, note: str = "") -> Table:
        """Return the table as it is now.

        Args:
            note: Appended to the title.
        """
        from edgeecg.schema import CompressionStep

        kept = [event for event in self._events if isinstance(event, CompressionStep)]
        what = kept[0].val.headline[0] if kept else "score"
        title = f"Compression of {self._config.training.model}{note}"
        table = Table("step", title=title, box=SIMPLE_HEAD, collapse_padding=True, pad_edge=False)
        headings = ["non-zero\nparameters", "kB", "MACs", "proxy\nideal", "proxy\nexecuted"]
        if self._config.costs is not None:
            headings.append("latency\npredicted")
        headings.append(f"val\n{what}")
        headings.append("lowest\nfidelity")
        for heading in (*headings, *(f"recall\n{name}" for name in self._classes), "s"):
            table.add_column(heading, justify="right")
        for event in self._events:
            if isinstance(event, CompressionStep):
                table.add_row(*self._kept(event))
            else:
                table.add_row(*self._undone(event))
        return table

    def __rich__(self) -> RenderableType:
        """Return what a live display shows; nothing before the first step."""
        return self.table() if self._events else Text()

    def _kept(self, step: CompressionStep) -> tuple[str, ...]:
        total = self._config.steps
        return (
            f"{round(step.progress * total, 2):g}/{total}",
            f"{step.nonzero_parameters:,}",
            f"{step.weight_bytes / 1000:,.1f}",
            f"{step.macs:,}",
            f"{step.proxy_ideal:.3f}",
            f"{step.proxy_executed:.3f}",
            *self._predicted(step),
            f"{step.val.headline[1]:.3f}",
            _share(_lowest(step)),
            *(f"{step.val.per_class[name].recall:.3f}" for name in self._classes),
            f"{step.seconds:.0f}",
        )

    def _undone(self, back: Rollback) -> tuple[str, ...]:
        return (
            "undone",
            f"{back.nonzero_parameters:,}",
            f"{back.weight_bytes / 1000:,.1f}",
            "",
            "",
            f"{back.proxy_executed:.3f}",
            *self._predicted(back),
            *([""] * (2 + len(self._classes))),
            f"{back.seconds:.0f}",
        )

    def _predicted(self, event: CompressionStep | Rollback) -> tuple[str, ...]:
        if self._config.costs is None:
            return ()
        return ("" if event.latency_predicted is None else f"{event.latency_predicted:.3f}",)


@contextlib.contextmanager
def live(table: StepTable) -> Generator[Progress]:
    """Yield a started progress bar, with the growing table above it on a terminal.

    Both are on standard error, and gone at the end.

    Args:
        table: What is shown above the bar.
    """
    bar = progress()
    if bar.disable:
        yield bar
        return
    with Live(Group(table, bar), console=bar.console, transient=True):
        yield bar


def show(console: Console, log: CompressionLog, baseline: ModelCard, compressed: ModelCard) -> None:
    """Print every step, why the run ended early if it did, and the test scores.

    Args:
        console: Where to.
        log: The finished run.
        baseline: Card of its dense model.
        compressed: Card of what became of it.
    """
    from edgeecg.reporting import budgets

    note = _note(log)
    steps = StepTable(log.config)
    for event in sorted((*log.steps, *log.rollbacks), key=lambda event: event.attempt):
        steps.add(event)
    console.print(steps.table(note))
    for back in log.rollbacks:
        broken = ", ".join(f"{guard} was {value:.3f}" for guard, value in back.broken.items())
        size = f"{back.nonzero_parameters:,} non-zero parameters"
        console.print(f"  Undone: {broken} at {size}.", soft_wrap=True)
    if log.config.costs is not None:
        console.print(_prediction(log.config.costs), soft_wrap=True)
    if log.stopped is not None:
        console.print(log.stopped, soft_wrap=True)
    for warning in log.warnings:
        console.print(f"Warning: {warning}", soft_wrap=True, style="yellow")
    console.print(_scores(log, baseline, compressed))
    for line in budgets.after_compression(log):
        console.print(line, soft_wrap=True, markup=False)
    for remark in log.data.notes:
        console.print(f"  {remark}", soft_wrap=True)


def show_seeds(
    console: Console, logs: Sequence[CompressionLog], cards: Sequence[ModelCard]
) -> None:
    """Print mean and standard deviation of the test scores over several seeds.

    Args:
        console: Where to.
        logs: The finished runs, one a seed.
        cards: Cards of their compressed models.
    """
    import statistics

    what = cards[0].test.headline[0]
    found = {what: [card.test.headline[1] for card in cards]}
    found["accuracy"] = [card.test.accuracy for card in cards]
    for name in logs[0].data.classes:
        found[f"recall of {name}"] = [card.test.per_class[name].recall for card in cards]
    found["proxy executed"] = [log.steps[-1].proxy_executed if log.steps else 1.0 for log in logs]
    title = f"Test records, {len(cards)} seeds{_note(logs[0])}"
    table = Table("compressed model", title=title, box=SIMPLE_HEAD)
    table.add_column("mean ± standard deviation", justify="right")
    for name, values in found.items():
        spread = statistics.stdev(values) if len(values) > 1 else 0.0
        table.add_row(name, f"{statistics.fmean(values):.3f} ± {spread:.3f}")
    console.print(table)


def _prediction(costs: MeasuredCosts) -> str:
    """Return where the layer costs come from, and what a predicted latency is not."""
    threads = "1 thread" if costs.threads == 1 else f"{costs.threads} threads"
    emulator = " These are an emulator's times, not the board's." if costs.emulated else ""
    return (
        f"Latency is predicted, relative to the dense model, from its layers' seconds on "
        f"{costs.device} ({costs.runtime}, {threads}); 'edgeecg bench' measures it.{emulator}"
    )


def _note(log: CompressionLog) -> str:
    return ", SYNTHETIC records" if log.data.source == "synthetic" else ""


def _scores(log: CompressionLog, baseline: ModelCard, compressed: ModelCard) -> Table:
    """Return the scores with a column for each model: any number of classes fits a terminal."""
    title = f"Test records, class map {log.data.class_map}{_note(log)}"
    table = Table("", title=title, box=SIMPLE_HEAD)
    cards = (baseline, compressed)
    for card in cards:
        table.add_column(card.role, justify="right", no_wrap=True)
    table.add_row("non-zero parameters", *(f"{card.nonzero_parameters:,}" for card in cards))
    rightly = "accuracy" if baseline.test.task == "beats" else "all classes right"
    table.add_row(rightly, *(f"{card.test.accuracy:.3f}" for card in cards))
    table.add_row(baseline.test.headline[0], *(f"{card.test.headline[1]:.3f}" for card in cards))
    bounds = (card.test.headline_ci95 for card in cards)
    table.add_row("  95 % interval", *(f"{ci[0]:.2f}-{ci[1]:.2f}" if ci else "-" for ci in bounds))
    for name in log.data.classes:
        recalls = (f"{card.test.per_class[name].recall:.3f}" for card in cards)
        table.add_row(f"recall of {name}", *recalls)
    _add_fidelity(table, log)
    return table


def _add_fidelity(table: Table, log: CompressionLog) -> None:
    """Add how often the compressed model decides as the dense one, by class and on one record."""
    found = log.fidelity.get("test")
    if found is None:
        return
    for name, of_class in found.per_class.items():
        table.add_row(f"fidelity of {name}", "1.000", _share(of_class.fidelity))
    if (worst := found.worst_record) is not None:
        name, of_record = worst
        table.add_row(f"worst record: {name}", "1.000", _share(of_record.fidelity))


def _lowest(step: CompressionStep) -> float | None:
    """Return the lowest fidelity of a class where guards are checked; None in old logs."""
    return step.fidelity["train"].worst_class if "train" in step.fidelity else None


def _share(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"
