"""The float32 conversions of the models of a run: one for each model and format."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import nn

from edgeecg.data import Dataset
from edgeecg.errors import EdgeECGError, ExportError
from edgeecg.exporters import _unsupported, exporter
from edgeecg.exporters._native_output import quiet
from edgeecg.schema import ExportRecipe, Format
from edgeecg.training.sampling import balanced_subset


def in_float32(recipe: ExportRecipe) -> ExportRecipe:
    """Return the float32 target of a recipe's format."""
    return ExportRecipe(
        name=recipe.name,
        format=recipe.format,
        dtype="float32",
        description=recipe.description,
        min_label_agreement=1.0,
    )


class Conversions:
    """Converts models, each only once to float32 for all targets of a format."""

    def __init__(self, dataset: Dataset) -> None:
        """Start with no conversion.

        Args:
            dataset: Its training windows calibrate quantised targets.
        """
        self._dataset = dataset
        self._made: dict[tuple[int, Format], tuple[nn.Module, Any]] = {}

    def float32(self, model: nn.Module, recipe: ExportRecipe) -> Any:
        """Return a model in float32, as :meth:`Exporter.to_float32` made it."""
        key = (id(model), recipe.format)
        if key not in self._made:
            leads, samples = self._dataset.train.x.shape[1:]
            converted = exporter(recipe.format).to_float32(model, (leads, samples))
            # The model is kept, so that no other model gets its id.
            self._made[key] = (model, converted)
        return self._made[key][1]

    def calibration(self, recipe: ExportRecipe) -> NDArray[np.float32]:
        """Return the training windows that a target is calibrated on, balanced over classes."""
        train = self._dataset.train
        return train.x[balanced_subset(train.y, recipe.calibration_windows)]

    def file(self, model: nn.Module, recipe: ExportRecipe) -> bytes:
        """Convert a model; nothing is printed.

        Args:
            model: In evaluation mode.
            recipe: The target.

        Returns:
            The content of the file, without manifest.

        Raises:
            ExportError: The converter failed; names the target.
            ModuleNotFoundError: The converter is not installed.
        """
        try:
            with quiet():
                converted = self.float32(model, recipe)
                return exporter(recipe.format).write(converted, recipe, self.calibration(recipe))
        except (EdgeECGError, ModuleNotFoundError):
            raise
        except Exception as error:  # A converter may raise anything.
            message = " ".join(str(error).split())[:300]
            leads, samples = self._dataset.train.x.shape[1:]
            why = _unsupported.reason(error, model, (leads, samples))
            raise ExportError(
                f"The conversion to '{recipe.name}' failed.",
                why or f"The converter raised {type(error).__name__}: {message}.",
                "Choose another target; --debug shows where the conversion stopped.",
            ) from error
