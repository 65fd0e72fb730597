"""A small real model with everything that an exported file has, and the smallest protocol."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from bench_command import write_suites
from fake_ssh import FakeSsh, install
from onnx import TensorProto, helper, numpy_helper
from simulated_time import SimulatedTime

from edgeecg import resources
from edgeecg.benchmark import breakdown
from edgeecg.costs import proxy
from edgeecg.costs.counting import count
from edgeecg.schema import MANIFEST_KEY, Artifact, Baseline, Parity, Preprocessing, Suite

SAMPLES, CLASSES = 16, 3


@pytest.fixture
def time() -> SimulatedTime:
    return SimulatedTime()


@pytest.fixture
def suite() -> Suite:
    """The smallest protocol: a real measurement in milliseconds."""
    return Suite(
        name="tiny",
        description="For tests.",
        warmup_runs=1,
        warmup_seconds=0.0,
        min_runs=10,
        min_seconds=0.0,
        energy_windows=5,
        energy_window_seconds=10.0,
        idle_window_seconds=10.0,
    )


def _graph(weights: np.ndarray[tuple[int, ...], np.dtype[np.float32]]) -> onnx.ModelProto:
    graph = helper.make_graph(
        [
            helper.make_node("Flatten", ["x"], ["flat"]),
            helper.make_node("Gemm", ["flat", "w"], ["logits"], transB=1),
        ],
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 1, SAMPLES])],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, [1, CLASSES])],
        [numpy_helper.from_array(weights, "w")],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


@pytest.fixture
def exported(tmp_path: Path) -> Callable[[str], Path]:
    """Return a function that writes ``NAME.onnx`` with its manifests and probe set in a run."""

    def write(name: str) -> Path:
        folder = tmp_path / "runs" / "toy" / "artifacts"
        folder.mkdir(parents=True, exist_ok=True)
        (folder.parent / "model.json").write_text("{}")
        weights = np.random.default_rng(0).standard_normal((CLASSES, SAMPLES)).astype(np.float32)
        # One class out of three is all zeros: 48 MACs executed, 32 of them not for nothing.
        weights[0] = 0.0
        model, path = _graph(weights), folder / f"{name}.onnx"
        path.write_bytes(model.SerializeToString())
        layers = count(path)
        # A baseline of exactly twice the file in every count, with no zeros.
        whole = proxy.totals(
            [layer.model_copy(update={"nonzero_fraction": 1.0}) for layer in layers]
        )
        doubled = {
            key: {k: 2 * v for k, v in value.items()} if isinstance(value, dict) else 2 * value
            for key, value in whole.model_dump().items()
        }
        manifest = Artifact(
            name=name,
            role="compressed",
            format="onnx",
            dtype="float32",
            target="onnx",
            model="toy",
            run="toy",
            parameters=48,
            classes=("N", "S", "V"),
            input_shape=(1, 1, SAMPLES),
            preprocessing=Preprocessing(window=SAMPLES, r_index=10),
            data="synthetic",
            weights_sha256="0" * 64,
            layers=layers,
            costs=proxy.totals(layers),
            baseline=Baseline.model_validate({"weights_sha256": "1" * 64, "costs": doubled}),
            verification=Parity(n=4, max_abs_diff=0.0, label_agreement=1.0),
            test=None,
            versions={},
            git_revision=None,
        )
        model.metadata_props.add(key=MANIFEST_KEY, value=json.dumps(manifest.to_document()))
        content = model.SerializeToString()
        path.write_bytes(content)
        beside = manifest.model_copy(
            update={
                "file": path.name,
                "sha256": hashlib.sha256(content).hexdigest(),
                "size_bytes": len(content),
            }
        )
        path.with_suffix(".json").write_text(beside.to_json())
        x = np.random.default_rng(1).standard_normal((4, 1, SAMPLES)).astype(np.float32)
        np.savez(folder / f"{name}.probe.npz", x=x, logits=x[:, 0] @ weights.T)
        return path

    return write


@pytest.fixture
def small_suites(monkeypatch: pytest.MonkeyPatch, suite: Suite, tmp_path: Path) -> None:
    """Run in an empty folder, with the smallest protocol under every suite's name."""
    load = resources.load_suite

    def small(name: str) -> Suite:
        return suite.model_copy(update={"name": load(name).name})

    monkeypatch.setattr(resources, "load_suite", small)
    monkeypatch.setattr(breakdown, "SECONDS", 0.0)
    monkeypatch.setattr(breakdown, "RUNS", 10)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "100")


@pytest.fixture
def ssh(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> FakeSsh:
    """Reach this machine under every host name, from an empty folder with two suites."""
    monkeypatch.chdir(tmp_path)
    write_suites()
    return install(monkeypatch, tmp_path / "ssh")
