"""From seconds per operation to seconds per layer, and to those of a pruned model."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from timed_layers import CALL_S, costs, dense_layers, result, timed, written

from edgeecg.costs import measured
from edgeecg.errors import SchemaError, UsageError
from edgeecg.models import build, layer_costs
from edgeecg.schema import BenchReport, BenchResult, LayerCost, LayerTime

SILENT: dict[str, Any] = {
    "layers": (),
    "layers_profiled_s": None,
    "layers_reason": "The runtime has no profiler. Measure another file.",
}
LAYERS = ("features.0", "features.4", "features.8", "dense", "head")


def node(name: str, macs: int) -> LayerCost:
    return LayerCost(
        name=name,
        op="Conv" if macs else "Relu",
        dtype="float32",
        macs=macs,
        nonzero_fraction=1,
        weight_bytes=8,
        activation_bytes=8,
    )


def test_every_operation_belongs_to_the_last_layer_before_it(tmp_path: Path) -> None:
    nodes = (*(node(each.name, each.macs) for each in dense_layers("cnn1d")), node("/Relu", 0))
    operations = [
        ("/Transpose", 10e-6),
        ("features.0", 100e-6),
        ("features.2/Relu", 5e-6),
        ("features.4", 200e-6),
        ("features.8", 300e-6),
        # Fused operations: one named after a node of the file, one not.
        ("dense/MatMulAddFusion/", 50e-6),
        ("gemm_output_reshape", 4e-6),
        ("/Relu", 3e-6),
        ("head", 20e-6),
    ]
    found = costs(tmp_path, nodes=nodes, **timed(*operations))
    # The time of the call is subtracted from all operations in proportion.
    part = 1 - CALL_S / 692e-6
    assert {name: each.own_s / part for name, each in found.layers.items()} == pytest.approx(
        dict(zip(LAYERS, (100e-6, 200e-6, 300e-6, 50e-6, 20e-6), strict=True))
    )
    assert {name: each.after_s / part for name, each in found.layers.items()} == pytest.approx(
        dict(zip(LAYERS, (5e-6, 0, 0, 7e-6, 0), strict=True))
    )
    assert found.fixed_s == pytest.approx(CALL_S + 10e-6 * part)
    assert measured.seconds(dense_layers("cnn1d"), found) == pytest.approx(692e-6)
    assert (found.device, found.runtime, found.threads) == ("raspberry-pi-4", "onnxruntime 1.0", 1)
    assert not found.emulated


def test_a_layer_made_of_several_nodes_is_one(tmp_path: Path) -> None:
    attention, *others = dense_layers("cnn1d")
    half = attention.macs // 2
    nodes = (
        node(attention.name, half),
        node(f"{attention.name}/Softmax", 0),
        node(f"{attention.name}:2", half),
        *(node(each.name, each.macs) for each in others),
    )
    operations = [(each.name, 1e-4) for each in nodes]
    found = costs(tmp_path, nodes=nodes, **timed(*operations))
    part = 1 - CALL_S / 7e-4
    assert found.layers[attention.name].own_s == pytest.approx(2e-4 * part)
    assert found.layers[attention.name].after_s == pytest.approx(1e-4 * part)


def test_a_pruned_model_by_hand(tmp_path: Path) -> None:
    found = costs(tmp_path)
    dense = {each.name: each for each in dense_layers("cnn1d")}
    # Half of the channels between the first two convolutions.
    cut = {
        each.name: each
        for each in layer_costs(build("cnn1d", {"conv": (16, 64, 128), "dense": (128,)}), (1, 256))
    }
    part = 1 - CALL_S / 600e-6
    for name, moved in (
        ("features.0", (256 + 16 * 256) / (256 + 32 * 256)),
        ("features.4", (16 * 128 + 64 * 128) / (32 * 128 + 64 * 128)),
    ):
        expected = part * (100e-6 * 0.5 + 20e-6 * moved)
        assert measured.layer_seconds(cut[name], found) == pytest.approx(expected)
    same = measured.layer_seconds(cut["features.8"], found)
    assert same == measured.layer_seconds(dense["features.8"], found)
    whole = CALL_S + sum(measured.layer_seconds(each, found) for each in cut.values())
    assert measured.seconds(cut.values(), found) == pytest.approx(whole)
    # A removed layer takes no time.
    left = [each for each in cut.values() if each.name != "dense"]
    gone = measured.layer_seconds(cut["dense"], found)
    assert measured.seconds(left, found) == pytest.approx(whole - gone)


def test_of_several_results_the_dense_float32_one_with_layers_is_used(tmp_path: Path) -> None:
    path = written(
        tmp_path,
        [
            result(file="cut.onnx", role="compressed"),
            result(file="dense-int8.tflite", dtype="int8"),
            result(file="dense.tflite", **SILENT),
            result("bilstm", file="other.onnx"),
            result(file="dense.onnx", **timed(*((name, 3e-4) for name in LAYERS))),
        ],
    )
    found = measured.read(path, "cnn1d", dense_layers("cnn1d"))
    assert found.layers["head"].own_s == pytest.approx(3e-4 * (1 - CALL_S / 15e-4))


def other_shape() -> BenchResult:
    wider = layer_costs(build("cnn1d", {"conv": (32, 64, 128), "dense": (64,)}), (1, 256))
    return result(nodes=wider)


def earlier_names() -> BenchResult:
    nodes = tuple(
        each.model_copy(update={"name": f"node_Conv_{number}"})
        for number, each in enumerate(dense_layers("cnn1d"))
    )
    return result(nodes=nodes)


@pytest.mark.parametrize(
    ("results", "why", "todo"),
    [
        (
            [result("bilstm")],
            "The report is about 'bilstm', and 'cnn1d' will be",
            "--target tflite",
        ),
        (
            [other_shape()],
            "'dense' has 131,072 MACs in the model and 65,536 in the measured file",
            "",
        ),
        ([earlier_names()], "does not exist in the measured file", "earlier version"),
        ([result(**SILENT)], "has no layer seconds. The runtime has no profiler", "--json"),
        ([result(role="compressed")], "none of which is dense and float32", "baseline"),
        ([result(dtype="int8")], "none of which is dense and float32", "baseline"),
        (
            [result(file="a.onnx"), result(file="b.onnx")],
            "several dense files of 'cnn1d': a.onnx, b.onnx",
            "one of them",
        ),
        (
            [result(**timed(*((name, 1e-4) for name in LAYERS if name != "dense")))],
            "no separate time for dense",
            "another version",
        ),
    ],
)
def test_costs_that_do_not_fit_are_explained(
    results: list[BenchResult], why: str, todo: str, tmp_path: Path
) -> None:
    path = written(tmp_path, results)
    with pytest.raises(UsageError, match="do not fit") as caught:
        measured.read(path, "cnn1d", dense_layers("cnn1d"))
    assert why in caught.value.why
    assert todo in caught.value.todo


def test_a_report_of_foreign_files_is_refused(tmp_path: Path) -> None:
    bare = result()
    bare = bare.model_copy(update={"artifact": bare.artifact.model_copy(update={"manifest": None})})
    with pytest.raises(UsageError, match="foreign files only"):
        measured.read(written(tmp_path, [bare]), "cnn1d", dense_layers("cnn1d"))


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"schema": "edgeecg.bench/1"}'])
def test_a_damaged_json_is_named(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "pi.json"
    path.write_bytes(content)
    with pytest.raises(SchemaError, match=r"pi\.json"):
        measured.read(path, "cnn1d", dense_layers("cnn1d"))


def test_a_json_that_does_not_exist(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot be read"):
        measured.read(tmp_path / "no.json", "cnn1d", dense_layers("cnn1d"))


def test_a_result_of_an_earlier_version_has_no_layers(tmp_path: Path) -> None:
    path = written(tmp_path, [result()])
    document = json.loads(path.read_text())
    for key in ("layers", "layers_profiled_s", "layers_reason"):
        del document["results"][0][key]
    path.write_text(json.dumps(document))
    (old,) = BenchReport.from_json(path.read_bytes(), "old").results
    assert old.layers == ()
    with pytest.raises(UsageError, match="measure the file again"):
        measured.read(path, "cnn1d", dense_layers("cnn1d"))


def test_layers_are_measured_or_missing_for_a_reason() -> None:
    one = (LayerTime(name="a", op="Conv", seconds=1.0, share=1.0),)
    for layers, profiled_s, reason in (
        ((), None, None),
        (one, 1.0, "no profiler"),
        (one, None, None),
        ((), 1.0, "no profiler"),
    ):
        changes: dict[str, Any] = {
            "layers": layers,
            "layers_profiled_s": profiled_s,
            "layers_reason": reason,
        }
        with pytest.raises(ValueError, match="measured"):
            result(**changes)


def test_a_file_that_takes_no_longer_than_an_empty_graph_tells_nothing(tmp_path: Path) -> None:
    layers = dense_layers("cnn1d")
    operations = [(layer.name, 0.5 * CALL_S / len(layers)) for layer in layers]
    with pytest.raises(UsageError, match=r"takes 5\.0 µs and an empty graph 10\.0 µs"):
        costs(tmp_path, **timed(*operations))
