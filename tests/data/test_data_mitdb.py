"""Where real records are looked for, and the error when they are not there."""

from __future__ import annotations

from pathlib import Path

import pytest

from edgeecg.data import DataRequest, load_dataset
from edgeecg.data.locations import locate
from edgeecg.data.sources import mitdb
from edgeecg.errors import DataError


def test_the_variable_decides_even_when_its_folder_is_missing(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("EDGEECG_DATA", str(tmp_path / "nowhere"))
    assert locate("mitdb") == tmp_path / "nowhere" / "mitdb"


def test_without_the_variable_the_users_data_folder_counts_if_it_is_there(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv("EDGEECG_DATA", raising=False)
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    assert locate("mitdb") is None
    (tmp_path / "edgeecg" / "mitdb").mkdir(parents=True)
    assert locate("mitdb") == tmp_path / "edgeecg" / "mitdb"


def test_a_missing_folder_says_where_and_how_to_get_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("EDGEECG_DATA", str(tmp_path))
    with pytest.raises(DataError) as caught:
        load_dataset()
    assert str(tmp_path / "mitdb") in caught.value.why
    assert "edgeecg data fetch mitdb" in caught.value.todo
    assert "unset EDGEECG_DATA" in caught.value.todo


def test_missing_files_are_counted_and_the_first_ones_named(tmp_path: Path) -> None:
    (tmp_path / "100.hea").touch()
    (tmp_path / "100.dat").touch()
    with pytest.raises(DataError) as caught:
        mitdb.check_complete(tmp_path, ("100", "101", "103"))
    assert "7 of 9 files are missing: 100.atr, 101.hea, 101.dat, ..." in caught.value.why


def test_real_records_asked_for_by_name_are_not_replaced_by_synthetic_ones(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv("EDGEECG_DATA", raising=False)
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    with pytest.raises(DataError, match="not found") as caught:
        load_dataset(DataRequest(source="mitdb"))
    assert "unset" not in caught.value.todo
