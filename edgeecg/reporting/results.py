"""Reporting on many results: runs, bench reports and folders of runs."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from edgeecg import runs
from edgeecg.errors import EdgeECGError
from edgeecg.progress import ProgressCallback, ignore
from edgeecg.reporting import proxy_agreement, variant_rows, variants, verdict
from edgeecg.reporting.documents import Remark, RunDocuments
from edgeecg.reporting.proxy_agreement import Point
from edgeecg.reporting.rows import AgreementRow
from edgeecg.reporting.variant_rows import ResultsReport, VariantRow
from edgeecg.reporting.variants import Variant
from edgeecg.runs import RunFolder
from edgeecg.statistics.changes import Change


@dataclass(frozen=True)
class Results:
    """The results that a user named.

    Attributes:
        names: The runs and documents, those of a folder one by one.
        variants: Their files.
        left_out: What could not be read, with the reason.
    """

    names: tuple[str, ...]
    variants: tuple[Variant, ...]
    left_out: tuple[Remark, ...] = ()

    @functools.cached_property
    def differences(self) -> tuple[Change | None, ...]:
        """How much the score of each variant differs from its dense file's, or None."""
        return tuple(verdict.score_change(self.variants, each) for each in self.variants)

    @functools.cached_property
    def rows(self) -> tuple[VariantRow, ...]:
        """The numbers of every variant."""
        return tuple(map(variant_rows.row, self.variants, self.differences))

    @functools.cached_property
    def points(self) -> tuple[Point, ...]:
        """Predicted and measured ratios of the measured variants."""
        return tuple(proxy_agreement.points(self.variants))

    @functools.cached_property
    def agreement(self) -> tuple[AgreementRow, ...]:
        """How well proxy and calibration predicted the measurements."""
        return proxy_agreement.rows(self.points)

    def of(self, name: str) -> tuple[Variant, ...]:
        """Return the variants of one source.

        Args:
            name: One of ``names``.
        """
        return tuple(each for each in self.variants if each.subject.source == name)


def holds_runs(name: str) -> bool:
    """Return whether a name is that of a folder of runs, and not of one run.

    Args:
        name: What a user named.
    """
    path = Path(name)
    return path.is_dir() and not _is_run(path) and any(map(_is_run, path.iterdir()))


def _is_run(path: Path) -> bool:
    folder = RunFolder(path)
    return any(each.exists() for each in (folder.config, folder.model_card, folder.baseline_card))


def read(names: Sequence[str], on_step: ProgressCallback = ignore) -> Results:
    """Read the results that a user names.

    Args:
        names: Names and folders of runs, JSON files of ``edgeecg bench``, and folders of runs. In
            a folder of runs, a run that cannot be read is left out.
        on_step: Called for every source.

    Raises:
        EdgeECGError: A result cannot be read, or no file was found.
    """
    sources: list[tuple[str, bool]] = []
    for name in dict.fromkeys(names):
        if holds_runs(name):
            sources += [(str(path), True) for path in sorted(Path(name).iterdir()) if _is_run(path)]
        else:
            sources.append((name, False))
    found: list[Variant] = []
    kept: list[str] = []
    left_out: list[Remark] = []
    for done, (source, may_fail) in enumerate(sources):
        on_step("reading results", done, len(sources))
        try:
            here = variants.of_name(source)
        except EdgeECGError as error:
            if not may_fail:
                raise
            left_out.append(Remark(source, f"{error.what} {error.why} {error.todo}"))
            continue
        found += here
        kept.append(source)
        if not here:
            left_out.append(Remark(source, "It has no exported file. Run: edgeecg export"))
    if not found:
        raise EdgeECGError(
            "There is nothing to report on.",
            " ".join(each.text for each in left_out) or "No result was named.",
            "Name runs with exported files, or JSON files of 'edgeecg bench'.",
        )
    return Results(tuple(kept), tuple(found), tuple(left_out))


def values(results: Results) -> ResultsReport:
    """Return the numbers of a report.

    Args:
        results: The results.
    """
    return ResultsReport(
        variants=results.rows,
        agreement=results.agreement,
        left_out=tuple(f"{each.subject}: {each.text}" for each in results.left_out),
    )


def of_documents(name: str, found: RunDocuments) -> Results:
    """Return the results of one run.

    Args:
        name: What the user calls the run.
        found: Its documents.
    """
    return Results((name,), tuple(variants.of_run(name, found)))


def is_run(name: str) -> bool:
    """Return whether a name is that of a run, and not of a document or a folder of runs.

    Args:
        name: What a user named.
    """
    path = Path(name)
    if (runs.RUNS / name).is_dir() or (path.is_dir() and not holds_runs(name)):
        return True
    return not path.exists() and not path.suffix
