"""Damaged model files are inspected or refused with a reason; nothing crashes."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import onnx
import pytest
from mutated_files import DAMAGES, inspected, mutated, sample
from onnx_models import graph_model, qdq_convolution, recurrent
from test_exporters_models import Recurrent
from test_exporters_reproducible import content
from tiny_tflite import Op, T, build as tflite

from edgeecg import resources
from edgeecg.benchmark.file_process import FileProcess
from edgeecg.costs import file_graph_onnx, proxy
from edgeecg.costs._onnx_runtime_shapes import NoShapesError
from edgeecg.costs.inspection import inspect_file
from edgeecg.errors import ArtifactError, EdgeECGError
from edgeecg.exporters import exporter, quiet
from edgeecg.exporters._publish import embedded
from edgeecg.schema import Artifact, ModelCard, Parity

MUTATIONS = int(os.environ.get("EDGEECG_MUTATIONS", "4000"))
"""How many files are mutated; in CI a few thousand, 100000 to be thorough."""

SHAPES = {"x": (1, 3, 50)}
"""Of the input of the files with free axes."""


def small_files() -> dict[str, bytes]:
    """Return files that hold little else than their structure."""
    tensors = [
        T((1, 8, 8, 4), name="x"),
        T((4, 1, 1, 4), values=np.ones((4, 1, 1, 4), np.float32)),
        T((4,), values=np.ones(4, np.float32)),
        T((1, 8, 8, 4), "INT8", zero_point=0, name="features"),
        T((1, 8, 8, 4), name="y", signature=(-1, 8, 8, 4)),
    ]
    operators = [Op("CONV_2D", [0, 1, 2], [3]), Op("DEQUANTIZE", [3], [4])]
    subgraph = onnx.helper.make_node("Relu", ["x"], ["y"])
    return {
        "convolution.tflite": tflite(tensors, operators, {"note": b"a text"}),
        "convolution.onnx": qdq_convolution().SerializeToString(),
        "recurrent.onnx": recurrent().SerializeToString(),
        "free.onnx": graph_model([subgraph], ["n", 3, "t"], ["n", 3, "t"], {}).SerializeToString(),
    }


@pytest.fixture
def no_run(monkeypatch: pytest.MonkeyPatch) -> None:
    """Start no process of ONNX Runtime for the shapes of each file."""

    def fail(*_: object) -> None:
        raise NoShapesError("not run in this test")

    monkeypatch.setattr(file_graph_onnx, "shapes_of_run", fail)


def described(whole: bytes, target: str, card: ModelCard) -> bytes:
    """Return an exported file with a manifest in it."""
    recipe = resources.load_target(target)
    manifest = Artifact(
        name="tiny",
        role="baseline",
        format=recipe.format,
        dtype=recipe.dtype,
        target=target,
        model="cnn1d",
        run="tiny",
        parameters=1,
        classes=card.classes,
        input_shape=(1, 1, 256),
        layers=(),
        test=None,
        preprocessing=card.preprocessing,
        data="synthetic",
        weights_sha256="0" * 64,
        costs=proxy.totals(()),
        baseline=None,
        verification=Parity(n=None, max_abs_diff=None, label_agreement=None, reason="a test"),
        versions={},
        git_revision=None,
    )
    return exporter(recipe.format).embed(whole, embedded(manifest))


def exported_files(card: ModelCard) -> dict[str, bytes]:
    """Return files as edgeecg writes them: a tiny network, and an LSTM."""
    found = {
        f"{target}.{resources.load_target(target).format}": described(content(target), target, card)
        for target in ("tflite-int8-io", "tflite-fp16", "onnx-int8")
    }
    recipe = resources.load_target("tflite")
    windows = np.zeros((1, 2, 16), np.float32)
    with quiet():
        lstm = exporter("tflite").export(Recurrent().eval(), recipe, windows, (2, 16))
    return found | {"lstm.tflite": lstm}


def test_each_damage_changes_a_file() -> None:
    whole = bytes(range(256)) * 4
    for number, damage in enumerate(DAMAGES):
        changed = bytearray(whole)
        damage(changed, np.random.default_rng(number))
        assert bytes(changed) != whole, damage.__name__
    rng = np.random.default_rng(0)
    assert mutated(whole, rng) != mutated(whole, rng)


@pytest.mark.usefixtures("no_run")
def test_damaged_small_files_are_inspected_or_refused(tmp_path: Path) -> None:
    files = small_files()
    for name, whole in files.items():
        path = tmp_path / name
        path.write_bytes(whole)
        inspect_file(path, SHAPES)
    outcome = inspected(files, 800, tmp_path, SHAPES)
    assert all(0 < outcome.refused[name] < 200 for name in files), outcome
    assert outcome.slowest_s < 5


@pytest.mark.system
@pytest.mark.usefixtures("no_run")
def test_thousands_of_damaged_files_are_inspected_or_refused(
    model_card: ModelCard, tmp_path: Path
) -> None:
    files = small_files() | exported_files(model_card)
    outcome = inspected(files, MUTATIONS, tmp_path, SHAPES, seed=MUTATIONS)
    print(outcome)
    assert sum(outcome.inspected.values()) + sum(outcome.refused.values()) == MUTATIONS
    each = MUTATIONS // len(files)
    assert all(0.05 * each < outcome.refused[name] < each for name in files), outcome
    assert outcome.slowest_s < 10


@pytest.mark.system
def test_a_runtime_that_crashes_on_a_damaged_file_crashes_alone(
    model_card: ModelCard, tmp_path: Path
) -> None:
    files = exported_files(model_card)
    outcomes: list[str] = []
    for name, damaged in sample(files, max(60, MUTATIONS // 500)):
        path = tmp_path / f"damaged{Path(name).suffix}"
        path.write_bytes(damaged)
        try:
            # Without shapes in the file, ONNX Runtime runs it once: in a process of its own, too.
            inspect_file(path, SHAPES)
            with FileProcess(path) as process:
                process.load(1, None, {})
            outcomes.append("runs")
        except ArtifactError as error:
            outcomes.append("crashed" if "crashed" in error.why else "refused")
        except EdgeECGError:
            outcomes.append("refused")
    print({each: outcomes.count(each) for each in sorted(set(outcomes))})
    assert {"runs", "refused"} <= set(outcomes)
