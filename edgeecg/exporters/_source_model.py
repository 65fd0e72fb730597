"""The models of a run, loaded for export."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from torch import nn

from edgeecg import models
from edgeecg.data import Dataset
from edgeecg.errors import ArtifactError, ExportError
from edgeecg.evaluation.inference import predict
from edgeecg.exporters._probe import ProbeOrigin, ProbeSet
from edgeecg.exporters._strips import with_strips
from edgeecg.models import Architecture
from edgeecg.runs import RunFolder
from edgeecg.schema import DataSummary, ModelCard
from edgeecg.training.sampling import balanced_subset

_PROBE_WINDOWS = 256


@dataclass(frozen=True)
class SourceModel:
    """A model of a run that is to be exported.

    Attributes:
        card: What the model is.
        model: The module, in evaluation mode.
        probe: Validation windows and the logits of the module for them.
    """

    card: ModelCard
    model: nn.Module
    probe: ProbeSet


def load_sources(
    run: RunFolder, dataset: Dataset, custom: Architecture | None = None
) -> list[SourceModel]:
    """Load the baseline of a run and, where there is one, its compressed model.

    Args:
        run: A finished run, or one of a dense model alone.
        dataset: The records of the run.
        custom: The custom module, where the run is of one.

    Raises:
        ArtifactError: A model of the run is damaged, or its two models do not belong together.
        SchemaError: A card is not a model card.
        ExportError: The records are not those of the run.
    """
    baseline = load_source_model(run.baseline_weights, run.baseline_card, dataset, custom)
    if not run.finished:
        return [baseline]
    compressed = load_source_model(run.model_weights, run.model_card, dataset, custom)
    if compressed.card.parent_sha256 != baseline.card.weights_sha256:
        raise ArtifactError(
            f"The two models in '{run.path}' do not belong together.",
            f"'{run.model_card.name}' names a parent other than '{run.baseline_weights.name}'.",
            "Run 'edgeecg compress' again.",
        )
    probe = with_strips(compressed.probe, baseline.probe, compressed.card)
    return [baseline, replace(compressed, probe=probe)]


def load_source_model(
    weights: Path, card_path: Path, dataset: Dataset, custom: Architecture | None = None
) -> SourceModel:
    """Load one model of a run and compute its logits for the probe windows.

    Args:
        weights: A safetensors file.
        card_path: Its card.
        dataset: The records of the run.
        custom: The custom module, where the run is of one.

    Raises:
        ArtifactError: A file is missing or damaged, or the weights do not belong to the card.
        SchemaError: The card is not a model card.
        ExportError: The records are not those that the model was trained on.
    """
    card, model = models.load_with_card(weights, card_path, custom)
    if dataset.summary.content_sha256 != card.data.content_sha256:
        raise ExportError(
            f"'{weights}' cannot be exported with these records.",
            f"It was trained on {_records(card.data)}; found are {_records(dataset.summary)}.",
            "Set EDGEECG_DATA to the records of the run, or run 'edgeecg compress' on these.",
        )
    chosen, val = balanced_subset(dataset.val.y, _PROBE_WINDOWS), dataset.val
    x = val.x[chosen]
    origin = ProbeOrigin(val.record[chosen], val.patient[chosen], val.sample[chosen], val.y[chosen])
    return SourceModel(card, model, ProbeSet(x, predict(model, x), dataset.task, origin))


def _records(data: DataSummary) -> str:
    return f"{data.source} records with class map {data.class_map} ({data.content_sha256[:12]}...)"
