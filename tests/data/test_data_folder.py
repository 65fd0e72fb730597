"""The user's own records: which are found, how they are split, and what bad ones become."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import wfdb
from hypothesis import given, strategies as st
from numpy.typing import NDArray

from edgeecg.data import DataRequest, Dataset, load_dataset, sources
from edgeecg.data.records.listing import record_names
from edgeecg.data.records.paths import inside
from edgeecg.data.sources import _folder
from edgeecg.errors import DataError, SchemaError, UsageError
from edgeecg.schema import Preprocessing, Reference, Rhythm

WriteRecord = Callable[..., Path]


def _load(path: Path, **settings: Any) -> Dataset:
    return load_dataset(DataRequest(source=str(path), **settings))


def _error(path: Path, **settings: Any) -> DataError:
    with pytest.raises(DataError) as caught:
        _load(path, **settings)
    assert str(path) in caught.value.what
    return caught.value


def test_every_record_is_in_one_split_and_no_split_is_empty(five: Path) -> None:
    dataset = _load(five)
    summary = dataset.summary
    parts = (summary.train_records, summary.val_records, summary.test_records)
    assert sorted(sum(parts, ())) == ["a", "b", "c", "d", "e"]
    assert [len(part) for part in parts] == [3, 1, 1]
    assert summary.source == "folder"
    assert summary.beats["train"] == {"N": 3, "S": 3, "V": 3}
    assert set(dataset.test.patient) == set(summary.test_records)
    assert any("split.json" in note for note in summary.notes)


def test_the_split_depends_on_the_names_alone(five: Path, tmp_path: Path) -> None:
    first = _load(five).summary
    moved = five.rename(tmp_path / "elsewhere")
    (moved / "RECORDS").write_text("e\nd\nc\nb\na\n")
    second = _load(moved).summary
    assert first.test_records == second.test_records
    assert first.train_records == second.train_records


def test_a_stated_split_is_kept(five: Path) -> None:
    (five / "split.json").write_text(json.dumps({"train": ["e"], "val": ["a"], "test": ["c"]}))
    summary = _load(five).summary
    assert summary.train_records == ("e",)
    assert summary.test_records == ("c",)
    assert any("2 annotated records are in no split" in note for note in summary.notes)


@pytest.mark.parametrize(
    ("split", "named"),
    [
        ({"train": ["a"], "val": ["b"], "test": ["z"]}, "z"),
        ({"train": ["a"], "val": ["b"], "test": ["a"]}, "more than once: a"),
        ({"train": ["a"], "val": [], "test": ["b"]}, "no records for: val"),
        ({"train": ["../a"], "val": ["b"], "test": ["c"]}, "../a"),
    ],
)
def test_a_stated_split_that_cannot_be(five: Path, split: dict[str, Any], named: str) -> None:
    (five / "split.json").write_text(json.dumps(split))
    assert named in _error(five).why


@pytest.mark.parametrize(
    "text", ["", "[]", '{"train": ["a"]}', '{"train": 1, "val": 2, "test": 3}']
)
def test_a_split_file_that_is_something_else(five: Path, text: str) -> None:
    (five / "split.json").write_text(text)
    with pytest.raises(SchemaError, match=r"split\.json"):
        _load(five)


def test_records_without_annotations_are_counted_and_do_not_train(five: Path) -> None:
    (five / "b.atr").unlink()
    summary = _load(five).summary
    assert summary.skipped[_folder.UNANNOTATED] == 1
    assert "b" not in summary.train_records + summary.val_records + summary.test_records


def test_two_records_cannot_train_but_can_be_scored(write_record: WriteRecord) -> None:
    path = write_record("a")
    write_record("b")
    assert "3 annotated records, and it has 2" in _error(path).why
    dataset = _folder.load_everything(path, DataRequest(), None)
    assert dataset.summary.test_records == ("a", "b")
    assert len(dataset.test.y) == 6
    assert len(dataset.train.y) == len(dataset.val.y) == 0
    assert dataset.train.x.shape == (0, 1, 256)


def test_scoring_counts_beats_outside_the_classes(write_record: WriteRecord) -> None:
    path = write_record("a", symbols=["N", "F", "/"])
    dataset = _folder.load_everything(path, DataRequest(), None)
    assert dataset.test.y.tolist() == [0]
    assert dataset.outside["test"].y.tolist() == [0, 1]
    assert "The test records hold no beat of class S, V." in dataset.summary.notes


def test_nothing_to_score_without_annotations(write_record: WriteRecord) -> None:
    path = write_record("a")
    (path / "a.atr").unlink()
    with pytest.raises(DataError, match="edgeecg classify"):
        _folder.load_everything(path, DataRequest(), None)


def test_a_class_that_a_split_lacks_is_noted_but_no_beats_at_all_is_an_error(five: Path) -> None:
    path = five
    name = _load(path).summary.test_records[0]
    wfdb.wrann(name, "atr", np.array([700, 1100]), symbol=["N", "N"], write_dir=str(path))
    assert "The test records hold no beat of class S, V." in _load(path).summary.notes
    for other in ("a", "b", "c", "d", "e"):
        wfdb.wrann(other, "atr", np.array([700]), symbol=["F"], write_dir=str(path))
    assert "no beat of class N, S, V" in _error(path).why


def test_records_in_folders_that_records_names(write_record: WriteRecord) -> None:
    path = write_record("a")
    (path / "p1").mkdir()
    for suffix in (".hea", ".dat", ".atr"):
        (path / f"a{suffix}").rename(path / "p1" / f"a{suffix}")
    (path / "RECORDS").write_text("p1/a\n\n")
    assert record_names(path) == ("p1/a",)
    dataset = _folder.load_everything(path, DataRequest(), None)
    assert set(dataset.test.record) == {"p1/a"}


@pytest.mark.parametrize("line", ["../a", "/etc/passwd", "p1/../../a", "out/a"])
def test_a_list_of_records_that_leads_out_of_the_folder(
    write_record: WriteRecord, tmp_path: Path, line: str
) -> None:
    path = write_record("a")
    for suffix in (".hea", ".dat", ".atr"):
        (tmp_path / f"a{suffix}").write_bytes((path / f"a{suffix}").read_bytes())
    (path / "out").symlink_to(tmp_path)
    (path / "RECORDS").write_text(f"a\n{line}\n")
    assert "outside the folder" in _error(path).why


@given(st.lists(st.sampled_from(["..", ".", "a", "b", "", "/"]), min_size=1, max_size=6))
def test_no_name_escapes(parts: list[str]) -> None:
    root = Path("/nowhere/records")
    name = "/".join(parts)
    try:
        path = inside(root, name, "RECORDS")
    except DataError:
        return
    assert path.resolve().is_relative_to(root)


def test_records_without_an_index_may_be_in_folders(write_record: WriteRecord) -> None:
    path = write_record("a")
    (path / "p1" / "deep").mkdir(parents=True)
    for suffix in (".hea", ".dat", ".atr"):
        (path / f"a{suffix}").rename(path / "p1" / "deep" / f"a{suffix}")
    assert record_names(path) == ("p1/deep/a",)
    # Records of the folder itself go before those of folders in it.
    write_record("b")
    assert record_names(path) == ("b",)


@pytest.mark.parametrize("line", ["p1/", "p1", "p1/a", "p1/a.hea", "  p1/a.hea  "])
def test_an_index_may_name_folders_and_headers(write_record: WriteRecord, line: str) -> None:
    path = write_record("a")
    (path / "p1").mkdir()
    for suffix in (".hea", ".dat", ".atr"):
        (path / f"a{suffix}").rename(path / "p1" / f"a{suffix}")
    (path / "RECORDS").write_text(f"{line}\n")
    assert record_names(path) == ("p1/a",)
    (path / "p1" / "RECORDS").write_text("a.hea\n")
    assert record_names(path) == ("p1/a",)


def test_links_in_a_circle_come_to_an_end(write_record: WriteRecord) -> None:
    path = write_record("a")
    (path / "again").symlink_to(path)
    (path / "RECORDS").write_text("a\nagain/\n")
    assert record_names(path) == ("a",)


def test_segments_are_no_records(write_record: WriteRecord) -> None:
    path = write_record("a")
    write_record("a_1")
    (path / "a.hea").write_text("# two\na/2 2 360 4000\na_1 2000\na_1 2000\n")
    assert record_names(path) == ("a",)


def test_an_empty_or_missing_folder(tmp_path: Path) -> None:
    assert "no folder" in _message(tmp_path / "none")
    assert "NAME.hea" in _message(tmp_path)


def _message(path: Path) -> str:
    with pytest.raises(DataError) as caught:
        record_names(path)
    return str(caught.value)


def test_whole_records_need_classes(five: Path) -> None:
    assert "ptbxl_database.csv" in _error(five, task="records").why


def test_a_renamed_lead_is_found_through_the_mapping(write_record: WriteRecord) -> None:
    path, *_ = [write_record(name, sig_name=["V5", "ECG II"]) for name in "abc"]
    error = _error(path)
    assert "V5, ECG II" in error.why
    assert "--leads MLII=V5" in error.todo
    assert _load(path, leads={"MLII": "ECG II"}).summary.beats["train"]["N"] == 1


def test_a_pair_of_leads_the_wrong_way_round_is_refused(write_record: WriteRecord) -> None:
    path, *_ = [write_record(name, sig_name=["V5", "ECG II"]) for name in "abc"]
    with pytest.raises(UsageError, match="The model has no lead 'ECG II'") as raised:
        _load(path, leads={"ECG II": "MLII"})
    assert "--leads 'MLII=ECG II'" in raised.value.todo


def test_names_of_leads_are_for_folders_alone() -> None:
    with pytest.raises(UsageError, match="cannot be given for a database"):
        load_dataset(DataRequest(source="synthetic", leads={"MLII": "V1"}))


def test_an_empty_name_is_not_the_present_folder() -> None:
    with pytest.raises(UsageError, match="name of the records is empty"):
        sources.find("")


def test_a_list_of_records_may_begin_with_a_byte_order_mark(five: Path) -> None:
    (five / "RECORDS").write_bytes(b"\xef\xbb\xbfa\r\nb\r\nc\r\nd\r\ne\r\n")
    summary = _load(five).summary
    parts = (summary.train_records, summary.val_records, summary.test_records)
    assert sorted(sum(parts, ())) == ["a", "b", "c", "d", "e"]


def test_another_rate_gives_the_same_windows(tmp_path: Path, write_record: WriteRecord) -> None:
    # A 1 Hz sine as it is sampled at 360 Hz, and at 500 Hz in microvolts in another signal file.
    def sine(fs: int, seconds: int = 12) -> NDArray[np.float64]:
        return np.sin(2 * np.pi * np.arange(fs * seconds) / fs)[:, None]

    path = tmp_path / "rates"
    path.mkdir()
    for name, fs, unit, scale in (("slow", 360, "mV", 1), ("fast", 500, "uV", 1000)):
        wfdb.wrsamp(
            name,
            fs=fs,
            units=[unit],
            sig_name=["MLII"],
            p_signal=scale * sine(fs),
            fmt=["16"],
            adc_gain=[10000 / scale],
            baseline=[0],
            write_dir=str(path),
        )
        wfdb.wrann(name, "atr", np.array([5 * fs, 8 * fs]), symbol=["N", "V"], write_dir=str(path))
    (path / "fast.dat").rename(path / "signal.bin")
    header = path / "fast.hea"
    header.write_text(header.read_text().replace("fast.dat", "signal.bin"))
    x = _folder.load_everything(path, DataRequest(), None).test
    assert x.record.tolist() == ["fast", "fast", "slow", "slow"]
    # The resamplers differ in delay by less than one output sample.
    np.testing.assert_allclose(x.x[0], x.x[2], atol=0.08)


def _digital(samples: int = 4000) -> NDArray[np.int64]:
    ramp = np.arange(samples)
    return np.stack([1024 + ramp % 400, 1024 - ramp % 300], axis=1)


def test_invalid_samples_cost_the_windows_that_see_them(write_record: WriteRecord) -> None:
    whole = write_record("a", digital=_digital(), annotated=[1000, 2000, 3000], symbols=list("NNN"))
    clean = _folder.load_everything(whole, DataRequest(), None).test.x
    digital = _digital()
    digital[1990:1995, 1] = -2048
    holed = write_record("a", digital=digital, annotated=[1000, 2000, 3000], symbols=list("NNN"))
    dataset = _folder.load_everything(holed, DataRequest(), None)
    assert dataset.summary.skipped == {"NaN signal": 1}
    assert dataset.test.sample.tolist() == [1000, 3000]
    assert np.isfinite(dataset.test.x).all()
    # Causal: what came before the hole is as it was.
    np.testing.assert_array_equal(dataset.test.x[0], clean[0])


def test_a_beat_without_a_window_does_not_enter_the_mean_beat(write_record: WriteRecord) -> None:
    digital = _digital()
    digital[1990:1995, 1] = -2048
    request = DataRequest(preprocessing=Preprocessing(r_index=64, reference=Reference()))
    path = write_record("a", digital=digital, annotated=[1000, 2000, 3000], symbols=list("NNN"))
    with_it = _folder.load_everything(path, request, None).test.x
    write_record("a", digital=digital, annotated=[1000, 3000], symbols=list("NN"))
    np.testing.assert_array_equal(with_it, _folder.load_everything(path, request, None).test.x)


def test_a_flat_stretch_costs_its_windows(write_record: WriteRecord) -> None:
    digital = _digital()
    digital[1500:2400, 1] = 1000
    path = write_record("a", digital=digital, annotated=[1000, 2000, 3000], symbols=list("NNN"))
    dataset = _folder.load_everything(path, DataRequest(), None)
    assert dataset.summary.skipped == {"flat signal": 1}
    assert dataset.test.sample.tolist() == [1000, 3000]


@pytest.mark.parametrize(("value", "expected"), [(1000, "0 mV"), (-2048, "marked invalid")])
def test_a_flat_lead_is_named_with_its_record(
    write_record: WriteRecord, value: int, expected: str
) -> None:
    digital = _digital()
    digital[:, 1] = value
    path = write_record("a", digital=digital)
    with pytest.raises(DataError, match=r"Lead MLII of record a .* is flat") as caught:
        _folder.load_everything(path, DataRequest(), None)
    assert expected in caught.value.why


def test_a_record_shorter_than_one_window_is_counted(write_record: WriteRecord) -> None:
    path = write_record("a")
    write_record("b", digital=_digital(250), annotated=[150], symbols=["N"])
    dataset = _folder.load_everything(path, DataRequest(), None)
    assert dataset.summary.skipped == {"record shorter than one window": 1}
    assert set(dataset.test.record) == {"a"}


def test_a_symbol_that_wfdb_does_not_know_is_counted(write_record: WriteRecord) -> None:
    path = write_record("a", annotated=[700, 1100, 1500], symbols=["N", "B", "V"])
    words = np.frombuffer((path / "a.atr").read_bytes(), "<u2").copy()
    last = [i for i, word in enumerate(words) if word >> 10 == 5][-1]  # 5 is the code of V
    words[last] = 45 << 10 | (words[last] & 1023)  # and 45 is nobody's
    (path / "a.atr").write_bytes(words.tobytes())
    dataset = _folder.load_everything(path, DataRequest(), None)
    assert dataset.summary.skipped == {"unmapped": 2}


def test_a_beat_that_is_there_twice_has_no_rhythm(write_record: WriteRecord) -> None:
    path = write_record("a", annotated=[700, 700, 1500])
    preprocessing = Preprocessing(rhythm=Rhythm())
    with pytest.raises(DataError, match="sample 700"):
        _folder.load_everything(path, DataRequest(preprocessing=preprocessing), None)


def test_the_cache_knows_a_changed_signal_file(write_record: WriteRecord) -> None:
    path = write_record("a")
    before = _folder.load_everything(path, DataRequest(), None)
    again = _folder.load_everything(path, DataRequest(), None)
    np.testing.assert_array_equal(before.test.x, again.test.x)
    write_record("a", digital=_digital())
    assert (
        _folder.load_everything(path, DataRequest(), None).summary.content_sha256
        != before.summary.content_sha256
    )
