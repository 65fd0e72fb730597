"""PTB-XL: what is wrong in a folder or a request is named, never a crash or a wrong number."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from ptbxl_copies import base, digital_of, error_of, load, rewrite, set_cell

from edgeecg.data.sources import ptbxl
from edgeecg.errors import DataError


@pytest.mark.parametrize(
    ("changes", "word"),
    [({"fs_hz": 250.0}, "100 Hz and 500 Hz"), ({"r_index": 160}, "r_index")],
)
def test_settings_that_cannot_be_met(folder: Path, changes: dict[str, Any], word: str) -> None:
    wanted = ptbxl.preprocessing().model_copy(update=changes)
    with pytest.raises(DataError) as caught:
        load(folder, preprocessing=wanted)
    assert word in str(caught.value)


def test_a_missing_lead_is_named_with_its_record(folder: Path) -> None:
    rewrite(folder, 7, digital_of(folder, 7)[:, :11])
    why = error_of(folder)
    assert "Record 00007_lr" in why
    assert "no lead V6" in why


@pytest.mark.parametrize(
    "cell",
    [
        "",
        "NORM",
        "{'NORM': 100.0",
        "{'NORM'}",
        "{'NORM': '100'}",
        "{'NORM': True}",
        "{'NORM': -1}",
        "{'NORM': 1e999}",
        "{1: 100.0}",
        "[('NORM', 100.0)]",
        "__import__('os').system('true')",
        "{'NORM': 100.0 if True else 0}",
        "(" * 5000,
    ],
)
def test_a_cell_that_does_not_parse_names_its_row(folder: Path, cell: str) -> None:
    set_cell(folder, 17, "scp_codes", cell)
    why = error_of(folder)
    assert "row of 17" in why
    assert "scp_codes" in why


def test_code_in_a_cell_does_not_run(folder: Path, tmp_path: Path) -> None:
    trap = tmp_path / "trap"
    set_cell(folder, 17, "scp_codes", f"{{'NORM': open({str(trap)!r}, 'w').close()}}")
    assert "row of 17" in error_of(folder)
    assert not trap.exists()


def test_an_unknown_statement_is_named(folder: Path) -> None:
    set_cell(folder, 17, "scp_codes", "{'NORM': 100.0, 'XYZ': 0.0}")
    assert "'XYZ' is not in scp_statements.csv" in error_of(folder)


def test_an_unknown_superclass_is_named(folder: Path) -> None:
    path = folder / "scp_statements.csv"
    path.write_text(path.read_text().replace(",MI,AMI,", ",OTHER,AMI,"))
    why = error_of(folder)
    assert "row of AMI" in why
    assert "'OTHER'" in why


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("strat_fold", "11"),
        ("strat_fold", "0"),
        ("strat_fold", "1.5"),
        ("strat_fold", ""),
        ("patient_id", "nan"),
        ("patient_id", "-4"),
        ("filename_lr", ""),
        ("filename_lr", "/etc/passwd"),
        ("filename_lr", "../ptbxl/records100/00000/00017_lr"),
        ("filename_lr", "records100/../../ptbxl/records100/00000/00017_lr"),
        ("filename_lr", "..\\ptbxl\\00017_lr"),
    ],
)
def test_a_wrong_cell_names_row_and_column(folder: Path, column: str, value: str) -> None:
    set_cell(folder, 17, column, value)
    why = error_of(folder)
    assert "row of 17" in why
    assert column in why


def test_a_patient_in_two_splits_is_named_with_the_folds(folder: Path) -> None:
    set_cell(folder, 10, "patient_id", "777.0")
    set_cell(folder, 11, "patient_id", "777.0")
    why = error_of(folder)
    assert "Patient 777" in why
    assert "folds 10 and 1" in why


@pytest.mark.parametrize("column", ["ecg_id", "filename_lr"])
def test_the_same_record_twice_is_refused(folder: Path, column: str) -> None:
    value = {"ecg_id": "16", "filename_lr": "records100/./00000/00016_lr"}[column]
    set_cell(folder, 17, column, value)
    assert "2 times" in error_of(folder)


@pytest.mark.parametrize("column", ["scp_codes", "strat_fold", "filename_lr", "patient_id"])
def test_a_missing_column_is_named(folder: Path, column: str) -> None:
    path = folder / "ptbxl_database.csv"
    pd.read_csv(path).drop(columns=column).to_csv(path, index=False)
    assert f"no column {column}" in error_of(folder)


@pytest.mark.parametrize("name", ["ptbxl_database.csv", "scp_statements.csv"])
def test_a_table_that_is_missing_or_something_else(folder: Path, name: str) -> None:
    (folder / name).write_bytes(b"\xff\xfe\x00binary")
    assert name in error_of(folder)
    (folder / name).write_bytes(b"")
    assert name in error_of(folder)
    (folder / name).unlink()
    assert f"no file '{folder / name}'" in error_of(folder)


def test_missing_record_files_are_counted_and_the_first_named(folder: Path) -> None:
    base(folder, 5).with_suffix(".dat").unlink()
    base(folder, 9).with_suffix(".hea").unlink()
    why = error_of(folder)
    assert "2 of 100 files" in why
    assert "records100/00000/00005_lr.dat" in why


@pytest.mark.parametrize("what", ["file", "folder"])
def test_a_link_out_of_the_folder_is_refused(folder: Path, tmp_path: Path, what: str) -> None:
    path = base(folder, 5).with_suffix(".dat")
    path = path if what == "file" else path.parent
    path.rename(tmp_path / "elsewhere")
    path.symlink_to(tmp_path / "elsewhere")
    assert "link out of the folder" in error_of(folder)


def test_a_split_without_a_class_is_named(folder: Path) -> None:
    for ecg_id in range(9, 51, 10):
        set_cell(folder, ecg_id, "scp_codes", "{'NORM': 100.0}")
    why = error_of(folder)
    assert "val records" in why
    assert "MI, STTC, CD, HYP" in why


def test_a_truncated_or_changed_signal_is_named(folder: Path) -> None:
    path = base(folder, 5).with_suffix(".dat")
    whole = path.read_bytes()
    path.write_bytes(whole[:-2])
    assert "24000 bytes by its header, and holds 23998" in error_of(folder)
    path.write_bytes(whole[:4802] + bytes([whole[4802] ^ 4]) + whole[4803:])
    # Byte 4802 is sample 2401, which frames of twelve put into the second lead.
    assert "checksum of lead II" in error_of(folder)
