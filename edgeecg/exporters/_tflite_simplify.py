"""Fewer operations in a float32 TFLite file, with the same outputs."""

from __future__ import annotations

from typing import Any

import numpy as np
from ai_edge_litert.interpreter import Interpreter
from ai_edge_litert.tools import flatbuffer_utils
from numpy.typing import NDArray

from edgeecg.exporters._tflite_layouts import simplify
from edgeecg.exporters._tflite_packing import packed
from edgeecg.exporters._tflite_views import Graph

_WINDOWS = 4
_TOLERANCE = 1e-6


def simplified(content: bytes, sample_shape: tuple[int, int]) -> bytes:
    """Return a file without the operations that only move values, as far as they can be avoided.

    Both files are run on random windows. Where an output differs by more than the rounding of
    float32 explains, 1e-6 of the largest one, the file is returned as it is; so is one of several
    graphs.

    Args:
        content: A float32 file with one input.
        sample_shape: ``(leads, samples)`` of a window.
    """
    model: Any = flatbuffer_utils.read_model_from_bytearray(bytearray(content))
    if len(model.subgraphs) > 1:
        return content
    graph = Graph(model)
    simplify(graph)
    graph.write()
    made = packed(model)
    x = np.random.default_rng(0).normal(size=(_WINDOWS, *sample_shape)).astype(np.float32)
    expected, found = outputs(content, x), outputs(made, x)
    limit = _TOLERANCE * max(1.0, float(np.abs(expected).max()))
    return made if float(np.abs(found - expected).max()) <= limit else content


def outputs(content: bytes, x: NDArray[np.float32]) -> NDArray[np.float32]:
    """Run a file on windows ``(n, leads, samples)`` and return its outputs ``(n, classes)``."""
    network: Any = Interpreter(model_content=content, num_threads=1)
    network.allocate_tensors()
    given, answer = network.get_input_details()[0], network.get_output_details()[0]
    found: list[NDArray[np.float32]] = []
    for window in x:
        network.set_tensor(given["index"], window[np.newaxis])
        network.invoke()
        found.append(network.get_tensor(answer["index"])[0])
    return np.stack(found)
