"""Model cards: describing a trained model, and saving it with its card."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor, nn

from edgeecg._version import __version__
from edgeecg.costs import proxy
from edgeecg.data import Dataset
from edgeecg.errors import EdgeECGError
from edgeecg.evaluation.inference import evaluate
from edgeecg.files import sha256, write_bytes, write_text
from edgeecg.models import Architecture, architecture, layer_costs, nonzero_parameters, parameters
from edgeecg.runs import RunFolder, git_revision
from edgeecg.schema import CostTotals, LayerCost, ModelCard, Role, TrainingConfig

_FLOAT_BYTES = 4


@dataclass(frozen=True)
class Costs:
    """Costs of one inference of a PyTorch model.

    Attributes:
        layers: Costs of each layer.
        totals: Their sum.
        widths: Current widths of the architecture.
    """

    layers: tuple[LayerCost, ...]
    totals: CostTotals
    widths: dict[str, tuple[int, ...]]


def costs(model: nn.Module, of: Architecture) -> Costs:
    """Count a model of this architecture."""
    layers = layer_costs(model, of.INPUT_SHAPE)
    return Costs(layers, proxy.totals(layers), of.widths(model))


def weight_bytes(model: nn.Module) -> int:
    """Return the bytes of a model's trainable parameters in float32."""
    return sum(parameter.numel() * _FLOAT_BYTES for parameter in model.parameters())


def make_card(
    model: nn.Module,
    role: Role,
    config: TrainingConfig,
    dataset: Dataset,
    epochs: int,
    parent: RunFolder | None = None,
    custom: Architecture | None = None,
) -> ModelCard:
    """Score a model on validation and test records and describe it.

    Args:
        model: The model, whose weights are final.
        role: Dense baseline or compressed.
        config: How it was trained.
        dataset: The records it was trained on, and is scored on.
        epochs: Epochs it was trained for.
        parent: The run whose baseline it was compressed from; None for a baseline.
        custom: The custom module, where the configuration is of one.
    """
    counted = costs(model, architecture(config.model, custom))
    return ModelCard(
        name=config.model,
        role=role,
        widths=counted.widths,
        parameters=parameters(model),
        nonzero_parameters=nonzero_parameters(model),
        macs=sum(layer.macs for layer in counted.layers),
        classes=dataset.summary.classes,
        preprocessing=dataset.preprocessing,
        data=dataset.summary,
        training=config,
        seed=config.seed,
        val=evaluate(model, dataset, "val"),
        test=evaluate(model, dataset, "test"),
        weights_sha256=hashlib.sha256(_serialised(model)).hexdigest(),
        parent_sha256=None if parent is None else sha256(parent.baseline_weights),
        epochs=epochs,
        git_revision=git_revision(),
        edgeecg_version=__version__,
    )


def save_model(model: nn.Module, card: ModelCard, weights: Path, card_path: Path) -> None:
    """Write the weights, then the card, so that a card never exists without its weights.

    Raises:
        EdgeECGError: The disk is full or not writable.
    """
    save_weights(model, weights)
    write_text(card_path, card.to_json())


def save_weights(model: nn.Module, path: Path) -> None:
    """Write the weights of a model without a card.

    Raises:
        EdgeECGError: The disk is full or not writable.
    """
    write_bytes(path, _serialised(model))


def load_weights(path: Path) -> dict[str, Tensor]:
    """Read the weights that :func:`save_weights` wrote.

    Raises:
        EdgeECGError: The file is damaged.
    """
    try:
        return load(path.read_bytes())
    except (OSError, SafetensorError) as error:
        raise EdgeECGError(
            f"The weights '{path}' cannot be read.",
            f"{error}.",
            "Restore the file from a copy, or start a new run.",
        ) from error


def _serialised(model: nn.Module) -> bytes:
    return save({name: tensor.contiguous() for name, tensor in model.state_dict().items()})
