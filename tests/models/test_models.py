"""Every architecture: its size, its shape, its widths, and weights that load without code."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from edgeecg.errors import ArtifactError, UnknownNameError, UsageError
from edgeecg.models import (
    SelfAttention,
    architecture,
    build,
    layer_costs,
    matrices,
    names,
    nonzero_parameters,
    parameters,
)

# Totals of the reference study's model table; tiny_rhythm is not in it: 2 * 6 * 12 + 12 * 4 * 16
# + 16 * 4 * 24 weights of convolutions, 2 * (12 + 16 + 24) of norms, 24 * 4 * 20 + 20 of the layer
# on the beat, 2 * 12 + 12 and 12 * 20 + 20 on the rhythm, 20 * 3 + 3 of the head.
PARAMETERS = {
    "bilstm": 530_947,
    "cnn1d": 188_035,
    "cnn_lstm_attn": 349_860,
    "conv_transformer": 1_711_878,
    "resnet1d_attn": 417_892,
    "resnet1d_se_attn": 1_661_126,
    "tiny_rhythm": 144 + 768 + 1536 + 104 + 1940 + 36 + 260 + 63,
}


def test_every_model_has_an_expected_total() -> None:
    assert set(names()) == set(PARAMETERS)


@pytest.mark.parametrize("name", names())
class TestEveryModel:
    def test_parameters_exactly(self, name: str) -> None:
        assert parameters(build(name)) == PARAMETERS[name]

    def test_windows_in_logits_out(self, name: str) -> None:
        shape = architecture(name)
        with torch.no_grad():
            logits = build(name).eval()(torch.randn(5, *shape.INPUT_SHAPE))
        assert logits.shape == (5, len(shape.CLASSES))
        assert torch.isfinite(logits).all()

    def test_widths_rebuild_the_module(self, name: str) -> None:
        shape = architecture(name)
        narrow = {
            key: tuple(width // 2 + 1 for width in value) for key, value in shape.WIDTHS.items()
        }
        model = build(name, narrow)
        assert shape.widths(model) == narrow
        assert parameters(model) < PARAMETERS[name]
        build(name, shape.widths(model)).load_state_dict(model.state_dict())

    def test_the_same_window_gives_the_same_logits(self, name: str) -> None:
        model = build(name).eval()
        x = torch.randn(2, *architecture(name).INPUT_SHAPE)
        with torch.no_grad():
            assert torch.equal(model(x), model(x))

    def test_a_beat_does_not_depend_on_its_neighbours_in_the_batch(self, name: str) -> None:
        model = build(name).eval()
        x = torch.randn(4, *architecture(name).INPUT_SHAPE)
        with torch.no_grad():
            torch.testing.assert_close(model(x)[2:3], model(x[2:3]), rtol=1e-4, atol=1e-5)

    def test_fixed_layers_exist(self, name: str) -> None:
        modules = dict(build(name).named_modules())
        assert set(architecture(name).FIXED) <= set(modules)

    @pytest.mark.parametrize("wrong", [{}, {"conv": (1,)}, {"stem": (0,)}])
    def test_wrong_widths_are_refused(self, name: str, wrong: dict[str, tuple[int, ...]]) -> None:
        with pytest.raises(ArtifactError, match="widths"):
            build(name, wrong)

    def test_blocks_left_out_pass_their_input_on(self, name: str) -> None:
        shape = architecture(name)
        widths = {key: list(value) for key, value in shape.WIDTHS.items()}
        for places in shape.BLOCKS.values():
            for key, place in places:
                widths[key][place] = 0
                with pytest.raises(ArtifactError, match="widths"):
                    build(name, shape.WIDTHS | {key: (0, *shape.WIDTHS[key][1:])})
        without = {key: tuple(value) for key, value in widths.items()}
        model = build(name, without).eval()
        assert shape.widths(model) == without
        assert all(isinstance(model.get_submodule(block), nn.Identity) for block in shape.BLOCKS)
        logits = model(torch.randn(2, *shape.INPUT_SHAPE))
        assert logits.shape == (2, len(shape.CLASSES))

    def test_every_weight_is_counted_as_a_mac_at_least_once(self, name: str) -> None:
        model = build(name)
        layers = layer_costs(model, architecture(name).INPUT_SHAPE)
        counted = [weight for cost in layers for weight in matrices(model.get_submodule(cost.name))]
        expected = [p for p in model.parameters() if p.ndim > 1]
        assert sorted(map(id, counted)) == sorted(map(id, expected))
        for cost in layers:
            weights = matrices(model.get_submodule(cost.name))
            assert cost.macs >= max(1, sum(weight.numel() for weight in weights))


def test_conv_transformer_has_the_flops_of_the_reference_study() -> None:
    # 230.56 MFLOPs, two to a multiply-accumulate.
    layers = layer_costs(build("conv_transformer"), (12, 1000))
    assert 2 * sum(layer.macs for layer in layers) == pytest.approx(230.56e6, rel=0.01)


def test_costs_of_an_lstm_by_hand() -> None:
    class Tiny(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.lstm = nn.LSTM(3, 5, batch_first=True, bidirectional=True)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.lstm(x)[0]

    model = Tiny()
    with torch.no_grad():
        model.lstm.get_parameter("weight_hh_l0_reverse").zero_()
    (cost,) = layer_costs(model, (7, 3))
    assert (cost.name, cost.op) == ("lstm", "LSTM")
    assert cost.macs == 2 * 7 * 4 * 5 * (3 + 5)
    # Of 2 * 20 * 8 weights, the 20 * 5 from the backward state are zero.
    assert cost.nonzero_fraction == pytest.approx(220 / 320)
    # Two biases for each of 2 * 20 gates.
    assert cost.weight_bytes == (2 * 20 * 8 + 2 * 2 * 20) * 4
    assert cost.activation_bytes == (7 * 3 + 7 * 10) * 4


def test_costs_of_attention_by_hand() -> None:
    layers = layer_costs(nn.Sequential(SelfAttention(6, heads=2, head_width=4)), (9, 6))
    assert [layer.op for layer in layers] == ["Linear"] * 4 + ["SelfAttention"]
    products = layers[-1]
    # 9 x 9 scores per head, each a product of 4 numbers; then 9 x 4 mixtures of 9 values.
    assert products.macs == 2 * (9 * 9 * 4) + 2 * (9 * 4 * 9)
    assert (products.nonzero_fraction, products.weight_bytes) == (1.0, 0)
    assert products.activation_bytes == (3 * 9 * 8 + 9 * 8 + 2 * 2 * 81) * 4


def test_unknown_model() -> None:
    with pytest.raises(UnknownNameError, match="cnn1d"):
        build("cnn2d")
    with pytest.raises(UnknownNameError):
        build("costs")


def test_nonzero_parameters_counts_zeros() -> None:
    model = build("cnn1d")
    before = nonzero_parameters(model)
    with torch.no_grad():
        model.get_parameter("dense.weight")[3] = 0.0
    assert before - nonzero_parameters(model) == 1024


def test_counting_leaves_the_mode_alone() -> None:
    model = build("cnn1d").train()
    layer_costs(model, (1, 256))
    assert model.training


def test_damaged_weights_are_explained(tmp_path: Path, model_card: object) -> None:
    from edgeecg.models import load
    from edgeecg.schema import ModelCard

    assert isinstance(model_card, ModelCard)
    path = tmp_path / "model.safetensors"
    with pytest.raises(ArtifactError, match="could not be loaded"):
        load(path, model_card)
    path.write_bytes(b"\x80\x04 a pickle, perhaps")
    with pytest.raises(ArtifactError, match="could not be loaded"):
        load(path, model_card)
    save_file({"dense.weight": torch.zeros(2, 2)}, path)
    with pytest.raises(ArtifactError, match="could not be loaded"):
        load(path, model_card)


def test_a_file_of_the_name_of_a_model_does_not_hide_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("cnn1d").touch()
    assert architecture("cnn1d").RECIPE.model == "cnn1d"
    Path("mine").touch()
    with pytest.raises(UsageError, match="It is a file with weights"):
        architecture("mine")
