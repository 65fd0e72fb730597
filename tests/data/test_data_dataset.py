"""``load_dataset`` on real and synthetic records, with counts that can be checked elsewhere."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from edgeecg.data import DataRequest, Dataset, load_dataset
from edgeecg.data.sources import _synthetic_beats
from edgeecg.data.windows import annotated
from edgeecg.data.windows.annotated import RecordSet
from edgeecg.data.windows.split import RecordSplit
from edgeecg.errors import DataError, UnknownNameError
from edgeecg.schema import DataSummary, Preprocessing, Reference, Rhythm, Split

WriteRecord = Callable[..., Path]
REAL = os.environ.get("EDGEECG_DATA")


@pytest.fixture
def small_set(tmp_path: Path) -> RecordSet:
    """Three synthetic patients of a minute each, one for each part."""
    folder = tmp_path / "small"
    folder.mkdir()
    names = ("s100", "s104", "s108")
    _synthetic_beats.generate(folder, names=names, duration_s=60)
    return RecordSet("synthetic", folder, RecordSplit(*((name,) for name in names)), "none")


def load(found: RecordSet, request: DataRequest | None = None) -> Dataset:
    return annotated.load(found, request or DataRequest(), None)


def test_first_from_the_records_then_from_the_cache(small_set: RecordSet) -> None:
    read: list[tuple[int, int]] = []
    first, second = (
        annotated.load(small_set, DataRequest(), lambda done, of: read.append((done, of)))
        for _ in range(2)
    )
    assert read == [(1, 3), (2, 3), (3, 3)]
    assert second.summary == first.summary
    splits: tuple[Split, ...] = ("train", "val", "test")
    pairs = [(first.split(part), second.split(part)) for part in splits]
    scored: tuple[Split, ...] = ("val", "test")
    pairs += [(first.outside[part], second.outside[part]) for part in scored]
    for one, two in pairs:
        for field in ("x", "y", "record", "patient", "sample"):
            np.testing.assert_array_equal(getattr(two, field), getattr(one, field))


def test_every_beat_is_in_a_class_or_counted_as_skipped(small_set: RecordSet) -> None:
    from edgeecg.data.records.reader import read

    made = load(small_set)
    kept = sum(sum(counts.values()) for counts in made.summary.beats.values())
    symbols = [read(small_set.folder, r, ("MLII",)).symbols for r in ("s100", "s104", "s108")]
    assert kept + sum(made.summary.skipped.values()) == sum(map(len, symbols))
    assert made.summary.skipped["edge"] >= 1


def test_beats_outside_the_classes_are_at_hand_for_ec57(small_set: RecordSet) -> None:
    from edgeecg.data.records.reader import read

    made = load(small_set)
    assert set(made.outside) == {"val", "test"}
    scored: tuple[tuple[Split, str], ...] = (("val", "s104"), ("test", "s108"))
    for part, name in scored:
        symbols = read(small_set.folder, name, ("MLII",)).symbols
        found = made.outside[part]
        fusion, paced = (sum(s in group for s in symbols) for group in ("F", "Q/f"))
        # All but those near the record's ends.
        assert 0 <= fusion - int((found.y == 0).sum()) <= 2
        assert 0 <= paced - int((found.y == 1).sum()) <= 2
        assert set(found.record.tolist()) <= {name}


def test_another_preprocessing_or_map_is_another_content(small_set: RecordSet) -> None:
    one = load(small_set)
    two = load(
        small_set, DataRequest(preprocessing=Preprocessing(fs_hz=180, window=128, r_index=64))
    )
    three = load(small_set, DataRequest(class_map="ec57"))
    assert two.train.x.shape[1:] == (1, 128)
    assert len({made.summary.content_sha256 for made in (one, two, three)}) == 3


def test_a_changed_record_is_noticed_although_the_windows_are_cached(
    small_set: RecordSet,
) -> None:
    load(small_set)
    path = small_set.folder / "s104.dat"
    data = bytearray(path.read_bytes())
    data[100] ^= 4
    path.write_bytes(data)
    with pytest.raises(DataError, match=r"s104.*checksum"):
        load(small_set)


PLAIN = Preprocessing(rhythm=None, reference=None, r_index=160)


def test_two_leads_become_two_rows(small_set: RecordSet) -> None:
    both = PLAIN.model_copy(update={"leads": ("MLII", "V1")})
    made = load(small_set, DataRequest(preprocessing=both))
    assert made.train.x.shape[1:] == (2, 256)
    one = load(small_set, DataRequest(preprocessing=PLAIN))
    np.testing.assert_array_equal(made.train.x[:, :1], one.train.x)


def test_a_window_has_its_parts_in_order(small_set: RecordSet) -> None:
    whole = Preprocessing(rhythm=Rhythm(beats=8, hold=4), reference=Reference(), r_index=82)
    made = load(small_set, DataRequest(preprocessing=whole))
    strip, signal, difference = np.split(made.train.x[:, 0], [32, 144], axis=1)
    short = PLAIN.model_copy(update={"window": 112, "r_index": 50})
    plain = load(small_set, DataRequest(preprocessing=short))
    np.testing.assert_allclose(signal, plain.train.x[:, 0], atol=1e-6)
    assert np.array_equal(strip[:, ::4], strip[:, 3::4])
    # A beat differs from the patient's mean beat by less than it differs from nothing.
    normal = made.train.y == 0
    assert np.median(difference[normal].std(axis=1)) < 0.5 < signal[normal].std()


def test_records_without_a_class_cannot_train(write_record: WriteRecord) -> None:
    for name in ("1", "2", "3"):
        folder = write_record(name, symbols=["N", "A", "F"])
    found = RecordSet("mitdb", folder, RecordSplit(("1",), ("2",), ("3",)), "none")
    short = PLAIN.model_copy(update={"window": 64, "r_index": 32})
    with pytest.raises(DataError, match="no beat of class"):
        load(found, DataRequest(preprocessing=short))


def test_a_database_of_records_is_not_one_of_beats() -> None:
    with pytest.raises(DataError, match="has classes for records"):
        load_dataset(DataRequest(source="ptbxl", task="beats"))


def test_a_database_nobody_knows_is_refused_by_name() -> None:
    with pytest.raises(UnknownNameError, match="Did you mean 'mitdb'"):
        load_dataset(DataRequest(source="mitbd"))


def test_the_builtin_records_train_every_class_and_say_that_they_are_synthetic() -> None:
    made = load_dataset(DataRequest(source="synthetic"))
    summary = made.summary
    assert summary.source == "synthetic"
    assert "McSharry" in summary.licence
    assert any("synthetic" in note for note in summary.notes)
    assert DataSummary.from_json(summary.to_json(), "summary") == summary
    for part in ("train", "val", "test"):
        beats = getattr(made, part)
        assert min(summary.beats[part].values()) >= 100
        assert np.bincount(beats.y).tolist() == list(summary.beats[part].values())
        assert beats.x.dtype == np.float32
        assert np.isfinite(beats.x).all()
    total = sum(len(getattr(made, part).y) for part in ("train", "val", "test"))
    assert 9_000 <= total <= 12_000
    _check_no_common_record(made)


def _check_no_common_record(made: Dataset) -> None:
    train, val, test = (set(b.record.tolist()) for b in (made.train, made.val, made.test))
    assert not train & val
    assert not train & test
    assert not val & test
    assert train == set(made.summary.train_records)
    assert val == set(made.summary.val_records)
    assert test == set(made.summary.test_records)


def test_importing_the_package_brings_neither_torch_nor_wfdb_nor_scipy() -> None:
    script = (
        "import sys, edgeecg.data; "
        "print([m for m in ('torch', 'wfdb', 'scipy', 'pandas') if m in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout.strip() == "[]"


@pytest.mark.skipif(not REAL, reason="EDGEECG_DATA does not name the real records")
def test_real_records_have_the_published_counts() -> None:
    made = load_dataset(DataRequest(source="mitdb", preprocessing=PLAIN))
    _check_no_common_record(made)
    summary = made.summary
    edge = summary.skipped["edge"]
    # Counts of the literature for DS1 and DS2, less the beats at the records' ends.
    published = {"N": (45_866, 44_259), "S": (944, 1_837), "V": (3_788, 3_221)}
    lost = 0
    for name, (ds1, ds2) in published.items():
        fitted = summary.beats["train"][name] + summary.beats["val"][name]
        lost += ds1 - fitted + ds2 - summary.beats["test"][name]
        assert fitted <= ds1
        assert summary.beats["test"][name] <= ds2
    assert lost == edge
    assert edge <= 4 * 44
    assert summary.skipped["F"] == 415 + 388
    assert summary.skipped["Q"] == 8 + 7
    assert "unmapped" not in summary.skipped
    assert summary.beats["train"]["S"] >= 0.6 * 944
    # The R peak is where the window says: the steepest wave of a normal beat is near r_index.
    x = made.test.x[(made.test.record == "100") & (made.test.y == 0), 0]
    assert np.mean(np.abs(x[:, 140:180].argmax(axis=1) + 140 - 160) <= 1) > 0.98
