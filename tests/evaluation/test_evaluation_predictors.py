"""What a user may name to have it evaluated, and what is refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from evaluated import linear_weights, write_model, write_onnx

from edgeecg import models
from edgeecg.data import Dataset
from edgeecg.errors import ArtifactError, EdgeECGError, UnknownNameError
from edgeecg.evaluation.predictors import load_predictor
from edgeecg.schema import ModelCard, Scores


@pytest.fixture(autouse=True)
def _elsewhere(  # pyright: ignore[reportUnusedFunction]
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)


def windows(n: int = 5) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
    return np.random.default_rng(1).standard_normal((n, 1, 256)).astype(np.float32)


def test_weights_with_their_card(model_card: ModelCard) -> None:
    weights = write_model(Path("mine.safetensors"), model_card)
    found = load_predictor("mine.safetensors")
    card = ModelCard.from_json(weights.with_suffix(".json").read_bytes(), "card")
    expected = models.load(weights, card)(torch.from_numpy(windows()))
    np.testing.assert_allclose(found.predict(windows()), expected.detach().numpy(), atol=1e-6)
    assert (found.kind, found.model, found.task) == ("pytorch", "cnn1d", "beats")
    assert found.classes == ("N", "S", "V")
    assert found.card == card


def test_a_run_by_name_and_by_folder_gives_its_compressed_model(model_card: ModelCard) -> None:
    run = Path("runs/night")
    write_model(run / "baseline.safetensors", model_card)
    assert load_predictor("night").card == load_predictor("runs/night").card
    assert "baseline" in load_predictor("night").title
    write_model(run / "model.safetensors", model_card, role="compressed")
    compressed = load_predictor("night")
    assert compressed.card is not None
    assert compressed.card.role == "compressed"


def test_a_file_runs_in_its_runtime(tmp_path: Path) -> None:
    write_onnx(tmp_path / "one.onnx")
    found = load_predictor("one.onnx")
    expected = windows()[:, 0] @ linear_weights().T
    np.testing.assert_allclose(found.predict(windows()), expected, rtol=1e-4, atol=1e-4)
    assert (found.kind, found.card, found.class_map) == ("file", None, "aami")


def test_the_class_map_of_training_is_kept(model_card: ModelCard, tmp_path: Path) -> None:
    data = model_card.data.model_copy(update={"class_map": "ec57"})
    write_model(tmp_path / "ec57.safetensors", model_card, data=data)
    write_onnx(tmp_path / "file.onnx", class_map="ec57")
    assert load_predictor("ec57.safetensors").class_map == "ec57"
    assert load_predictor("file.onnx").class_map == "ec57"


def test_the_likelihood_of_training_is_kept(model_card: ModelCard, tmp_path: Path) -> None:
    training = model_card.training.model_copy(update={"min_likelihood": 50.0})
    write_model(tmp_path / "likely.safetensors", model_card, training=training)
    write_onnx(tmp_path / "file.onnx", min_likelihood=50.0)
    assert load_predictor("likely.safetensors").min_likelihood == 50.0
    assert load_predictor("file.onnx").min_likelihood == 50.0


def test_thresholds_come_from_the_card(model_card: ModelCard, tmp_path: Path) -> None:
    assert (
        load_predictor(str(write_model(tmp_path / "a.safetensors", model_card))).thresholds is None
    )
    held = {
        name: each.model_copy(update={"threshold": 0.1 * (n + 1)})
        for n, (name, each) in enumerate(model_card.test.per_class.items())
    }
    test = model_card.test.model_copy(update={"task": "records", "per_class": held})
    found = load_predictor(str(write_model(tmp_path / "b.safetensors", model_card, test=test)))
    assert found.task == "records"
    assert found.thresholds == pytest.approx([0.1, 0.2, 0.3])


def test_a_file_without_manifest_is_refused(tmp_path: Path) -> None:
    write_onnx(tmp_path / "foreign.onnx", manifest=None)
    with pytest.raises(ArtifactError, match="has no manifest"):
        load_predictor("foreign.onnx")


def test_a_file_that_takes_another_input_than_it_says_is_refused(tmp_path: Path) -> None:
    write_onnx(tmp_path / "wrong.onnx", input_shape=(1, 1, 128))
    with pytest.raises(ArtifactError, match="does not agree with its manifest"):
        load_predictor("wrong.onnx")


def test_weights_of_another_card_are_refused(model_card: ModelCard, tmp_path: Path) -> None:
    write_model(tmp_path / "a.safetensors", model_card, weights_sha256="2" * 64)
    with pytest.raises(ArtifactError, match=r"not those that 'a\.json' describes"):
        load_predictor("a.safetensors")


def test_weights_without_a_card_are_refused(model_card: ModelCard, tmp_path: Path) -> None:
    write_model(tmp_path / "a.safetensors", model_card).with_suffix(".json").unlink()
    with pytest.raises(ArtifactError, match=r"a\.json"):
        load_predictor("a.safetensors")


def test_a_missing_file_is_named() -> None:
    with pytest.raises(EdgeECGError, match=r"There is no file 'no\.onnx'"):
        load_predictor("no.onnx")


def test_an_unknown_name_lists_what_there_is(model_card: ModelCard) -> None:
    write_model(Path("runs/night/baseline.safetensors"), model_card)
    with pytest.raises(UnknownNameError, match="night"):
        load_predictor("nigth")


def test_a_model_without_weights_says_how_to_train_it(monkeypatch: pytest.MonkeyPatch) -> None:
    def none(name: str) -> None:
        """Stand for a package without weights."""

    monkeypatch.setattr(models, "shipped", none)
    with pytest.raises(EdgeECGError, match="edgeecg train bilstm"):
        load_predictor("bilstm")


def test_a_shipped_model(
    model_card: ModelCard, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    weights = write_model(tmp_path / "weights" / "cnn1d.safetensors", model_card)
    card = ModelCard.from_json(weights.with_suffix(".json").read_bytes(), "card")

    def shipped(name: str) -> tuple[Path, ModelCard]:
        return weights, card

    monkeypatch.setattr(models, "shipped", shipped)
    assert load_predictor("cnn1d").card == card


def test_scores_of_a_file_and_of_its_arithmetic_agree(toy_dataset: Dataset, tmp_path: Path) -> None:
    from edgeecg.evaluation.metrics import score, score_predictor

    write_onnx(tmp_path / "one.onnx")
    found = score_predictor(load_predictor("one.onnx").predict, toy_dataset, "test")
    by_hand = (toy_dataset.test.x[:, 0] @ linear_weights().T).astype(np.float32)
    expected: Scores = score(by_hand, toy_dataset, "test")
    assert found == expected


def test_a_file_in_its_run_knows_the_records_that_made_it(
    model_card: ModelCard, tmp_path: Path
) -> None:
    write_model(Path("runs/night/baseline.safetensors"), model_card)
    folder = Path("runs/night/artifacts")
    folder.mkdir()
    write_onnx(folder / "one.onnx")
    assert load_predictor(str(folder / "one.onnx")).data == model_card.data
    write_onnx(tmp_path / "alone.onnx")
    assert load_predictor("alone.onnx").data is None
