"""A copy of a model that computes as its int8 file will, with the same parameters.

The copy rounds where export rounds: the input, the weights, and the output of every operation that
the target's recipe does not keep in float32, after the activation that the runtime fuses with it.
Operations that only move values keep the steps of their input. The copy shares the model's
parameters: training the copy trains the model, and without the copy the model still has plain float
weights, ready for export.

The model is traced with ``torch.fx``. What an int8 file rounds inside a layer norm or an LSTM is
not simulated: the targets keep a layer norm in float32, and the cells of an LSTM in int16.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import fx, nn

from edgeecg.errors import EdgeECGError
from edgeecg.quantization.fake_quant import QuantizedLayer, TensorRange
from edgeecg.quantization.graph import insert_ranges, neighbours, replace_layers, trace
from edgeecg.schema import ExportRecipe

_BATCH = 64


@dataclass(frozen=True)
class FakeQuantized:
    """A fake-quantised copy of a model.

    Attributes:
        module: The copy; its parameters are the model's.
        layers: Its convolutions and linear layers by name, in the order of their calls.
        tensors: Its rounded activations by the layer or operation whose output they are.
        neighbours: By layer: the names of the activations that are its inputs and outputs.
    """

    module: fx.GraphModule
    layers: dict[str, QuantizedLayer]
    tensors: dict[str, TensorRange]
    neighbours: dict[str, tuple[str, ...]]

    @property
    def ranges(self) -> dict[str, tuple[float, float]]:
        """Lowest and highest value of every rounded activation."""
        return {name: (each.low, each.high) for name, each in self.tensors.items()}

    def calibrate(self, windows: NDArray[np.float32]) -> None:
        """Measure the ranges of all activations, with all rounding off.

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
                "Check the records with 'edgeecg data info', and repair or leave out damaged ones.",
            )
        int8 = {name: layer.int8 for name, layer in self.layers.items()}
        training = self.module.training
        device = next(self.module.parameters()).device
        self.module.eval()
        for each in self.tensors.values():
            each.reset()
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

    def equals(self, model: nn.Module, sample_shape: tuple[int, int]) -> bool:
        """Whether this copy gives the outputs of its model when nothing is rounded.

        Args:
            model: The model that it was made from.
            sample_shape: ``(leads, samples)`` of a window.
        """
        x = torch.randn(2, *sample_shape, generator=torch.Generator().manual_seed(0))
        unrounded = copy.deepcopy(self.module).eval()
        for module in unrounded.modules():
            if isinstance(module, QuantizedLayer):
                module.int8 = False
            if isinstance(module, TensorRange):
                module.active = False
        with torch.no_grad():
            found, expected = unrounded(x), copy.deepcopy(model).eval()(x)
        return torch.allclose(found, expected, rtol=0, atol=1e-3 * float(expected.abs().max()))

    def quantize_only(self, layer: str | None) -> None:
        """Round one layer alone, with its inputs and outputs; None rounds all layers again."""
        for name, each in self.layers.items():
            each.int8 = layer in (None, name)
        for name, each in self.tensors.items():
            each.active = layer is None or name in self.neighbours[layer]


def prepare(model: nn.Module, recipe: ExportRecipe, sample_shape: tuple[int, int]) -> FakeQuantized:
    """Build the fake-quantised copy of a model; it must be calibrated before it is used.

    Args:
        model: Maps ``(batch, leads, samples)`` to logits; not changed.
        recipe: An int8 target; ``float_ops``, ``float_modules`` and ``float_layers`` are not
            rounded.
        sample_shape: ``(leads, samples)``.

    Raises:
        EdgeECGError: The control flow of the model depends on its input, so that it cannot be
            traced; or the recipe names a layer that the model does not have.
    """
    traced = trace(model, sample_shape)
    layers = replace_layers(traced)
    unknown = sorted(set(recipe.float_layers) - set(layers))
    if unknown:
        raise EdgeECGError(
            f"The layer '{unknown[0]}' cannot be kept in float32.",
            f"The layers of the model that could be in int8 are: {', '.join(layers)}.",
            "Name one of these.",
        )
    for name in recipe.float_layers:
        layers[name].int8 = False
    inserted = insert_ranges(traced, recipe)
    traced.delete_all_unused_submodules()
    traced.graph.lint()
    traced.recompile()
    rounded = {name: layer for name, layer in layers.items() if layer.int8}
    return FakeQuantized(
        traced,
        rounded,
        {each.title: each.range for each in inserted.values()},
        {name: neighbours(traced, name, inserted) for name in rounded},
    )
