"""The files that belong to an exported file."""

from __future__ import annotations

from pathlib import Path

from edgeecg.benchmark.artifacts import require_file
from edgeecg.benchmark.probe_set import probe_path
from edgeecg.costs import onnx_file


def files_of(path: Path) -> list[Path]:
    """Return a file and the files beside it that are measured with it.

    These are its manifest, its probe set, and the data files of an ``.onnx`` file.

    Args:
        path: The exported file.

    Raises:
        EdgeECGError: There is no such file.
        ArtifactError: It is an ``.onnx`` file that is damaged, or lacks a data file.
    """
    require_file(path)
    beside = [path.with_suffix(".json"), probe_path(path)]
    found = [path, *(each for each in beside if each.is_file())]
    if path.suffix == ".onnx":
        found += onnx_file.data_files(path, onnx_file.read(path))
    return found
