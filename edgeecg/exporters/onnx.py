"""ONNX through torch's exporter: one self-contained file."""

from __future__ import annotations

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from onnxscript import optimizer
from torch import nn

from edgeecg.errors import ExportError
from edgeecg.exporters._batch_norm import fold_batch_norm
from edgeecg.exporters._node_names import name_nodes
from edgeecg.schema import MANIFEST_KEY, ExportRecipe

PACKAGES = ("torch", "onnx", "onnxscript", "onnxruntime")

_OPSET = 18
_NO_LIMIT = 2**31


def export(
    model: nn.Module,
    recipe: ExportRecipe,
    calibration: NDArray[np.float32],
    sample_shape: tuple[int, int],
) -> bytes:
    """Convert a model to ONNX, opset 18; see :class:`edgeecg.exporters.Exporter`.

    Raises:
        ExportError: The recipe asks for a type that this format does not write.
    """
    if recipe.dtype != "float32":
        raise ExportError(
            f"The target '{recipe.name}' cannot be exported.",
            f"The ONNX exporter writes float32, and the recipe asks for {recipe.dtype}.",
            'Set dtype = "float32", or choose format = "tflite" for int8.',
        )
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
    model_proto = program.model_proto
    name_nodes(model_proto)
    _strip(model_proto)
    onnx.checker.check_model(model_proto, full_check=True)
    return model_proto.SerializeToString()


def embed(content: bytes, manifest_json: str) -> bytes:
    """Return the same model with the manifest in its ``metadata_props``."""
    model = onnx.load_from_string(content)
    onnx.helper.set_model_props(model, {MANIFEST_KEY: manifest_json})
    return model.SerializeToString()


def _strip(model: onnx.ModelProto) -> None:
    """Remove the exporter's metadata: stack traces with the paths of this machine."""
    graph = model.graph
    graph.ClearField("metadata_props")
    for part in (graph.node, graph.value_info, graph.input, graph.output, graph.initializer):
        for entry in part:
            entry.ClearField("metadata_props")
            entry.ClearField("doc_string")
