"""The trained weights of the package are what their cards say."""

from __future__ import annotations

import hashlib
import os

import numpy as np
import pytest
from safetensors.numpy import load_file
from sklearn.metrics import confusion_matrix

from edgeecg.data import DataRequest, load_dataset
from edgeecg.evaluation.inference import evaluate, predict
from edgeecg.models import architecture, load, names, shipped

needs_records = pytest.mark.skipif(
    not os.environ.get("EDGEECG_DATA"), reason="needs the records: set EDGEECG_DATA to their parent"
)


@pytest.mark.parametrize("name", names())
def test_a_card_fits_its_weights(name: str) -> None:
    ready = shipped(name)
    assert ready is not None
    weights, card = ready
    assert hashlib.sha256(weights.read_bytes()).hexdigest() == card.weights_sha256
    assert card.name == name
    assert card.widths == architecture(name).WIDTHS
    assert card.classes == architecture(name).CLASSES
    assert card.limits
    assert card.licence
    kinds = {array.dtype for array in load_file(weights).values()}
    assert kinds <= {np.dtype(np.float16), np.dtype(np.int64)}


@needs_records
@pytest.mark.parametrize("name", [n for n in names() if architecture(n).TASK == "beats"])
def test_a_beat_models_scores_are_those_of_its_card(name: str) -> None:
    ready = shipped(name)
    assert ready is not None
    weights, card = ready
    val = load_dataset(DataRequest(source="mitdb", preprocessing=card.preprocessing)).val
    mine = val.record == "223"
    called = predict(load(weights, card), val.x[mine]).argmax(axis=1)
    found = confusion_matrix(val.y[mine], called, labels=range(3))
    # Another processor may round one beat on the edge otherwise.
    assert np.abs(found - np.array(card.val.records["223"])).sum() <= 4


@needs_records
@pytest.mark.parametrize("name", [n for n in names() if architecture(n).TASK == "records"])
def test_a_record_models_scores_are_those_of_its_card(name: str) -> None:
    ready = shipped(name)
    assert ready is not None
    weights, card = ready
    dataset = load_dataset(
        DataRequest(source="ptbxl", task="records", preprocessing=card.preprocessing)
    )
    found = evaluate(load(weights, card), dataset, "val")
    assert card.val.macro_auroc is not None
    assert found.macro_auroc == pytest.approx(card.val.macro_auroc, abs=1e-3)
