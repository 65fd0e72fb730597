"""The table of exported files, and what follows below it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

    from edgeecg.errors import EdgeECGError
    from edgeecg.runs import RunFolder
    from edgeecg.schema import Artifact, CompressionLog


def show(
    console: Console,
    folder: RunFolder,
    artifacts: Sequence[Artifact],
    missing: Sequence[EdgeECGError],
    with_advice: bool,
) -> None:
    """Print the files of an export.

    Args:
        console: Where to print.
        folder: The run folder.
        artifacts: Manifests of the files that were written.
        missing: Why others were not.
        with_advice: Whether to print which file to take on which kind of device.
    """
    console.print(_table(artifacts))
    for line in _lines(folder, artifacts, with_advice):
        console.print(line, soft_wrap=True, markup=False)
    for artifact in artifacts:
        console.print(f"  {folder.artifacts / (artifact.file or '')}", soft_wrap=True)
    for error in missing:
        console.print(
            f"Left out: {error.what} {error.why} {error.todo}", soft_wrap=True, markup=False
        )


def _lines(folder: RunFolder, artifacts: Sequence[Artifact], with_advice: bool) -> Iterator[str]:
    from edgeecg.exporters import _advice

    yield from _budget_lines(folder, artifacts)
    for artifact in artifacts:
        for why in artifact.float_reasons.values():
            yield f"{artifact.name}: {why}"
    yield from _advice.slower_than_float32(artifacts)
    yield from _advice.slower_than_onnx(artifacts)
    if with_advice:
        for each in _advice.advice(artifacts):
            why = f", {each.why}" if each.why else ""
            yield f"{each.device}: {each.artifact.target}{why}"


def _budget_lines(folder: RunFolder, artifacts: Sequence[Artifact]) -> tuple[str, ...]:
    from edgeecg.reporting import budgets

    return budgets.lines(_log(folder), artifacts)


def _log(folder: RunFolder) -> CompressionLog | None:
    from edgeecg.schema import CompressionLog

    path = folder.compression_log
    return CompressionLog.from_file(path) if path.is_file() else None


def _table(artifacts: Sequence[Artifact]) -> Table:
    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    from edgeecg.exporters import _advice

    times = [_advice.p50_here(each, artifacts) for each in artifacts]
    timed = any(each is not None for each in times)
    first = artifacts[0].test
    what = "scores" if first is None else first.headline[0]
    records = "synthetic test records" if artifacts[0].data == "synthetic" else "test records"
    table = Table(
        title=f"{artifacts[0].model} exported: {what} of the files on {records}",
        box=SIMPLE_HEAD,
        # With the column of times, the table fits into 80 columns only without padding.
        padding=(0, 0 if timed else 1, 0, 0),
    )
    table.add_column("model", no_wrap=True)
    table.add_column("target", no_wrap=True)
    # All files of a run are compared on the same probe windows.
    same = f"same\nlabel\nof {artifacts[0].verification.n}"
    for name in (
        "kB",
        "million\nMACs",
        "proxy\nexec.",
        *(("p50\nµs",) if timed else ()),
        "time/\nfloat",
        "max\n|diff|",
        same,
        "score",
    ):
        table.add_column(name, justify="right", no_wrap=True)
    for artifact, p50_s in zip(artifacts, times, strict=True):
        parity, test, speed = artifact.verification, artifact.test, artifact.speed
        table.add_row(
            artifact.role,
            artifact.target,
            f"{(artifact.size_bytes or 0) / 1000:,.0f}",
            f"{sum(artifact.costs.macs.values()) / 1e6:,.2f}",
            "-" if (ratio := _proxy(artifact)) is None else f"{ratio:.3f}",
            *((_microseconds(p50_s),) if timed else ()),
            "-" if speed is None else f"{speed.ratio:.2f}",
            "-" if parity.max_abs_diff is None else f"{parity.max_abs_diff:.0e}",
            "-" if parity.label_agreement is None else f"{parity.label_agreement:.1%}",
            "-" if test is None else f"{test.headline[1]:.4f}",
        )
    return table


def _microseconds(seconds: float | None) -> str:
    # Without commas, five digits fit into the column.
    return "-" if seconds is None else f"{seconds * 1e6:.0f}"


def _proxy(artifact: Artifact) -> float | None:
    """Return the executed proxy of a file relative to the baseline's float32 file."""
    from edgeecg.costs import proxy
    from edgeecg.schema import ProxyCoefficients

    base = None if artifact.baseline is None else artifact.baseline.costs
    return proxy.relative(artifact.costs, base, ProxyCoefficients()).executed
