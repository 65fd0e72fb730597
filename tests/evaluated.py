"""Small untrained models and files to be evaluated: what they answer need not be good."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import torch
from onnx import TensorProto, helper, numpy_helper
from safetensors.torch import save_file

from edgeecg import files, models
from edgeecg.costs import proxy
from edgeecg.costs.counting import count
from edgeecg.schema import MANIFEST_KEY, Artifact, ModelCard, Parity, Preprocessing

WIDTHS = {"conv": (4, 4, 8), "dense": (8,)}
WINDOW = 256


def write_model(weights: Path, card: ModelCard, **changes: Any) -> Path:
    """Write a small ``cnn1d`` with its card beside it."""
    torch.manual_seed(0)
    model = models.build("cnn1d", WIDTHS)
    weights.parent.mkdir(parents=True, exist_ok=True)
    save_file(model.state_dict(), weights)
    known = {"widths": WIDTHS, "weights_sha256": files.sha256(weights), **changes}
    card = card.model_copy(update=known)
    weights.with_suffix(".json").write_text(card.to_json(), encoding="utf-8")
    return weights


def linear_weights() -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
    """Return the weights of the model in :func:`write_onnx`, ``(classes, samples)``."""
    return np.random.default_rng(0).standard_normal((3, WINDOW)).astype(np.float32)


def write_onnx(path: Path, **changes: Any) -> Path:
    """Write one matrix product as a file with a manifest; ``manifest=None`` leaves that out."""
    graph = helper.make_graph(
        [
            helper.make_node("Flatten", ["x"], ["flat"]),
            helper.make_node("Gemm", ["flat", "w"], ["logits"], transB=1),
        ],
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 1, WINDOW])],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, [1, 3])],
        [numpy_helper.from_array(linear_weights(), "w")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(model.SerializeToString())
    if changes.pop("manifest", True) is None:
        return path
    layers = count(path)
    fields: dict[str, Any] = {
        "name": path.stem,
        "role": "compressed",
        "format": "onnx",
        "dtype": "float32",
        "target": "onnx",
        "model": "cnn1d",
        "run": "toy",
        "parameters": 3 * WINDOW,
        "classes": ("N", "S", "V"),
        "input_shape": (1, 1, WINDOW),
        "preprocessing": Preprocessing(),
        "data": "synthetic",
        "weights_sha256": "0" * 64,
        "layers": layers,
        "costs": proxy.totals(layers),
        "baseline": None,
        "verification": Parity(n=None, max_abs_diff=None, label_agreement=None, reason="toy"),
        "test": None,
        "versions": {},
        "git_revision": None,
        **changes,
    }
    manifest = Artifact(**fields)
    model.metadata_props.add(key=MANIFEST_KEY, value=json.dumps(manifest.to_document()))
    path.write_bytes(model.SerializeToString())
    return path
