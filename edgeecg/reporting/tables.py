"""The tables of models and exported files."""

from __future__ import annotations

from dataclasses import dataclass

from edgeecg.reporting import budgets, captions, units
from edgeecg.reporting.documents import RunDocuments
from edgeecg.reporting.rows import Comparison, FileRow, ModelRow
from edgeecg.statistics import changes

_IN_WORDS: dict[changes.Outcome, str] = {
    "identical": ", identical",
    "tie": ", a tie",
    "not resolved": ", not resolved",
    "different": "",
}

Row = tuple[str, ...]


@dataclass(frozen=True)
class Table:
    """One table of text cells.

    Attributes:
        title: What it shows.
        data: The data that the figures are about; shown after the title.
        head: Column headings.
        rows: Cells, row by row; the first of each is the row's heading.
        notes: The numbered notes, for markers such as ``[1]`` in a cell; then the others.
        text_columns: Headings of the columns with words instead of numbers.
    """

    title: str
    data: str
    head: Row
    rows: tuple[Row, ...]
    notes: tuple[str, ...] = ()
    text_columns: Row = ("where", "meter")

    @property
    def caption(self) -> str:
        """Title and data in one line."""
        return f"{self.title} ({self.data})" if self.data else self.title


class Notes:
    """Collects the notes of a table, and numbers each once."""

    def __init__(self) -> None:
        self._texts: list[str] = []

    def mark(self, cell: str, reason: str | None) -> str:
        """Return the cell with the number of its note, or unchanged without one.

        Args:
            cell: Text of the cell.
            reason: Text of the note, or None.
        """
        if not reason:
            return cell
        if reason not in self._texts:
            self._texts.append(reason)
        return f"{cell} [{self._texts.index(reason) + 1}]"

    def lines(self) -> tuple[str, ...]:
        """Return the numbered notes."""
        return tuple(f"[{n}] {text}" for n, text in enumerate(self._texts, 1))


def models(documents: RunDocuments, comparison: Comparison) -> Table:
    """Return the table that compares the PyTorch models: parameters, MACs and scores."""
    after = comparison.models[-1]
    before = comparison.models[0] if len(comparison.models) > 1 else None
    notes = Notes()
    per = captions.inference(documents.model.data, documents.model.preprocessing)
    lines = [
        *_model_costs(before, after, per),
        *_model_means(before, after, notes),
        *_model_classes(before, after, documents.model.classes),
    ]
    return Table(
        title="Baseline and compressed PyTorch model",
        data=captions.test(documents.model.data),
        head=("", "baseline", "compressed", "change"),
        rows=tuple(lines),
        notes=(*notes.lines(), *captions.footnotes(documents.model.data)),
    )


def _model_costs(before: ModelRow | None, after: ModelRow, per: str) -> list[Row]:
    def line(name: str, old: int | None, new: int, text: str, was: str) -> Row:
        share = units.ratio(new / old) if old else units.DASH
        return name, was if before else units.DASH, text, share

    b = before
    return [
        line("parameters", b and b.parameters, after.parameters, units.count(after.parameters),
             units.count(b and b.parameters)),
        line("nonzero parameters", b and b.nonzero_parameters, after.nonzero_parameters,
             units.count(after.nonzero_parameters), units.count(b and b.nonzero_parameters)),
        line(f"MACs per {per}", b and b.macs, after.macs, units.macs(after.macs),
             units.macs(b and b.macs)),
    ]  # fmt: skip


def _model_means(before: ModelRow | None, after: ModelRow, notes: Notes) -> list[Row]:
    """Return the scores over all classes, with their intervals."""

    def spread(row: ModelRow | None, value: float | None, ci: tuple[float, float] | None) -> str:
        if row is None:
            return units.DASH
        text = units.fraction(value)
        return f"{text} {units.interval(ci)}" if ci else notes.mark(text, "No 95 % interval known.")

    def moved(old: float | None, new: float | None) -> str:
        return units.DASH if old is None or new is None else units.change(new - old)

    b, a = before, after
    rows: list[Row] = []
    if a.task == "records":
        rows += [
            (
                "test macro AUROC",
                spread(b, b and b.test_macro_auroc, b and b.test_macro_auroc_ci95),
                spread(a, a.test_macro_auroc, a.test_macro_auroc_ci95),
                change(a.headline.change, a.headline.ci95),
            ),
            (
                "test macro AUPRC",
                spread(b, b and b.test_macro_auprc, b and b.test_macro_auprc_ci95),
                spread(a, a.test_macro_auprc, a.test_macro_auprc_ci95),
                moved(b and b.test_macro_auprc, a.test_macro_auprc),
            ),
        ]
    return [
        *rows,
        (
            "test macro-F1",
            spread(b, b and b.test_macro_f1, b and b.test_macro_f1_ci95),
            spread(a, a.test_macro_f1, a.test_macro_f1_ci95),
            change(a.macro_f1_change, a.macro_f1_change_ci95),
        ),
        (
            "test accuracy" if a.task == "beats" else "test, all classes right",
            spread(b, b and b.test_accuracy, b and b.test_accuracy_ci95),
            spread(a, a.test_accuracy, a.test_accuracy_ci95),
            moved(b and b.test_accuracy, a.test_accuracy),
        ),
    ]


def _model_classes(before: ModelRow | None, after: ModelRow, classes: Row) -> list[Row]:
    """Return the scores of each class, and those on the validation records."""

    def line(name: str, old: float | None, new: float | None) -> Row:
        moved = None if old is None or new is None else new - old
        was = units.fraction(old) if before else units.DASH
        by = units.DASH if moved is None else units.change(moved)
        return name, was, units.fraction(new), by

    b, a = before, after
    rows: list[Row] = []
    for name in classes:
        if a.task == "records":
            rows.append(line(f"AUROC of {name}", b and b.auroc.get(name), a.auroc.get(name)))
        rows.append(line(f"Se (recall) of {name}", b and b.recall.get(name), a.recall.get(name)))
        rows.append(
            line(f"+P (precision) of {name}", b and b.precision.get(name), a.precision.get(name))
        )
    for label, recall in a.recall_without_record.items():
        rows.append(line(f"Se of {label}", b and b.recall_without_record.get(label), recall))
    rows.append(line("validation accuracy", b and b.val_accuracy, a.val_accuracy))
    rows.append(line("validation macro-F1", b and b.val_macro_f1, a.val_macro_f1))
    if a.task == "records":
        rows.append(line("validation macro AUROC", b and b.val_macro_auroc, a.val_macro_auroc))
    return rows


def change(value: float | None, ci95: tuple[float, float] | None) -> str:
    """Return a change of a score with its interval, and in words what that says."""
    if value is None:
        return units.DASH
    if ci95 is None:
        return f"{units.change(value)}, no interval"
    return f"{units.change(value)} {units.interval(ci95)}{_IN_WORDS[changes.outcome(ci95)]}"


def files(documents: RunDocuments, comparison: Comparison) -> Table | None:
    """Return the table of exported files: size, scores and proxy; None without files."""
    seen: dict[str, FileRow] = {}
    for row in comparison.files:
        seen.setdefault(row.sha256, row)
    if not seen:
        return None
    notes = Notes()
    score_name = comparison.files[0].headline.name
    verification = {one.sha256: one.manifest.verification for one in documents.exported}
    rows: list[Row] = []
    for row in seen.values():
        parity = verification[row.sha256]
        rows.append(
            (
                row.label,
                row.dtype,
                units.size(row.size_bytes),
                _or_untested(row.accuracy),
                _or_untested(row.headline.value),
                change(row.headline.change, row.headline.ci95),
                units.macs(row.macs),
                notes.mark(units.ratio(row.proxy_ideal), row.proxy_reason),
                notes.mark(units.ratio(row.proxy_executed), row.proxy_reason),
                notes.mark(agreement(parity.label_agreement, parity.n), parity.reason),
            )
        )
    return Table(
        title="Exported files",
        data=captions.test(documents.model.data),
        head=(
            "file", "weights", "size", "accuracy", score_name, "change from baseline", "MACs",
            "proxy, ideal", "proxy, executed", "same label as PyTorch",
        ),
        rows=tuple(rows),
        notes=(
            *notes.lines(),
            f"1 kB is 1000 bytes. Accuracy and {score_name} were computed with the file itself, "
            "not with the PyTorch model; the change is from the PyTorch baseline.",
            "The proxy is an analytic count relative to the baseline's float32 file of the same "
            "format (45 nm coefficients). It has no unit. Ideal: zero weights cost nothing. "
            "Executed: everything that the runtime multiplies.",
            *budgets.lines(documents.log, [one.manifest for one in documents.exported]),
            *captions.footnotes(documents.model.data),
        ),
    )  # fmt: skip


def _or_untested(value: float | None) -> str:
    return "not tested" if value is None else units.fraction(value)


def agreement(value: float | None, windows: int | None) -> str:
    """Return a label agreement as a percentage of a number of windows, or "not checked"."""
    return "not checked" if value is None else f"{units.percent(value)} of {windows}"
