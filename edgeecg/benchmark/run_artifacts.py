"""The exported files of a run, and the reports that are stored in its folder."""

from __future__ import annotations

import re
from pathlib import Path

from edgeecg import runs
from edgeecg.errors import ON_A_WORKSTATION, EdgeECGError, measures_only
from edgeecg.files import write_new_text
from edgeecg.runs import RunFolder
from edgeecg.schema import BenchReport


def exported_files(run: str | None = None) -> list[Path]:
    """Return the exported files of a run, those of the baseline first.

    Args:
        run: Name or folder of the run, which may hold a dense model alone; the newest finished
            run when None.

    Raises:
        EdgeECGError: There is no such run, it is not finished, or it has no exported files.
    """
    folder = runs.exportable(run) if run else runs.newest()
    found = folder.artifact_files()
    if not found:
        raise EdgeECGError(
            f"The run '{folder.path}' has no exported files.",
            f"There is no .tflite or .onnx file in '{folder.artifacts}'.",
            ON_A_WORKSTATION
            if measures_only()
            else f"Run 'edgeecg export --run {folder.shell_name} --target tflite' first.",
        )
    return found


def store(report: BenchReport) -> list[Path]:
    """Write the results of every run's files into that run's folder, a new file for each host.

    Args:
        report: What was measured. Files that lie in no run folder are left out.

    Returns:
        The files that were written: one for each run and host.

    Raises:
        EdgeECGError: A file cannot be written.
    """
    by_run: dict[tuple[RunFolder, str | None], list[int]] = {}
    for index, result in enumerate(report.results):
        folder = _run_folder(Path(result.artifact.file))
        if folder is not None:
            by_run.setdefault((folder, result.host), []).append(index)
    written: list[Path] = []
    for (folder, host), indices in by_run.items():
        results = tuple(report.results[index] for index in indices)
        stamp = report.created_utc.partition("+")[0].replace("-", "").replace(":", "")
        # Two hosts of a fleet may be of one kind.
        place = "" if host is None else "-" + re.sub(r"[^\w.@-]", "_", host)
        path = folder.bench / f"{results[0].device.name}{place}-{stamp}Z.json"
        # Two measurements may end within one second.
        written.append(
            write_new_text(path, report.model_copy(update={"results": results}).to_json())
        )
    return written


def _run_folder(path: Path) -> RunFolder | None:
    """Return the run whose artifacts a file is one of, or None."""
    folder = path.absolute().parent
    run = RunFolder(folder.parent)
    if folder.name != run.artifacts.name or not (run.finished or run.dense_only):
        return None
    return run
