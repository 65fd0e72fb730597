"""Shapes of all tensors of a ``.onnx`` file, from a run in ONNX Runtime in another process.

ONNX Runtime parses and runs the file in native code, which a damaged file may crash: therefore the
process of its own. The file runs once, on zeros, with every tensor as an output.
"""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

_TIMEOUT_S = 120

Found = Mapping[str, tuple[str, tuple[int, ...]]]
"""Name of the element type, and shape, of every tensor by its name."""


class NoShapesError(Exception):
    """ONNX Runtime is not installed, or does not run the file."""


def shapes_of_run(
    path: Path, inputs: Mapping[str, tuple[int, ...]], wanted: Iterable[str]
) -> Found:
    """Return type and shape of tensors.

    Args:
        path: The file; its data files have been checked.
        inputs: Shapes of its inputs.
        wanted: Names of tensors that the operations compute.

    Raises:
        NoShapesError: They cannot be had, with the reason.
    """
    if importlib.util.find_spec("onnxruntime") is None:
        raise NoShapesError("the file does not have them, and onnxruntime is not installed")
    task = {"file": str(path.resolve()), "inputs": inputs, "wanted": list(wanted)}
    try:
        done = subprocess.run(
            [sys.executable, "-m", __name__],
            input=json.dumps(task),
            capture_output=True,
            text=True,
            check=False,
            timeout=_TIMEOUT_S,
        )
    except subprocess.TimeoutExpired as error:
        raise NoShapesError(f"a run of the file takes longer than {_TIMEOUT_S} s") from error
    if done.returncode:
        last = (done.stderr.strip().splitlines() or [f"exit status {done.returncode}"])[-1]
        raise NoShapesError(f"ONNX Runtime does not run the file ({last[:200]})")
    return {name: (kind, tuple(shape)) for name, (kind, shape) in json.loads(done.stdout).items()}


def with_outputs(model: bytes, names: Iterable[str]) -> bytes:
    """Return a model with more outputs.

    A message that occurs twice in the wire format of protocol buffers is merged, so that a graph
    with only the added outputs can be appended (field 7 of ModelProto, field 12 of GraphProto).

    Args:
        model: The content of a ``.onnx`` file.
        names: Names of tensors of its graph.
    """
    graph = b"".join(_message(12, _message(1, name.encode())) for name in names)
    return model + _message(7, graph)


def _message(field: int, body: bytes) -> bytes:
    size, length = len(body), bytearray()
    while size > 0x7F:
        length.append(size & 0x7F | 0x80)
        size >>= 7
    length.append(size)
    return bytes([field << 3 | 2]) + bytes(length) + body


def _run(task: dict[str, Any]) -> dict[str, tuple[str, list[int]]]:
    import os

    import numpy as np
    import onnxruntime

    path = Path(task["file"])
    # Data files are found relative to the working directory when a model is given as bytes.
    os.chdir(path.parent)
    onnxruntime.set_default_logger_severity(4)
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    content = path.read_bytes()
    first = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    there = {each.name for each in first.get_outputs()}
    added = [name for name in task["wanted"] if name not in there]
    session = onnxruntime.InferenceSession(
        with_outputs(content, added), options, providers=["CPUExecutionProvider"]
    )
    kinds = {"tensor(float)": "float32", "tensor(double)": "float64", "tensor(float16)": "float16"}
    feeds = {
        each.name: np.zeros(
            task["inputs"][each.name],
            kinds.get(each.type, each.type.removeprefix("tensor(").removesuffix(")")),
        )
        for each in session.get_inputs()
    }
    names = [each.name for each in session.get_outputs() if each.type.startswith("tensor(")]
    found = session.run(names, feeds)
    arrays = [np.asarray(each) for each in found]
    return {n: (str(a.dtype), list(a.shape)) for n, a in zip(names, arrays, strict=True)}


if __name__ == "__main__":
    sys.stdout.write(json.dumps(_run(json.load(sys.stdin))))
