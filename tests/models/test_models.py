"""Every architecture: its size, its shape, its widths, and weights that load without code."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from edgeecg.errors import ArtifactError, UnknownNameError
from edgeecg.models import architecture, build, names
from edgeecg.models.costs import layer_costs, nonzero_parameters, parameters

# Totals of the seed document's model table.
PARAMETERS = {"cnn1d": 188_035, "resnet1d_attn": 417_892}


def test_there_is_a_total_for_every_model() -> None:
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

    def test_every_weight_is_counted_as_a_mac_at_least_once(self, name: str) -> None:
        model = build(name)
        layers = layer_costs(model, architecture(name).INPUT_SHAPE)
        weights = {n: p for n, p in model.named_parameters() if n.endswith("weight") and p.ndim > 1}
        assert {f"{layer.name}.weight" for layer in layers} == set(weights)
        assert all(layer.macs >= weights[f"{layer.name}.weight"].numel() for layer in layers)


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
