"""ONNX through torch's exporter: one self-contained file, in float32, float16 or int8."""

from __future__ import annotations

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from onnxscript import optimizer
from torch import nn

from edgeecg.errors import ExportError
from edgeecg.exporters import _onnx_weights
from edgeecg.exporters._batch_norm import fold_batch_norm
from edgeecg.exporters._node_names import name_nodes
from edgeecg.schema import MANIFEST_KEY, ExportRecipe

PACKAGES = ("torch", "onnx", "onnxscript", "onnxruntime")

_OPSET = 18
_NO_LIMIT = 2**31
_TYPES = (
    ("float32", "float32", "float32"),
    ("float16", "float32", "float32"),
    ("int8", "int8", "float32"),
)


def export(
    model: nn.Module,
    recipe: ExportRecipe,
    calibration: NDArray[np.float32],
    sample_shape: tuple[int, int],
) -> bytes:
    """Convert a model to ONNX, opset 18; see :class:`edgeecg.exporters.Exporter`.

    Raises:
        ExportError: The recipe asks for types that this format does not write, or a layer that is
            to stay in float32 was not found.
        SchemaError: ``recipe.float_ops`` names an operation that the quantiser does not know.
    """
    _check_types(recipe)
    return write(to_float32(model, sample_shape), recipe, calibration)


def to_float32(model: nn.Module, sample_shape: tuple[int, int]) -> onnx.ModelProto:
    """Convert a model to ONNX in float32; its nodes have the names of their modules."""
    program = torch.onnx.export(
        fold_batch_norm(model, sample_shape),
        (torch.zeros(1, *sample_shape),),
        dynamo=True,
        opset_version=_OPSET,
        input_names=["input"],
        output_names=["logits"],
        verbose=False,
    )
    assert program is not None
    # torch reorders the gates of an LSTM's weights in the graph; folded here, the weights are
    # constants of the LSTM node.
    optimizer.fold_constants(program.model, input_size_limit=_NO_LIMIT, output_size_limit=_NO_LIMIT)
    optimizer.remove_unused_nodes(program.model)
    converted = program.model_proto
    name_nodes(converted)
    _strip(converted)
    return converted


def write(
    converted: onnx.ModelProto, recipe: ExportRecipe, calibration: NDArray[np.float32]
) -> bytes:
    """Return a file of a target; see :class:`edgeecg.exporters.Exporter`.

    Raises:
        ExportError: The recipe asks for types that this format does not write, or a layer that is
            to stay in float32 was not found.
        SchemaError: ``recipe.float_ops`` names an operation that the quantiser does not know.
    """
    _check_types(recipe)
    model = onnx.ModelProto()
    model.CopyFrom(converted)
    if recipe.dtype == "float16":
        _onnx_weights.to_float16(model)
    elif recipe.dtype == "int8":
        # The quantiser needs more time to import than a float32 export takes.
        from edgeecg.exporters import _onnx_quantize

        model = _onnx_quantize.quantize(model, recipe, calibration)
    onnx.checker.check_model(model, full_check=True)
    return model.SerializeToString()


def embed(content: bytes, manifest_json: str) -> bytes:
    """Return the same model with the manifest in its ``metadata_props``."""
    model = onnx.load_from_string(content)
    onnx.helper.set_model_props(model, {MANIFEST_KEY: manifest_json})
    return model.SerializeToString()


def _check_types(recipe: ExportRecipe) -> None:
    types = (recipe.dtype, recipe.activation_dtype or recipe.dtype, recipe.io_dtype)
    if types not in _TYPES:
        raise ExportError(
            f"The target '{recipe.name}' cannot be exported.",
            f"The ONNX exporter does not write {types[0]} weights with {types[1]} activations and "
            f"{types[2]} input.",
            'Choose format = "tflite", or other types in the recipe.',
        )


def _strip(model: onnx.ModelProto) -> None:
    """Remove the exporter's metadata: stack traces with the paths of this machine."""
    graph = model.graph
    graph.ClearField("metadata_props")
    for part in (graph.node, graph.value_info, graph.input, graph.output, graph.initializer):
        for entry in part:
            entry.ClearField("metadata_props")
            entry.ClearField("doc_string")
