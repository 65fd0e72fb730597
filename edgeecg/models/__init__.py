"""Architectures: one file per model, each as :class:`Architecture` says.

The file name is the model's name. Every width that compression may change is in ``WIDTHS``; a
module built from the widths it reports about itself has the same shape, so that weights load
without running any code from a file.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Protocol, cast

from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import nn

from edgeecg import plugins
from edgeecg.errors import ArtifactError, UnknownNameError
from edgeecg.schema import ModelCard, ModelSummary, Task, TrainingConfig

Widths = Mapping[str, tuple[int, ...]]

Blocks = Mapping[str, tuple[tuple[str, int], ...]]
"""Modules that may be left out, and which of the widths (key and place) are then 0."""

_WEIGHTS = Path(__file__).parent / "weights"


class Architecture(Protocol):
    """What a file in this folder offers.

    Attributes:
        DATASET: Data the model is meant for.
        CLASSES: Class names in the order of the outputs.
        TASK: One class per beat, or any number of classes per record.
        INPUT_SHAPE: ``(leads, samples)`` of a window.
        FIXED: Names of layers whose output width is fixed by its meaning, never to be pruned.
        WIDTHS: Widths of the dense model by key.
        BLOCKS: Modules that may be left out whole, since what they compute is added to their input;
            and the widths that say so.
        RECIPE: How the dense model is trained unless told otherwise.
    """

    DATASET: str
    TASK: Task
    CLASSES: tuple[str, ...]
    INPUT_SHAPE: tuple[int, int]
    FIXED: tuple[str, ...]
    WIDTHS: dict[str, tuple[int, ...]]
    BLOCKS: Blocks
    RECIPE: TrainingConfig

    def build(self, widths: Widths) -> nn.Module:
        """Return a freshly initialised module with these widths.

        It maps float32 windows ``(batch, leads, samples)`` to logits ``(batch, classes)``.
        """
        ...

    def widths(self, model: nn.Module) -> dict[str, tuple[int, ...]]:
        """Return the present widths of a module that ``build`` made, read from its layers."""
        ...


def names() -> list[str]:
    """Return the names of all models, in alphabetical order."""
    return plugins.names(__name__)


def architecture(name: str) -> Architecture:
    """Return the file of one model, or a user's own module (:mod:`edgeecg.models._custom`).

    Raises:
        UnknownNameError: There is no such model.
        UsageError: It is a user's own, and its file is not named on this command line.
    """
    if "." in name:
        from edgeecg.models import _custom

        return _custom.opened(name)
    if name not in names():
        raise UnknownNameError("model", name, names())
    return cast(Architecture, plugins.load(__name__, name))


def build(name: str, widths: Widths | None = None) -> nn.Module:
    """Return a freshly initialised model.

    Args:
        name: A file name of this folder.
        widths: Widths by key; 0 where a whole block is left out; None for the dense model.

    Returns:
        A module that maps float32 windows ``(batch, leads, samples)`` to logits
        ``(batch, classes)``.

    Raises:
        UnknownNameError: There is no such model.
        ArtifactError: The widths do not fit the architecture.
    """
    found = architecture(name)
    if widths is None:
        return found.build(found.WIDTHS)
    expected = {key: len(value) for key, value in found.WIDTHS.items()}
    given = {key: len(value) for key, value in widths.items()}
    if given != expected or not _positive(widths, found.BLOCKS):
        raise ArtifactError(
            f"The widths do not fit the model '{name}'.",
            f"Expected positive widths (0 for a block that is left out), this many of each: "
            f"{expected}; found: {dict(widths)}.",
            "The model card is damaged or of another version; compress the model again.",
        )
    return found.build(widths)


def _positive(widths: Widths, blocks: Blocks) -> bool:
    """Return whether all widths are positive, but for those of blocks that are left out whole."""
    every = {(key, i): width for key, value in widths.items() for i, width in enumerate(value)}
    absent = {place for place, width in every.items() if width == 0}
    gone = {place for places in blocks.values() if absent.issuperset(places) for place in places}
    return absent == gone and min(every.values()) >= 0


def load(weights: Path, card: ModelCard) -> nn.Module:
    """Rebuild a saved model in evaluation mode.

    Args:
        weights: A safetensors file.
        card: Its card; ``name`` and ``widths`` give the shape.

    Returns:
        The module, on the CPU, in evaluation mode.

    Raises:
        ArtifactError: The file is missing, damaged, or does not fit the card.
    """
    model = build(card.name, card.widths)
    try:
        model.load_state_dict(load_file(weights))
    except (OSError, SafetensorError, RuntimeError) as error:
        raise ArtifactError(
            f"The weights '{weights}' could not be loaded.",
            f"{str(error).splitlines()[0]}.",
            "Run 'edgeecg compress' again, or restore the file from a copy.",
        ) from error
    return model.eval()


def shipped(name: str) -> tuple[Path, ModelCard] | None:
    """Return the trained weights that come with the package, and their card.

    Args:
        name: A file name of this folder.

    Returns:
        A safetensors file and what it is; None when the package has none for this model.

    Raises:
        UnknownNameError: There is no such model.
        SchemaError: The card is damaged.
    """
    architecture(name)
    weights, card = _WEIGHTS / f"{name}.safetensors", _WEIGHTS / f"{name}.json"
    if not card.is_file():
        return None
    return weights, ModelCard.from_json(card.read_bytes(), source=str(card))


def catalogue() -> list[ModelSummary]:
    """Return one line per model: parameters and MACs counted from the built module, scores."""
    from edgeecg.models._counting import layer_costs, parameters

    rows: list[ModelSummary] = []
    for name in names():
        found = architecture(name)
        model = build(name)
        ready = shipped(name)
        rows.append(
            ModelSummary(
                name=name,
                dataset=found.DATASET,
                classes=found.CLASSES,
                parameters=parameters(model),
                macs=sum(layer.macs for layer in layer_costs(model, found.INPUT_SHAPE)),
                test=None if ready is None else ready[1].test.model_copy(update={"records": {}}),
                licence=None if ready is None else _licence(ready[1]),
            )
        )
    return rows


def _licence(card: ModelCard) -> str:
    return f"Weights: {card.licence}. Trained on {card.data.licence}"
