"""The operations of exported .tflite files are those of the PyTorch layers, and are timed."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from timed_layers import CALL_S, dense_layers, result, timed, written

from edgeecg import resources
from edgeecg.costs import measured
from edgeecg.costs.attribution import attribute
from edgeecg.costs.counting import count
from edgeecg.exporters import exporter, quiet
from edgeecg.models import architecture, build, names
from edgeecg.runtimes import litert
from edgeecg.runtimes._litert_layers import PROFILER, SINGLE


def exported(name: str, folder: Path) -> Path:
    recipe, shape = resources.load_target("tflite"), architecture(name).INPUT_SHAPE
    with quiet():
        content = exporter("tflite").export(
            build(name).eval(), recipe, np.zeros(0, np.float32), shape
        )
    path = folder / "model.tflite"
    path.write_bytes(content)
    return path


@pytest.mark.parametrize(
    "name",
    [
        # Convolutions, linear layers and an LSTM; self-attention takes longer to convert.
        pytest.param(name, marks=[] if name in ("cnn1d", "cnn_lstm_attn") else pytest.mark.system)
        for name in names()
    ],
)
def test_costs_from_a_tflite_file_are_those_of_the_layers(name: str, tmp_path: Path) -> None:
    path, dense = exported(name, tmp_path), dense_layers(name)
    nodes = count(path)
    wanted = {layer.name: layer.macs for layer in dense}
    assert attribute(nodes, dense, "tflite").macs == wanted
    x = np.ones((1, *architecture(name).INPUT_SHAPE), np.float32)
    profile = litert.profile(path, x, threads=1, runs=10)
    assert profile.reason is None
    # The runtime has no profiler for files with the states of LSTM layers. On fast machines the
    # operations of the smallest model are too short for it.
    methods = {"bilstm": {SINGLE}, "cnn_lstm_attn": {SINGLE}, "tiny_rhythm": {SINGLE, PROFILER}}
    assert profile.method in methods.get(name, {PROFILER})
    # The median of a file, which the seconds of its operations add up to, includes the call.
    scale = 1 + CALL_S / sum(each.seconds for each in profile.operations)
    operations = [(each.name, scale * each.seconds + 1e-9) for each in profile.operations]
    bench = written(tmp_path, [result(name, nodes=nodes, format="tflite", **timed(*operations))])
    costs = measured.read(bench, name, dense)
    assert {layer: each.macs for layer, each in costs.layers.items()} == wanted
    assert measured.seconds(dense, costs) == pytest.approx(sum(each for _, each in operations))
    # The layers with most multiplications take longer than that with fewest.
    most = max(dense, key=lambda layer: layer.macs).name
    least = min(dense, key=lambda layer: layer.macs).name
    assert costs.layers[most].own_s > costs.layers[least].own_s
