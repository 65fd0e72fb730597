"""Which operations of an int8 TFLite file stay in float32.

The quantiser selects operations by a regular expression on their scope, the name of their output
tensor. The converter builds that name from the classes and attributes of the modules, so that it
identifies the class of the module that an operation belongs to. It does not identify the layer:
queries, keys and values of an attention all have the name of the queries. A single layer is
therefore found by its weights.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import numpy as np
from ai_edge_litert import schema_py_generated as schema
from ai_edge_litert.tools import flatbuffer_utils
from ai_edge_quantizer import qtyping, recipe_manager
from ai_edge_quantizer.algorithm_manager import AlgorithmName
from numpy.typing import NDArray
from torch import nn

from edgeecg.errors import ExportError, SchemaError
from edgeecg.exporters._float_lstm import OPERATION as LSTM
from edgeecg.schema import ExportRecipe

_WEIGHTED = (
    qtyping.TFLOperationName.CONV_2D,
    qtyping.TFLOperationName.DEPTHWISE_CONV_2D,
    qtyping.TFLOperationName.FULLY_CONNECTED,
)
_CODES = frozenset(getattr(schema.BuiltinOperator, kind.value) for kind in _WEIGHTED)
_NEVER = frozenset(
    {
        qtyping.TFLOperationName.ALL_SUPPORTED,
        qtyping.TFLOperationName.INPUT,
        qtyping.TFLOperationName.OUTPUT,
    }
)

WEIGHTED_LAYERS = (nn.Conv1d, nn.Conv2d, nn.Linear)
"""Layers that can be kept in float32 one by one."""

_Operation = tuple[str, NDArray[np.float32]]
"""The output of an operation, and its weights in ascending order."""


def known_operations() -> frozenset[str]:
    """Return the names of the operations that a recipe can keep in float32."""
    return frozenset({LSTM, *(operation.value for operation in qtyping.TFLOperationName)})


def quantizer_recipe(
    recipe: ExportRecipe, recurrent: Sequence[str], float_layers: Sequence[str]
) -> recipe_manager.RecipeManager:
    """Return the quantiser's recipe: which operations it changes, and how.

    Args:
        recipe: ``float_ops`` and ``float_modules`` are kept in float32.
        recurrent: Names of the LSTM layers, which the quantiser does not know.
        float_layers: Scopes from :func:`layer_scopes`, which stay in float32.

    Raises:
        SchemaError: ``recipe.float_ops`` names an operation that the quantiser does not know.
    """
    operations = known_operations()
    unknown = sorted(set(recipe.float_ops) - operations)
    if unknown:
        raise SchemaError(
            f"The target '{recipe.name}' cannot be exported.",
            f"Its float_ops name {', '.join(unknown)}; known are {', '.join(sorted(operations))}.",
            f"Correct float_ops in export/{recipe.name}.toml.",
        )
    made = recipe_manager.RecipeManager()
    every = qtyping.TFLOperationName.ALL_SUPPORTED
    if recipe.dtype == "float16":
        for kind in _WEIGHTED:
            made.add_weight_only_config(".*", kind, 16, algorithm_key=AlgorithmName.FLOAT_CASTING)
    elif recipe.activation_dtype == "float32":
        made.add_dynamic_config(".*", every, 8)
        # tflite-runtime 2.14 takes the scale of the first unit for all of a layer.
        dense, tensor = (
            qtyping.TFLOperationName.FULLY_CONNECTED,
            qtyping.QuantGranularity.TENSORWISE,
        )
        made.add_dynamic_config(".*", dense, 8, granularity=tensor)
    else:
        made.add_static_config(".*", every, 16 if recipe.activation_dtype == "int16" else 8, 8)
    ends = () if recipe.io_dtype == "int8" else ("INPUT", "OUTPUT")
    kept = [(".*", qtyping.TFLOperationName(name)) for name in ends]
    kept += [(".*", qtyping.TFLOperationName(name)) for name in recipe.float_ops if name != LSTM]
    for module in recipe.float_modules:
        inside = rf"(^|[./]){re.escape(module)}_"
        others = set(qtyping.TFLOperationName) - _NEVER - set(_WEIGHTED)
        kept += [(inside, kind) for kind in sorted(others)]
    # Names that the converter gives have the path of a Python file in front, with a slash.
    kept += [(rf"^{re.escape(name)}\.(?!.*/)", every) for name in recurrent]
    kept += [(scope, every) for scope in float_layers]
    for scope, kind in kept:
        made.add_quantization_config(scope, kind, None, AlgorithmName.NO_QUANTIZE)
    return made


def layer_scopes(content: bytes, model: nn.Module, layers: Sequence[str]) -> list[str]:
    """Find the operations of some layers by their weights.

    Args:
        content: A float32 TFLite file.
        model: The model it was converted from, with folded batch normalisation.
        layers: Names of convolutions and linear layers of the model.

    Returns:
        A regular expression for the scope of each of their operations; a layer that is called twice
        has two.

    Raises:
        ExportError: No operation has the weights of a layer.
    """
    if not layers:
        return []
    read: Any = flatbuffer_utils.read_model_from_bytearray(bytearray(content))
    graph = read.subgraphs[0]
    operations: list[_Operation] = []
    for operator in graph.operators:
        code = read.operatorCodes[operator.opcodeIndex]
        if max(code.builtinCode, code.deprecatedBuiltinCode) not in _CODES:
            continue
        tensor = graph.tensors[operator.inputs[1]]
        buffer = read.buffers[tensor.buffer].data
        if buffer is not None and tensor.type == schema.TensorType.FLOAT32:
            name = graph.tensors[operator.outputs[0]].name.decode()
            operations.append((name, np.sort(np.frombuffer(bytes(buffer), np.float32))))
    return [scope for layer in layers for scope in _scopes(model, layer, operations)]


def _scopes(model: nn.Module, layer: str, operations: Sequence[_Operation]) -> list[str]:
    """Return the scope of every call of one layer.

    The converter reorders the weights of a layer and keeps their values, so that the sorted values
    are the same in the model and in the file. Layers with equal weights are all found.
    """
    names = dict(model.named_modules())
    if layer in names and isinstance(names[layer], WEIGHTED_LAYERS):
        wanted = np.sort(names[layer].get_parameter("weight").detach().numpy(), axis=None)
        # A scope is the name of the output and a separator.
        scopes = [
            rf"^{re.escape(name)};$"
            for name, weights in operations
            if weights.shape == wanted.shape and np.allclose(weights, wanted, rtol=1e-5, atol=0)
        ]
        if scopes:
            return scopes
    raise ExportError(
        f"The layer '{layer}' cannot be kept in float32.",
        "The converted file has no operation with its weights.",
        "Remove it from the float layers of the run's quantization.json, or compress again.",
    )
