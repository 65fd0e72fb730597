"""Strips of the record around beats that the compressed model classifies otherwise."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import wfdb
from numpy.typing import NDArray

from edgeecg.exporters._probe import ProbeOrigin, ProbeSet
from edgeecg.exporters._strips import with_strips
from edgeecg.schema import ModelCard

FS_HZ = 250


def write_record(folder: Path, name: str, millivolts: NDArray[np.float64]) -> None:
    wfdb.wrsamp(
        name, fs=FS_HZ, units=["mV"], sig_name=["II"], p_signal=millivolts[:, None], fmt=["16"],
        write_dir=str(folder),
    )  # fmt: skip


def card_of(card: ModelCard, folder: Path) -> ModelCard:
    """Return a card of a model of the records in a folder, whose lead II stands for MLII."""
    training = card.training.model_copy(update={"data": str(folder), "leads": {"MLII": "II"}})
    return card.model_copy(update={"training": training})


def probes(*samples: int) -> tuple[ProbeSet, ProbeSet]:
    """Return windows, of which all but the first change, the last one with the largest margin."""
    n = len(samples)
    names = np.array(["r"] * n)
    origin = ProbeOrigin(names, names, np.array(samples), np.zeros(n, np.int64))
    dense, kept = np.zeros((n, 2), np.float32), np.zeros((n, 2), np.float32)
    dense[:, 0] = 1
    kept[0, 0] = 1
    kept[1:, 1] = 1 + np.arange(n - 1)
    x = np.zeros((n, 1, 8), np.float32)
    return ProbeSet(x, dense, origin=origin), ProbeSet(x, kept, origin=origin)


def test_strips_are_the_record_in_microvolts_around_the_peak(
    tmp_path: Path, model_card: ModelCard
) -> None:
    millivolts = np.sin(np.arange(5000) / 50)
    write_record(tmp_path, "r", millivolts)
    dense, kept = probes(2000, 500, 3000)
    found = with_strips(kept, dense, card_of(model_card, tmp_path)).strips
    assert found is not None
    # The surest change first; 4 s before to 4 s after the peak, less at the start of the record.
    assert found.window.tolist() == [2, 1]
    assert found.start.tolist() == [2000, 0]
    assert found.length.tolist() == [2001, 1501]
    assert found.fs_hz.tolist() == [FS_HZ, FS_HZ]
    expected = 1e3 * millivolts[2000:4001]
    assert np.abs(found.microvolts[0] - expected).max() < 1
    assert not found.microvolts[1, 1501:].any()


def test_strips_are_stored_with_the_probe_set(tmp_path: Path, model_card: ModelCard) -> None:
    write_record(tmp_path, "r", np.sin(np.arange(5000) / 50))
    dense, kept = probes(2000, 2500)
    content = with_strips(kept, dense, card_of(model_card, tmp_path)).to_npz()
    with np.load(io.BytesIO(content), allow_pickle=False) as read:
        assert read["strip_window"].tolist() == [1]
        assert read["strip_microvolts"].dtype == np.int16


def test_without_the_records_there_are_no_strips(tmp_path: Path, model_card: ModelCard) -> None:
    dense, kept = probes(2000, 2500)
    assert with_strips(kept, dense, card_of(model_card, tmp_path / "gone")).strips is None


def test_where_no_class_changed_there_are_no_strips(tmp_path: Path, model_card: ModelCard) -> None:
    dense, _ = probes(2000, 2500)
    assert with_strips(dense, dense, card_of(model_card, tmp_path / "gone")) is dense
