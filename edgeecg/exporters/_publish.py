"""Writes file, probe set and manifest into a run folder as one unit."""

from __future__ import annotations

import json
import os
from pathlib import Path

from edgeecg.exporters._probe import ProbeSet
from edgeecg.exporters._rejection import SUFFIX
from edgeecg.files import replacing
from edgeecg.schema import Artifact


def embedded(manifest: Artifact) -> str:
    """Return the compact JSON that is embedded into the file.

    Args:
        manifest: A manifest without file name, hash and size.
    """
    return json.dumps(manifest.to_document(), separators=(",", ":"))


def publish(folder: Path, content: bytes, probe: ProbeSet, manifest: Artifact) -> None:
    """Write a model file, its probe set and its manifest into a folder.

    All three are written to temporary files and flushed before the first one is renamed, so that a
    full disk or an interruption keeps the previous files. The manifest is renamed last: where it
    exists, the other two exist. The reason why an earlier file was refused is removed.

    Args:
        folder: The run's folder of artifacts; created when missing.
        content: The content of the model file.
        probe: Written to ``STEM.probe.npz``.
        manifest: Written to ``STEM.json``; its ``file`` names the model file.

    Raises:
        EdgeECGError: The disk is full or not writable.
    """
    assert manifest.file is not None
    with (
        replacing(folder / f"{manifest.name}.json") as manifest_path,
        replacing(folder / f"{manifest.name}.probe.npz") as probe_path,
        replacing(folder / manifest.file) as model_path,
    ):
        _write(manifest_path, manifest.to_json().encode())
        _write(probe_path, probe.to_npz())
        _write(model_path, content)
    (folder / f"{manifest.name}{SUFFIX}").unlink(missing_ok=True)


def _write(path: Path, content: bytes) -> None:
    with path.open("wb") as opened:
        opened.write(content)
        opened.flush()
        # Some file systems report only here that the disk is full.
        os.fsync(opened.fileno())
