"""Nothing but the final score may look at DS2 or at fold 10.

Two ways of catching one that does: a test split that cannot be touched, and a test split with other
content, which must leave every decision as it was, bit for bit.
"""

from __future__ import annotations

import os
from dataclasses import fields, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray
from torch import nn

from edgeecg.compression import dense, pipeline as compression
from edgeecg.compression.fidelity import with_test_scores
from edgeecg.data import DataRequest, Dataset, Windows
from edgeecg.data.sources import _synthetic_beats, _synthetic_ptbxl, mitdb, ptbxl
from edgeecg.evaluation.inference import evaluate, predict
from edgeecg.evaluation.multilabel import best_thresholds
from edgeecg.exporters import _float32
from edgeecg.exporters._source_model import load_source_model
from edgeecg.models import build
from edgeecg.resources import load_target
from edgeecg.runs import RunFolder
from edgeecg.schema import CompressionConfig, CompressionLog, ModelCard, Role, TrainingConfig
from edgeecg.training.baseline import train
from edgeecg.training.cards import make_card
from edgeecg.training.checkpoint import weights

DS2 = [
    *("100", "103", "105", "111", "113", "117", "121", "123", "200", "202", "210"),
    *("212", "213", "214", "219", "221", "222", "228", "231", "232", "233", "234"),
]
"""de Chazal et al. 2004, written down once more."""

RECORDS = TrainingConfig(
    model="resnet1d_se_attn",
    epochs=1,
    epoch_windows=None,
    batch_size=32,
    average=0.5,
    soft_targets=0.5,
)


class TouchedError(Exception):
    """Somebody looked at the test records."""


class Untouchable:
    """Stands for a test split that nobody may look at."""

    def __getattribute__(self, name: str) -> object:
        raise TouchedError(f"'{name}' of the test split was asked for")


def sealed(dataset: Dataset) -> Dataset:
    """Return the dataset with a test split that cannot be touched, outside beats included."""
    nothing = cast(Windows, Untouchable())
    outside = {name: part for name, part in dataset.outside.items() if name != "test"}
    return replace(dataset, test=nothing, outside={**outside, "test": nothing})


def changed(dataset: Dataset) -> Dataset:
    """Return the dataset with other windows and other labels in its test split."""
    test = dataset.test
    noise = np.random.default_rng(9).standard_normal(test.x.shape).astype(np.float32)
    return replace(dataset, test=replace(test, x=10 * noise, y=test.y[::-1].copy()))


def part(windows: Windows, count: int) -> Windows:
    """Return the first windows of a split."""
    return Windows(
        **{field.name: getattr(windows, field.name)[:count] for field in fields(windows)}
    )


def test_the_seal_holds(toy_dataset: Dataset) -> None:
    with pytest.raises(TouchedError):
        evaluate(build("cnn1d"), sealed(toy_dataset), "test")
    with pytest.raises(TouchedError):
        len(sealed(toy_dataset).test.y)


def test_training_on_records_and_its_thresholds_touch_no_test_record(
    records_dataset: Dataset, tmp_path: Path
) -> None:
    few = replace(
        records_dataset, train=part(records_dataset.train, 32), val=part(records_dataset.val, 12)
    )
    unseen = train(sealed(few), RECORDS, tmp_path / "sealed")
    assert evaluate(unseen.model, sealed(few), "val").per_class["MI"].threshold
    other = train(changed(few), RECORDS, tmp_path / "changed")
    expected, found = weights(unseen.model), weights(other.model)
    assert all(expected[name].equal(found[name]) for name in expected)


def test_thresholds_of_the_final_score_are_those_of_validation(records_dataset: Dataset) -> None:
    model = build("resnet1d_se_attn").eval()
    few = replace(
        records_dataset, val=part(records_dataset.val, 12), test=part(records_dataset.test, 12)
    )
    chosen = best_thresholds(predict(model, few.val.x), few.val.y)
    for dataset in (few, changed(few)):
        scored = evaluate(model, dataset, "test")
        assert [each.threshold for each in scored.per_class.values()] == chosen.tolist()


def compressed(dataset: Dataset, config: CompressionConfig, run: RunFolder) -> RunFolder:
    """Compress with a sealed test split, which only the final scoring may open."""

    def final_score(
        model: nn.Module,
        role: Role,
        config: TrainingConfig,
        closed: Dataset,
        *rest: Any,
        **options: Any,
    ) -> ModelCard:
        del closed
        return make_card(model, role, config, dataset, *rest, **options)

    def final_fidelity(log: CompressionLog, job: compression.Job, *rest: Any) -> CompressionLog:
        return with_test_scores(log, replace(job, dataset=dataset), *rest)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(compression, "with_test_scores", final_fidelity)
        for module in (compression, dense):
            patch.setattr(module, "make_card", final_score)
        compression.compress(compression.Job(config, sealed(dataset), run, "compress"))
    return run


@pytest.fixture(scope="module")
def finished(
    toy_dataset: Dataset, toy_config: CompressionConfig, tmp_path_factory: pytest.TempPathFactory
) -> RunFolder:
    return compressed(toy_dataset, toy_config, RunFolder(tmp_path_factory.mktemp("runs") / "one"))


def decisions(run: RunFolder) -> dict[str, Any]:
    """Return all that compression decided, without how long it took."""
    log = CompressionLog.from_json(run.compression_log.read_bytes(), "log").to_document()
    for step in log["steps"]:
        del step["seconds"], step["pruning_seconds"]
    card = ModelCard.from_json(run.model_card.read_bytes(), "card").to_document()
    del card["test"], log["recall"], log["fidelity"]["test"]
    return {"log": log, "card": card}


def test_other_test_records_change_nothing_but_the_final_score(
    toy_dataset: Dataset, toy_config: CompressionConfig, finished: RunFolder, tmp_path: Path
) -> None:
    one = finished
    other = compressed(changed(toy_dataset), toy_config, RunFolder(tmp_path / "other"))
    for path in ("baseline.safetensors", "model.safetensors"):
        assert (one.path / path).read_bytes() == (other.path / path).read_bytes()
    assert decisions(one) == decisions(other)
    tests = [ModelCard.from_json(run.model_card.read_bytes(), "card").test for run in (one, other)]
    assert tests[0] != tests[1]


def rows(x: NDArray[np.float32]) -> set[bytes]:
    return {window.tobytes() for window in x}


def test_calibration_and_probes_touch_no_test_record(
    toy_dataset: Dataset, finished: RunFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    dataset = sealed(toy_dataset)
    subject = load_source_model(finished.model_weights, finished.model_card, dataset)
    assert rows(subject.probe.x) <= rows(toy_dataset.val.x)
    seen: list[NDArray[np.float32]] = []

    def converter(model: nn.Module, shape: object) -> bytes:
        return b""

    def writer(converted: bytes, recipe: object, calibration: NDArray[np.float32]) -> bytes:
        seen.append(calibration)
        return converted

    def exporter(name: str) -> SimpleNamespace:
        return SimpleNamespace(to_float32=converter, write=writer)

    monkeypatch.setattr(_float32, "exporter", exporter)
    recipe = load_target("tflite-int8").model_copy(update={"calibration_windows": 50})
    _float32.Conversions(dataset).file(subject.model, recipe)
    assert len(seen[0]) == 50
    assert rows(seen[0]) <= rows(toy_dataset.train.x)


def test_ds2_is_tested_on_and_nothing_else() -> None:
    assert sorted(mitdb.SPLIT.test) == DS2
    assert not set(DS2) & {*mitdb.SPLIT.train, *mitdb.SPLIT.val}
    # The one patient with two records: no weight is fitted to either, and a note says so.
    assert not {"201", "202"} & set(mitdb.SPLIT.train)
    assert any("201" in note and "202" in note for note in mitdb.SPLIT.notes)


def test_no_synthetic_patient_is_in_two_splits() -> None:
    parts = [set(names) for names in _synthetic_beats.SPLIT.parts.values()]
    assert sum(map(len, parts)) == len(set[str]().union(*parts))


def _crossing(dataset: Dataset) -> set[str]:
    train, val, test = (
        set(dataset.split(name).patient.tolist()) for name in ("train", "val", "test")
    )
    return train & val | train & test | val & test


def test_the_scale_of_records_is_that_of_the_training_folds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EDGEECG_CACHE", str(tmp_path / "cache"))
    place = tmp_path / "ptbxl"
    place.mkdir()
    _synthetic_ptbxl.generate(place, 100)
    dataset = ptbxl.load_folder(place, DataRequest(task="records"), None, "synthetic")
    assert not _crossing(dataset)
    # Mean 0 and deviation 1 over the training folds; with other folds in it, they would be off.
    assert dataset.train.x.mean(dtype=np.float64) == pytest.approx(0, abs=1e-6)
    assert dataset.train.x.std(dtype=np.float64) == pytest.approx(1, abs=1e-5)
    assert abs(dataset.test.x.std(dtype=np.float64) - 1) > 1e-4


@pytest.mark.skipif(
    not os.environ.get("EDGEECG_DATA"), reason="needs PTB-XL: set EDGEECG_DATA to its parent"
)
def test_no_patient_of_ptbxl_is_in_two_splits() -> None:
    table = pd.read_csv(Path(os.environ["EDGEECG_DATA"]) / "ptbxl" / "ptbxl_database.csv")
    fold, patient = table["strat_fold"].to_numpy(), table["patient_id"].to_numpy()
    train, val, test = (set(patient[mine]) for mine in (fold <= 8, fold == 9, fold == 10))
    assert train
    assert val
    assert test
    assert not train & val | train & test | val & test
