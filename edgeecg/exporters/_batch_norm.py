"""Batch normalisation of a trained model is an affine map per channel: fold it into the weights."""

from __future__ import annotations

import copy

import torch
from torch import fx, nn
from torch.fx.passes.shape_prop import ShapeProp
from torch.nn.utils.fusion import fuse_conv_bn_eval, fuse_linear_bn_eval

from edgeecg.quantization.folding import foldable_layer

_BATCH_NORMS = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d)
_TOLERANCE = 1e-3


def fold_batch_norm(model: nn.Module, sample_shape: tuple[int, int]) -> nn.Module:
    """Return a copy whose batch normalisations are folded into the layers before them.

    w' = w * gamma / sqrt(var + eps), b' = (b - mean) * gamma / sqrt(var + eps) + beta (Jacob et
    al., CVPR 2018, eq. 14). Without it, the converters keep every normalisation as a
    multiplication and an addition, and with them two transpositions around each convolution.

    Only those are folded for which the result is equal (:mod:`edgeecg.quantization.folding`), and
    the outputs are compared on random windows. All others are left to the converter, and so is a
    model that cannot be traced.

    Args:
        model: A module in evaluation mode; not changed.
        sample_shape: ``(leads, samples)`` of a window.

    Returns:
        A module with the same outputs up to float32 rounding; the given one when nothing is folded.
    """
    if not any(isinstance(layer, _BATCH_NORMS) for layer in model.modules()):
        return model
    x = torch.randn(2, *sample_shape, generator=torch.Generator().manual_seed(0))
    try:
        traced = fx.symbolic_trace(copy.deepcopy(model))
        with torch.no_grad():
            ShapeProp(traced).propagate(x)
    except Exception:  # Tracing runs the model's code on placeholders, which may raise anything.
        return model
    folded = _fold(traced)
    return folded if folded is not None and _equal(folded, model, x) else model


def _fold(traced: fx.GraphModule) -> nn.Module | None:
    """Fold what can be folded; None when nothing can."""
    graph = copy.deepcopy(traced.graph)
    modules = dict(traced.named_modules())
    calls = [str(node.target) for node in graph.nodes if node.op == "call_module"]
    found = False
    for node in list(graph.nodes):
        layer = foldable_layer(node, modules, calls)
        if layer is None:
            continue
        name, norm = str(layer.target), modules[str(node.target)]
        before = modules[name]
        if isinstance(before, nn.Linear):
            assert isinstance(norm, nn.BatchNorm1d)
            traced.set_submodule(name, fuse_linear_bn_eval(before, norm))
        else:
            assert isinstance(before, (nn.Conv1d, nn.Conv2d, nn.Conv3d))
            assert isinstance(norm, _BATCH_NORMS)
            traced.set_submodule(name, fuse_conv_bn_eval(before, norm))
        node.replace_all_uses_with(layer)
        graph.erase_node(node)
        found = True
    return fx.GraphModule(traced, graph).eval() if found else None


def _equal(folded: nn.Module, model: nn.Module, x: torch.Tensor) -> bool:
    with torch.no_grad():
        found, expected = folded(x), model(x)
    return torch.allclose(found, expected, rtol=0, atol=_TOLERANCE * float(expected.abs().max()))
