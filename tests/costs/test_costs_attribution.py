"""Which layer of the PyTorch model each node of an exported file belongs to."""

from __future__ import annotations

from timed_layers import dense_layers

from edgeecg.costs.attribution import attribute
from edgeecg.schema import LayerCost


def node(name: str, macs: int, op: str = "CONV_2D") -> LayerCost:
    return LayerCost(
        name=name,
        op=op,
        dtype="float32",
        macs=macs,
        nonzero_fraction=1,
        weight_bytes=8,
        activation_bytes=8,
    )


def by_name(model: str) -> dict[str, int]:
    return {layer.name: layer.macs for layer in dense_layers(model)}


def test_the_last_layer_is_found_though_it_is_named_after_the_output() -> None:
    # The nodes that litert-torch 0.10 makes of this model.
    nodes = [
        node("features.0:2", 0, "RESHAPE"),
        node("features.0", 122_880, "DEPTHWISE_CONV_2D"),
        node("features.3", 0, "MAX_POOL_2D"),
        node("features.4", 1_835_008),
        node("features.8", 2_621_440),
        node("dense", 131_072, "FULLY_CONNECTED"),
        node("serving_default_output_0_output", 384, "FULLY_CONNECTED"),
    ]
    found = attribute(nodes, dense_layers("cnn1d"), "tflite")
    assert found.macs == by_name("cnn1d")
    assert found.layers["serving_default_output_0_output"] == "head"
    assert "features.3" not in found.layers


def test_the_name_of_a_lost_container_is_supplied() -> None:
    # "stages" is a list of modules, which the converter leaves out.
    nodes = [
        node("1.0.conv1", 327_680),
        node("0.0.conv1", 458_752),
        node("0.1.conv1", 458_752),
        node("stem", 28_672),
    ]
    found = attribute(nodes, dense_layers("resnet1d_attn"), "tflite")
    assert found.layers == {
        "1.0.conv1": "stages.1.0.conv1",
        "0.0.conv1": "stages.0.0.conv1",
        "0.1.conv1": "stages.0.1.conv1",
        "stem": "stem",
    }


def test_layers_named_after_a_neighbour_are_found_by_their_multiplications() -> None:
    block = [
        node("blocks.0.attention.query", 2_322_432, "FULLY_CONNECTED"),
        node("blocks.0.attention.query:2", 2_322_432, "FULLY_CONNECTED"),
        node("blocks.0.attention:7", 762_048, "BATCH_MATMUL"),
        node("blocks.0.attention.query:3", 2_322_432, "FULLY_CONNECTED"),
        node("blocks.0.attention:15", 762_048, "BATCH_MATMUL"),
        node("blocks.0.attention.output", 2_322_432, "FULLY_CONNECTED"),
        node("blocks.0", 6_967_296, "FULLY_CONNECTED"),
        node("blocks.0.contract", 6_967_296, "FULLY_CONNECTED"),
    ]
    found = attribute(block, dense_layers("conv_transformer"), "tflite")
    wanted = by_name("conv_transformer")
    assert found.macs == {name: wanted[name] for name in wanted if name.startswith("blocks.0")}
    assert found.layers["blocks.0.attention.query:2"] == "blocks.0.attention.key"
    assert found.layers["blocks.0.attention.query:3"] == "blocks.0.attention.value"
    assert found.layers["blocks.0"] == "blocks.0.expand"


def test_both_directions_of_a_recurrent_layer_are_one_layer() -> None:
    # 32 steps of 128 inputs and 128 units: with the added step and input 33 * 4 * 128 * 257.
    direction = 33 * 4 * 128 * 257
    nodes = [
        node(f"lstm.{way}", direction, "UNIDIRECTIONAL_SEQUENCE_LSTM")
        for way in ("forward", "backward")
    ]
    found = attribute(nodes, dense_layers("cnn_lstm_attn"), "tflite")
    assert found.macs["lstm"] == 2 * 32 * 4 * 128 * 256 == by_name("cnn_lstm_attn")["lstm"]
    # A layer of another width keeps the count of the file, which then does not fit the model.
    wide = [node("lstm.forward", 2 * direction, "UNIDIRECTIONAL_SEQUENCE_LSTM"), nodes[1]]
    assert attribute(wide, dense_layers("cnn_lstm_attn"), "tflite").macs["lstm"] == 3 * direction


def test_a_node_of_other_multiplications_belongs_to_no_layer() -> None:
    found = attribute([node("features.4", 1_835_009)], dense_layers("cnn1d"), "tflite")
    assert found.layers == {}
    assert found.macs == {}


def test_nodes_of_onnx_files_are_named_after_their_modules() -> None:
    nodes = [node("a.b/Relu", 0), node("a.b", 3), node("a.b:2", 4), node("/MatMul", 5)]
    found = attribute(nodes, [], "onnx")
    assert found.macs == {"a.b": 7, "": 5}
