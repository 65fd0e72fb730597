"""One run of compression: what to do, on what, where."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from edgeecg.data import Dataset
from edgeecg.models import Architecture, architecture
from edgeecg.progress import ProgressCallback
from edgeecg.runs import RunFolder
from edgeecg.schema import CompressionConfig, CompressionStep, Rollback

Watch = Callable[[CompressionStep | Rollback], None]
"""Told of every step, kept or rolled back, once it is on the disk."""


@dataclass(frozen=True)
class Job:
    """One run: what to do, on what, where.

    Attributes:
        config: What was asked for.
        dataset: What it runs on.
        run: The folder everything is written to.
        command: The command line, for the record.
        progress: Called after every batch of training.
        watch: Told of every step; after a resume, first of those that were there.
        custom: The custom module, where the configuration is of one.
    """

    config: CompressionConfig
    dataset: Dataset
    run: RunFolder
    command: str
    progress: ProgressCallback | None = None
    watch: Watch | None = None
    custom: Architecture | None = None

    @property
    def architecture(self) -> Architecture:
        """The architecture."""
        return architecture(self.model, self.custom)

    @property
    def model(self) -> str:
        """Name of the architecture."""
        return self.config.training.model
