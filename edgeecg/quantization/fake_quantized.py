"""A twin of a model that computes as its int8 file will: the same parameters, rounded on the way.

Where export rounds, the twin rounds: the input, the weights, and the output of every operation that
the target's recipe does not keep in float32, after the activation that the runtime fuses with it.
Operations that only move values about pass their steps on. The twin shares the model's parameters:
to train the twin is to train the model, and when the twin is dropped the model is left with plain
float weights, ready for export.

The model is traced (``torch.fx``), as export does to fold batch normalisation. What an int8 file
rounds inside a layer norm or an LSTM is not imitated; the targets keep both in float32.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import fx, nn

from edgeecg.errors import EdgeECGError
from edgeecg.quantization.fake_quant import QuantizedLayer, TensorRange
from edgeecg.quantization.graph import around, insert_ranges, quantized_layers, traced
from edgeecg.schema import ExportRecipe

_BATCH = 64


@dataclass(frozen=True)
class FakeQuantized:
    """A model's twin that rounds.

    Attributes:
        module: The twin; its parameters are the model's own.
        layers: Its convolutions and linear layers by name, in the order of their calls.
        tensors: Its rounded activations by the layer or operation they come out of.
        around: By layer: the names of the activations that it reads and that it gives.
    """

    module: fx.GraphModule
    layers: dict[str, QuantizedLayer]
    tensors: dict[str, TensorRange]
    around: dict[str, tuple[str, ...]]

    @property
    def ranges(self) -> dict[str, tuple[float, float]]:
        """Lowest and highest value of every rounded activation."""
        return {name: (each.low, each.high) for name, each in self.tensors.items()}

    def calibrate(self, windows: NDArray[np.float32]) -> None:
        """Measure the ranges of all activations, nothing being rounded meanwhile.

        Args:
            windows: Training windows ``(n, leads, samples)``.

        Raises:
            EdgeECGError: There are none, or an activation is not a finite number.
        """
        if not len(windows) or not np.isfinite(windows).all():
            raise EdgeECGError(
                "The model cannot be calibrated for int8.",
                "There are no training windows."
                if not len(windows)
                else "A training window holds values that are not finite numbers.",
                "Look at the records with 'edgeecg data info', and mend or leave out the damaged.",
            )
        int8 = {name: layer.int8 for name, layer in self.layers.items()}
        training = self.module.training
        device = next(self.module.parameters()).device
        self.module.eval()
        for each in self.tensors.values():
            each.forget()
            each.measuring = True
        for layer in self.layers.values():
            layer.int8 = False
        try:
            with torch.no_grad():
                for start in range(0, len(windows), _BATCH):
                    batch = np.array(windows[start : start + _BATCH])
                    self.module(torch.from_numpy(batch).to(device))
        finally:
            self.module.train(training)
            for each in self.tensors.values():
                each.measuring = False
            for name, layer in self.layers.items():
                layer.int8 = int8[name]
        broken = [n for n, (low, high) in self.ranges.items() if not np.isfinite([low, high]).all()]
        if broken:
            raise EdgeECGError(
                "The model cannot be calibrated for int8.",
                f"The output of '{broken[0]}' is not a finite number on training windows.",
                "Compress with a lower fine-tuning rate, or without --quantize.",
            )

    def only(self, layer: str | None) -> None:
        """Round one layer alone, what it reads and what it gives; None rounds all again."""
        for name, each in self.layers.items():
            each.int8 = layer in (None, name)
        for name, each in self.tensors.items():
            each.active = layer is None or name in self.around[layer]


def prepare(model: nn.Module, recipe: ExportRecipe, sample_shape: tuple[int, int]) -> FakeQuantized:
    """Build the twin of a model; it has to be calibrated before it is used.

    Args:
        model: Maps ``(batch, leads, samples)`` to logits; left as it is.
        recipe: An int8 target; ``float_ops``, ``float_modules`` and ``float_layers`` are not
            rounded.
        sample_shape: ``(leads, samples)``.

    Raises:
        EdgeECGError: The control flow of the model depends on its input, so that it cannot be
            traced; or the recipe names a layer that the model does not have.
    """
    twin = traced(model, sample_shape)
    layers = quantized_layers(twin)
    unknown = sorted(set(recipe.float_layers) - set(layers))
    if unknown:
        raise EdgeECGError(
            f"The layer '{unknown[0]}' cannot be kept in float32.",
            f"The layers of the model that could be in int8 are: {', '.join(layers)}.",
            "Name one of these.",
        )
    for name in recipe.float_layers:
        layers[name].int8 = False
    placed = insert_ranges(twin, recipe)
    twin.delete_all_unused_submodules()
    twin.graph.lint()
    twin.recompile()
    rounded = {name: layer for name, layer in layers.items() if layer.int8}
    return FakeQuantized(
        twin,
        rounded,
        {each.title: each.range for each in placed.values()},
        {name: around(twin, name, placed) for name in rounded},
    )
