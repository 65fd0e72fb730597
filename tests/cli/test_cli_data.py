"""``edgeecg data``: what it asks, what it says, and the files it leaves."""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Iterator
from pathlib import Path

import challenge_records
import pytest
import wfdb

from edgeecg.cli import data as data_command, run
from edgeecg.data import download
from edgeecg.data.sources import _synthetic_beats

CONTENT = {"100.hea": b"header", "100.dat": b"signal", "100.atr": b"beats"}


@pytest.fixture(autouse=True)
def _elsewhere(  # pyright: ignore[reportUnusedFunction]
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("EDGEECG_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("EDGEECG_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def mine(tmp_path: Path) -> Path:
    """Three synthetic records of a minute."""
    path = tmp_path / "mine"
    path.mkdir()
    _synthetic_beats.generate(path, seed=5, names=("a", "b", "c"), duration_s=60)
    return path


@pytest.fixture
def served(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """A server that is a function; gives the names it was asked for."""
    asked: list[str] = []

    def get(url: str) -> Iterator[bytes]:
        name = url.rsplit("/", 1)[1]
        asked.append(name)
        sums = "".join(f"{hashlib.sha256(c).hexdigest()}  {n}\n" for n, c in CONTENT.items())
        yield sums.encode() if name == download.SUMS else CONTENT[name]

    monkeypatch.setattr(download, "over_http", lambda: get)
    return asked


def test_fetch_says_how_much_asks_and_takes_no_for_an_answer(
    served: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    asked: list[str] = []

    def no(question: str, **_: object) -> bool:
        asked.append(question)
        return False

    monkeypatch.setattr("typer.confirm", no)
    assert run(["data", "fetch", "mitdb"]) == 0
    assert "3 files, about 2 MB" in asked[0]
    shown = capsys.readouterr().out
    assert "ODC-By 1.0" in shown
    assert "Nothing was downloaded" in shown
    assert served == [download.SUMS]
    assert not Path("data").exists()


def test_fetch_downloads_once(served: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["data", "fetch", "mitdb", "--yes"]) == 0
    assert {path.name for path in Path("data/mitdb").iterdir()} == {*CONTENT, download.SUMS}
    served.clear()
    assert run(["data", "fetch", "mitdb"]) == 0
    assert served == [download.SUMS]
    assert "Next: edgeecg data info mitdb" in capsys.readouterr().out


def test_info_of_a_folder(mine: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (mine / "c.atr").unlink()
    assert run(["data", "info", str(mine), "--json", "-"]) == 0
    captured = capsys.readouterr()
    found = json.loads(captured.out)
    assert (found["records"], found["annotated"]) == (3, 2)
    assert found["leads"] == {"MLII": 3, "V1": 3}
    assert found["rates_hz"] == {"360": 3}
    assert found["hours"] == pytest.approx(3 / 60)
    assert found["summary"]["skipped"]["record without annotations"] == 1
    assert found["summary"]["test_records"] == ["a", "b"]
    assert "Left out: " in captured.err
    assert f"Next: edgeecg classify MODEL --data {mine}" in captured.err


def test_info_of_records_that_cannot_train_says_why(
    mine: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for header in mine.glob("*.hea"):
        header.write_text(header.read_text().replace("MLII", "II"))
    assert run(["data", "info", str(mine)]) == 0
    assert "--leads MLII=II" in capsys.readouterr().out
    assert run(["data", "info", str(mine), "--leads", "MLII=II"]) == 0
    assert "beats by class" in capsys.readouterr().out


def test_info_lists_what_would_be_left_out(mine: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (mine / "b.hea").write_text("no header\n")
    (mine / "RECORDS").write_text("a\nb\nc\nnobody\n")
    assert run(["data", "info", str(mine), "--json", "-"]) == 0
    captured = capsys.readouterr()
    found = json.loads(captured.out)
    assert (found["records"], found["annotated"]) == (4, 2)
    assert set(found["left_out"]) == {"b", "nobody"}
    assert found["summary"]["skipped"]["record that cannot be used"] == 2
    assert found["summary"]["test_records"] == ["a", "c"]
    assert captured.err.count("Left out: ") == 3
    assert "there is no 'nobody.hea'" in captured.err
    assert "Training: not possible" in captured.err


def test_info_without_a_readable_record_is_an_error(
    mine: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for header in mine.glob("*.hea"):
        header.write_text("no header\n")
    assert run(["data", "info", str(mine)]) == 1
    assert "Record a" in capsys.readouterr().err


def test_info_of_a_challenge_folder_names_the_models_that_fit(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, codes in (("a", "426783006"), ("b", "59118001"), ("c", "427084000")):
        challenge_records.write(tmp_path / "ch", name, codes)
    assert run(["data", "info", "ch"]) == 0
    shown = capsys.readouterr().out
    assert "Length: 30.0 seconds" in shown
    assert "Models: conv_transformer, resnet1d_se_attn (12-lead records)" in shown
    assert "(beats, with --leads MLII=II)" in shown
    assert "427084000 (1)" in shown
    assert "no superclass (1)" in shown
    for header in Path("ch").glob("*.hea"):
        header.write_text(header.read_text().replace("#Dx:", "#Rx:"))
    assert run(["data", "info", "ch"]) == 0
    shown = capsys.readouterr().out
    assert "Length: 30.0 seconds" in shown
    assert "resnet1d_se_attn (12-lead records)" in shown


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [(10, "10.0 seconds"), (300, "5.0 minutes"), (86_400, "24.0 hours"), (119, "119.0 seconds")],
)
def test_a_length_has_the_unit_that_suits_it(seconds: float, expected: str) -> None:
    assert data_command.length_text(seconds) == expected


@pytest.mark.parametrize("name", ["mitdb", "ptbxl", "nstdb"])
def test_info_of_a_database_that_is_not_here(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["data", "info", name]) == 1
    assert f"edgeecg data fetch {name}" in capsys.readouterr().err


def test_info_of_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["data", "info", "mitbd"]) == 2
    assert "Did you mean 'mitdb'?" in capsys.readouterr().err


def test_show_draws_a_picture(mine: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["data", "show", "b", "--data", str(mine), "--start", "5", "--seconds", "2"]) == 0
    assert Path("b.png").read_bytes()[:4] == b"\x89PNG"
    assert "Picture: b.png" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("options", "status", "shown"),
    [
        (["--lead", "V9"], 1, "MLII, V1"),
        (["--start", "61"], 2, "60 s long"),
        (["--out", "x.doc"], 2, "png, svg, pdf"),
    ],
)
def test_what_cannot_be_drawn(
    mine: Path,
    options: list[str],
    status: int,
    shown: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert run(["data", "show", "a", "--data", str(mine), *options]) == status
    assert shown in capsys.readouterr().err
    assert not list(Path.cwd().glob("*.png"))


def test_a_record_that_is_not_there(mine: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["data", "show", "zz", "--data", str(mine)]) == 1
    assert "no record 'zz'" in capsys.readouterr().err
    assert run(["data", "show", "../mine/a", "--data", str(mine)]) == 1
    assert "outside" in capsys.readouterr().err


def test_a_header_names_the_leads_of_twelve(mine: Path) -> None:
    import numpy as np

    names = ["I", "II", "III", "AVR", "AVL", "AVF", "V1", "V2", "V3", "V4", "V5", "V6"]
    time = np.arange(1000) / 100
    wfdb.wrsamp(
        "twelve",
        fs=100,
        units=["mV"] * 12,
        sig_name=names,
        p_signal=np.stack([np.sin(time + i) for i in range(12)], axis=1),
        fmt=["16"] * 12,
        write_dir=str(mine),
    )
    assert run(["data", "show", "twelve", "--data", str(mine), "--out", "t.png"]) == 0
    assert Path("t.png").is_file()


def test_without_anybody_to_ask_fetch_says_how_to_agree(
    served: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO())
    assert run(["data", "fetch", "mitdb", "--folder", "my data", "--json", "-"]) == 2
    captured = capsys.readouterr()
    assert "edgeecg data fetch mitdb --folder 'my data' --yes" in captured.err
    assert run(["data", "fetch", "mitdb", "--rate", "500"]) == 2
    assert "edgeecg data fetch mitdb --rate 500 --yes" in capsys.readouterr().err
    assert not captured.out.strip()
    assert served == [download.SUMS, download.SUMS]


def test_a_misspelt_folder_is_not_called_a_database(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["data", "info", "my-records"]) == 2
    assert "no database or folder named 'my-records'" in capsys.readouterr().err
    assert run(["data", "fetch", "synthetic"]) == 2
    assert "The known ones are: mitdb, nstdb, ptbxl." in capsys.readouterr().err


def test_a_record_that_is_left_out_is_named_with_the_folder_it_is_in(
    mine: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (mine / "c.dat").write_bytes(b"short")
    assert run(["data", "info", str(mine)]) == 0
    assert f"Record c in '{mine}'" in capsys.readouterr().out
    moved = mine.rename(tmp_path / "moved")
    # The windows come from the cache now, since the records have the same content.
    assert run(["data", "info", str(moved)]) == 0
    shown = capsys.readouterr().out
    assert f"Record c in '{moved}'" in shown
    assert str(mine) not in shown


def test_a_rate_too_low_for_an_ecg_is_refused(
    mine: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    header = mine / "c.hea"
    header.write_text(header.read_text().replace(" 360 ", " 20 ", 1))
    assert run(["data", "info", str(mine)]) == 0
    assert "A record sampled at 20 Hz cannot be classified." in capsys.readouterr().out


def test_a_folder_of_another_format_says_what_to_do(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "edf").mkdir()
    (tmp_path / "edf/night.edf").write_bytes(b"0")
    assert run(["data", "info", "edf/"]) == 1
    assert "EDF or CSV" in capsys.readouterr().err
