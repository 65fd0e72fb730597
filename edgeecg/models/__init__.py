"""Architectures: one file per model, each as :class:`Architecture` says.

The file name is the model's name. Every width that compression may change is in ``WIDTHS``; a
module built from the widths it reports about itself has the same shape, so that weights load
without running any code from a file.
"""

from __future__ import annotations

import contextlib
import shlex
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, cast

from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import nn

from edgeecg import plugins
from edgeecg.errors import ArtifactError, PluginError, UnknownNameError, UsageError
from edgeecg.files import sha256
from edgeecg.models._attention import EncoderBlock, PositionEncoding, SelfAttention
from edgeecg.models._counting import (
    CountedLayer,
    count_layers,
    layer_costs,
    matrices,
    nonzero_parameters,
    parameters,
    weighted_layers,
)
from edgeecg.models._lstm_states import LSTMStates, lstm_states
from edgeecg.models._pooling import AttentionPooling
from edgeecg.schema import MODEL_SUFFIXES, ModelCard, ModelSummary, Task, TrainingConfig

__all__ = [
    "Architecture",
    "AttentionPooling",
    "Blocks",
    "CountedLayer",
    "EncoderBlock",
    "LSTMStates",
    "PositionEncoding",
    "SelfAttention",
    "Widths",
    "architecture",
    "build",
    "catalogue",
    "classifying",
    "count_layers",
    "is_builtin",
    "layer_costs",
    "load",
    "load_custom",
    "load_with_card",
    "lstm_states",
    "matrices",
    "names",
    "nonzero_parameters",
    "parameters",
    "shipped",
    "weighted_layers",
]

if TYPE_CHECKING:
    from edgeecg.models._custom import CustomArchitecture

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
        RECIPE: How the dense model is trained by default.
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


def architecture(name: str, custom: Architecture | None = None) -> Architecture:
    """Return the architecture with this name.

    Args:
        name: A file name of this folder, a model of another package, or the name of a custom
            module, e.g. ``"model.build"``.
        custom: The custom module that the user has named, see :func:`load_custom`.

    Raises:
        UnknownNameError: There is no such model.
        UsageError: It is a file, or a custom module of which the user has not named the file.
        PluginError: It comes from another package that cannot be imported.
    """
    if custom is not None and custom.RECIPE.model == name:
        return custom
    # A file or folder of this name does not hide the model.
    if name in names():
        return cast(Architecture, plugins.load(__name__, name))
    path = Path(name)
    if path.suffix == ".py":
        raise UsageError(
            f"'{name}' does not say which module is meant.",
            "A file of Python source code may hold several: a function of it makes the module.",
            f"Name the function, for example: edgeecg compress {shlex.quote(name)}:build",
        )
    if path.suffix in MODEL_SUFFIXES or path.is_file():
        raise UsageError(
            f"'{name}' cannot be trained or compressed.",
            "It is a file with weights, and no PyTorch module from which layers can be removed.",
            "Give the module that it was made from, path/to/model.py:function"
            + (
                f", or make the file int8: edgeecg quantize {shlex.quote(name)} --data FILE.npz"
                if path.suffix in MODEL_SUFFIXES
                else "."
            ),
        )
    if "." in name:
        raise UsageError(
            f"'{name}' is a custom module, and its file is not named.",
            "A Python file is only run when the command line names it.",
            "Give path/to/model.py:function, to 'compress' and 'search' as the model, to 'export', "
            "'evaluate' and 'classify' with --custom.",
        )
    raise UnknownNameError("model", name, names())


def classifying(task: Task) -> list[str]:
    """Return the names of the models for a task, in alphabetical order.

    Models of other packages that cannot be imported are skipped.
    """
    found: list[str] = []
    for name in names():
        with contextlib.suppress(PluginError):
            if task == architecture(name).TASK:
                found.append(name)
    return found


def is_builtin(of: Architecture) -> bool:
    """Whether an architecture is a file of this folder, whose pruning is covered by tests."""
    return getattr(of, "__name__", "").startswith(f"{__name__}.")


def build(model: str | Architecture, widths: Widths | None = None) -> nn.Module:
    """Return a freshly initialised model.

    Args:
        model: An architecture, or the name of one.
        widths: Widths by key; 0 where a whole block is left out; None for the dense model.

    Returns:
        A module that maps float32 windows ``(batch, leads, samples)`` to logits
        ``(batch, classes)``.

    Raises:
        UnknownNameError: There is no such model.
        ArtifactError: The widths do not fit the architecture.
    """
    found = architecture(model) if isinstance(model, str) else model
    if widths is None:
        return found.build(found.WIDTHS)
    expected = {key: len(value) for key, value in found.WIDTHS.items()}
    given = {key: len(value) for key, value in widths.items()}
    if given != expected or not _positive(widths, found.BLOCKS):
        raise ArtifactError(
            f"The widths do not fit the model '{found.RECIPE.model}'.",
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


def load(weights: Path, card: ModelCard, custom: Architecture | None = None) -> nn.Module:
    """Rebuild a saved model in evaluation mode.

    Args:
        weights: A safetensors file.
        card: Its card; ``name`` and ``widths`` say what to build.
        custom: The custom module, where the card is of one.

    Returns:
        The module, on the CPU, in evaluation mode.

    Raises:
        ArtifactError: The file is missing, damaged, or does not fit the card.
        UsageError: The card is of a custom module, and ``custom`` is not that one.
    """
    model = build(architecture(card.name, custom), card.widths)
    try:
        model.load_state_dict(load_file(weights))
    except (OSError, SafetensorError, RuntimeError) as error:
        raise ArtifactError(
            f"The weights '{weights}' could not be loaded.",
            f"{str(error).splitlines()[0]}.",
            "Run 'edgeecg compress' again, or restore the file from a copy.",
        ) from error
    return model.eval()


def load_with_card(
    weights: Path, card_path: Path, custom: Architecture | None = None
) -> tuple[ModelCard, nn.Module]:
    """Load a card and the weights that it describes.

    Args:
        weights: A safetensors file.
        card_path: Its card.
        custom: The custom module, where the card is of one.

    Returns:
        The card, and the module in evaluation mode.

    Raises:
        ArtifactError: A file is missing or damaged, or the weights are not the card's.
        SchemaError: The card is not a model card.
        UsageError: The card is of a custom module, and ``custom`` is not that one.
    """
    try:
        card = ModelCard.from_file(card_path)
        found = sha256(weights)
    except OSError as error:
        raise ArtifactError(
            f"The model '{weights}' cannot be read.",
            f"The operating system reports: {error.strerror}: {error.filename}.",
            "Run 'edgeecg compress' again, or restore the file from a copy.",
        ) from error
    if found != card.weights_sha256:
        raise ArtifactError(
            f"The weights '{weights}' are not those that '{card_path.name}' describes.",
            f"Their SHA-256 is {found[:12]}..., the card says {card.weights_sha256[:12]}....",
            "Run 'edgeecg compress' again, or restore both files from one copy.",
        )
    return card, load(weights, card, custom)


def load_custom(text: str) -> CustomArchitecture:
    """Run the user's file and return its module as an architecture.

    Args:
        text: ``path/to/model.py:function``; see :mod:`edgeecg.models._custom`.

    Raises:
        UsageError: There is no such file or function, the file cannot be run, or the function does
            not make a module for windows.
    """
    from edgeecg.models import _custom

    return _custom.load(text)


def shipped(name: str) -> tuple[Path, ModelCard] | None:
    """Return the trained weights that come with the package, and their card.

    Args:
        name: Name of a model.

    Returns:
        A safetensors file and what it is; None when the package has none for this model.

    Raises:
        SchemaError: The card is damaged.
    """
    weights, card = _WEIGHTS / f"{name}.safetensors", _WEIGHTS / f"{name}.json"
    if not card.is_file():
        return None
    return weights, ModelCard.from_file(card)


def catalogue(on_left_out: Callable[[PluginError], None] | None = None) -> list[ModelSummary]:
    """Return one line per model: parameters and MACs counted from the built module, scores.

    Args:
        on_left_out: Called for each model of another package that cannot be built; those that
            cannot be imported are named by :func:`edgeecg.plugins.broken`.
    """
    rows: list[ModelSummary] = []
    for name in names():
        try:
            found = architecture(name)
        except PluginError:
            continue
        try:
            rows.append(_summary(name, found))
        except Exception as error:
            if is_builtin(found):
                raise
            if on_left_out is not None:
                on_left_out(_not_built(name, error))
    return rows


def _summary(name: str, found: Architecture) -> ModelSummary:
    model, ready = build(found), shipped(name)
    return ModelSummary(
        name=name,
        dataset=found.DATASET,
        classes=found.CLASSES,
        parameters=parameters(model),
        macs=sum(layer.macs for layer in layer_costs(model, found.INPUT_SHAPE)),
        test=None if ready is None else ready[1].test.model_copy(update={"records": {}}),
        licence=None if ready is None else _licence(ready[1]),
    )


def _not_built(name: str, error: Exception) -> PluginError:
    return PluginError(
        f"The model '{name}' of another package cannot be built.",
        f"Building it with its own widths raised {type(error).__name__}: {error}.",
        "Repair or uninstall that package.",
    )


def _licence(card: ModelCard) -> str:
    return f"Weights: {card.licence}. Trained on {card.data.licence}"
