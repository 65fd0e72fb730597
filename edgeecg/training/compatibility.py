"""Whether a model was made for the windows and classes of a data set, and how they are drawn."""

from __future__ import annotations

from collections.abc import Sequence

from edgeecg.errors import UsageError
from edgeecg.models import Architecture
from edgeecg.runs.options import Options
from edgeecg.schema import TrainingConfig


def check_fits(of: Architecture, classes: Sequence[str], window_shape: tuple[int, ...]) -> None:
    """Check that a model was made for the windows of a data set.

    Args:
        of: The architecture, with the input shape and the classes that it states.
        classes: Class names of the data set, in the order of its labels.
        window_shape: ``(leads, samples)`` of the data set's windows.

    Raises:
        UsageError: Shape, number or order of the classes differ.
    """
    name = of.RECIPE.model
    if tuple(window_shape) != tuple(of.INPUT_SHAPE):
        raise UsageError(
            f"The model '{name}' does not fit the windows of these records.",
            f"It states INPUT_SHAPE = {tuple(of.INPUT_SHAPE)}, (leads, samples), and the windows "
            f"are {tuple(window_shape)}.",
            f"Let it take windows of the shape {tuple(window_shape)}, or choose other records or "
            "another preprocessing.",
        )
    if tuple(classes) != tuple(of.CLASSES):
        raise UsageError(
            f"The model '{name}' does not fit the classes of these records.",
            f"It states CLASSES = {tuple(of.CLASSES)}, and the classes of the records are "
            f"{tuple(classes)}; number, names and order must be the same.",
            f"Let it give {len(classes)} logits and set CLASSES = {tuple(classes)}, or choose "
            "other records.",
        )


def check_draw(of: Architecture, config: TrainingConfig, options: Options) -> None:
    """Check that the windows of an epoch can be drawn as a configuration says.

    Args:
        of: The architecture that the configuration is for.
        config: The configuration.
        options: The training settings that were given, for the message.

    Raises:
        UsageError: A balanced draw is asked for, and the model classifies whole records.
    """
    if of.TASK == "records" and config.epoch_windows is not None:
        raise UsageError(
            f"{options.called('epoch_windows')} cannot be {config.epoch_windows} for the model "
            f"'{config.model}'.",
            "A draw is balanced over the one class of each window, and a record may have several.",
            f"Leave {options.called('epoch_windows')} out: an epoch has every record once.",
        )
