"""The run folder on disk: which file is where."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from pathlib import Path

from edgeecg.schema import MODEL_SUFFIXES

RUNS = Path("runs")


@dataclass(frozen=True)
class RunFolder:
    """``runs/NAME/``: everything one ``edgeecg compress`` produced, and what followed from it.

    Attributes:
        path: The folder.
    """

    path: Path

    @property
    def name(self) -> str:
        """The folder's own name."""
        return self.path.name

    @property
    def shell_name(self) -> str:
        """What ``--run`` takes, as a shell reads it: the name of a run in ``runs/``, or a path."""
        # A name with a dash in front would be an option.
        alone = self.in_runs and not self.name.startswith("-")
        return shlex.quote(self.name if alone else str(self.path))

    @property
    def in_runs(self) -> bool:
        """Whether it lies in the ``runs/`` of the present folder, where it has a name."""
        return self.path.parent.absolute() == RUNS.absolute()

    @property
    def config(self) -> Path:
        """CompressionConfig: what was asked for; written first."""
        return self.path / "config.json"

    @property
    def training(self) -> Path:
        """TrainingConfig of a run that 'edgeecg train' started; written first."""
        return self.path / "training.json"

    @property
    def model_weights(self) -> Path:
        """Weights of the compressed model (safetensors)."""
        return self.path / "model.safetensors"

    @property
    def model_card(self) -> Path:
        """ModelCard of the compressed model; written last, so its presence means "finished"."""
        return self.path / "model.json"

    @property
    def baseline_weights(self) -> Path:
        """Weights of the dense baseline (safetensors)."""
        return self.path / "baseline.safetensors"

    @property
    def baseline_card(self) -> Path:
        """ModelCard of the dense baseline."""
        return self.path / "baseline.json"

    @property
    def compression_log(self) -> Path:
        """CompressionLog: every finished step."""
        return self.path / "compression.json"

    @property
    def quantization(self) -> Path:
        """QuantizationLog: what int8 did to the compressed model; only where it was asked for."""
        return self.path / "quantization.json"

    @property
    def events(self) -> Path:
        """One JSON object a line: what happened when."""
        return self.path / "log.jsonl"

    @property
    def baseline_checkpoint(self) -> Path:
        """State of unfinished baseline training, after its last whole epoch."""
        return self.path / "checkpoint-baseline.safetensors"

    @property
    def checkpoint(self) -> Path:
        """State of unfinished compression, after its last whole step."""
        return self.path / "checkpoint.safetensors"

    @property
    def lock(self) -> Path:
        """Held by the process that works on the run."""
        return self.path / ".lock"

    @property
    def artifacts(self) -> Path:
        """Folder of exported files, their manifests (``.json``) and probe sets (``.probe.npz``)."""
        return self.path / "artifacts"

    @property
    def bench(self) -> Path:
        """Folder of bench reports and counts of instructions."""
        return self.path / "bench"

    @property
    def report(self) -> Path:
        """The HTML page."""
        return self.path / "report.html"

    @property
    def search(self) -> Path:
        """SearchConfig, where the folder is that of a search and not of a run."""
        return self.path / "search.json"

    @property
    def finished(self) -> bool:
        """Whether compression ran to its end."""
        return self.model_card.is_file()

    @property
    def reduced(self) -> bool:
        """Whether compression is over, and only the test scores and the card are missing."""
        return self.compression_log.is_file() and self.model_weights.is_file() and not self.finished

    @property
    def of_search(self) -> bool:
        """Whether it has the name of a search's trial, NAME-000 and so on, beside that search."""
        search, _, number = self.name.rpartition("-")
        is_number = len(number) >= 3 and number.isdecimal()
        return (
            is_number and bool(search) and RunFolder(self.path.with_name(search)).search.is_file()
        )

    @property
    def dense_only(self) -> bool:
        """Whether it holds a finished dense model, and nobody asked for a compressed one."""
        return self.baseline_card.is_file() and not self.config.is_file() and not self.finished

    def artifact_files(self) -> list[Path]:
        """Return the exported model files, baseline first, then by name."""
        found = [path for path in self.artifacts.glob("*") if path.suffix in MODEL_SUFFIXES]
        return sorted(found, key=lambda path: ("-baseline-" not in path.name, path.stem))

    def bench_files(self) -> list[Path]:
        """Return the bench reports and counts of instructions of this run, oldest first."""
        return sorted(self.bench.glob("*.json"), key=lambda path: path.stat().st_mtime_ns)
