"""Reporting on many results: runs, bench reports and folders of runs."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from edgeecg import runs
from edgeecg.errors import EdgeECGError
from edgeecg.progress import ProgressCallback, ignore
from edgeecg.reporting import named_results, proxy_agreement, variant_rows, variants, verdict
from edgeecg.reporting.documents import RunDocuments
from edgeecg.reporting.proxy_agreement import Point
from edgeecg.reporting.remarks import Remark, failures
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
        return tuple(map(verdict.score_change, self.variants))

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
        """Return the variants of one source, or those of its label where one was named.

        Args:
            name: One of ``names``.
        """
        source, _, wanted = named_results.split(name)
        here = [each for each in self.variants if each.subject.source == source]
        return tuple(variants.chosen(here, source, wanted) if here else here)


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
        found += [each for each in here if each not in found]
        kept.append(source)
        reasons = dict.fromkeys(why for each in here for why in each.subject.unreadable)
        left_out += [Remark(source, why) for why in reasons]
        reports = [each.subject.report for each in here if each.subject.report is not None]
        left_out += dict.fromkeys(failure for report in reports for failure in failures(report))
        if not here:
            left_out.append(Remark(source, _without_files(source)))
    if not found:
        raise EdgeECGError(
            "There is nothing to report on.",
            " ".join(each.text for each in left_out) or "No result was named.",
            "Name runs with exported files, or JSON files of 'edgeecg bench'.",
        )
    return Results(tuple(kept), tuple(found), tuple(left_out))


def _without_files(source: str) -> str:
    """Return why there is nothing to report on in a source that can be read."""
    if not is_run(source):
        return "It holds no measurement. Run: edgeecg bench FILE --json OUT.json"
    name = named_results.folder_of(source).shell_name
    return f"It has no exported file. Run: edgeecg export --run {name} --target tflite"


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
    """Return whether a name is that of a whole run: no document, folder of runs, or one result.

    Args:
        name: What a user named.
    """
    _, path, wanted = named_results.split(name)
    if path is not None or wanted:
        return False
    return (runs.RUNS / name).is_dir() or not holds_runs(name)
