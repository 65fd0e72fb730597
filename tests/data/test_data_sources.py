"""Every source of records, those of other packages included: one contract for all."""

from __future__ import annotations

import re
import sys
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest

from edgeecg import plugins
from edgeecg.cli import run
from edgeecg.data import DataRequest, load_dataset, sources
from edgeecg.data.sources import _folder, _synthetic_beats
from edgeecg.errors import DataError, PluginError, UnknownNameError
from edgeecg.schema import DataSummary

PLUGIN = '''
"""Three generated patients, as another package would offer them."""

import os
from pathlib import Path

from edgeecg.data.sources import _synthetic_beats
from edgeecg.data.windows import annotated
from edgeecg.data.windows.split import RecordSplit

TITLE = "three patients"
TASKS = ("beats",)
DEFAULT_FOR = ()
LICENCE = "none"
NOTES = ("Made for a test.",)
REMARKS = {"s104": "Many premature beats."}
DOWNLOAD = None


def folder():
    path = Path(os.environ["THREE_PATIENTS"])
    if not path.is_dir():
        path.mkdir()
        _synthetic_beats.generate(path, names=("s100", "s104", "s108"), duration_s=60)
    return path


def load(request, on_record):
    split = RecordSplit(("s100",), ("s104",), ("s108",), NOTES)
    found = annotated.RecordSet("three", folder(), split, LICENCE)
    return annotated.load(found, request, on_record)
'''


@pytest.fixture
def plugin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two sources of another package: one works, one cannot be imported."""
    (tmp_path / "three_patients.py").write_text(PLUGIN)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setenv("THREE_PATIENTS", str(tmp_path / "three"))
    found = [
        EntryPoint("aaa_broken", "no_such_module", "edgeecg.data.sources"),
        EntryPoint("three", "three_patients", "edgeecg.data.sources"),
    ]

    def entry_points_of(group: str) -> list[EntryPoint]:
        return [point for point in found if point.group == group]

    monkeypatch.setattr(plugins, "entry_points_of", entry_points_of)
    monkeypatch.delitem(sys.modules, "three_patients", raising=False)


@pytest.mark.parametrize("name", sources.names())
def test_every_source_says_what_it_is(name: str) -> None:
    source = sources.find(name)
    assert source.TITLE
    assert source.LICENCE
    assert set(source.DEFAULT_FOR) <= set(source.TASKS) <= {"beats", "records"}
    assert all(note.endswith(".") for note in (*source.NOTES, *source.REMARKS.values()))
    assert source.TASKS or source.NOTES, "without a task it has to say what it is for"
    if source.DOWNLOAD is not None:
        patterns = (source.DOWNLOAD.wanted, *source.DOWNLOAD.at_rate.values())
        assert all(re.compile(pattern) for pattern in patterns)
        assert source.DOWNLOAD.url.endswith("/")
        assert source.DOWNLOAD.sizes[-1][0] == "", "a size for every other file"


def test_sources_are_told_apart_by_their_titles() -> None:
    titles = [sources.find(name).TITLE for name in sources.names()]
    assert len(set(titles)) == len(titles)


@pytest.mark.parametrize("name", sources.names())
def test_a_source_is_loaded_or_says_how_to_get_it(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EDGEECG_DATA", str(tmp_path / "nowhere"))
    source = sources.find(name)
    if source.DOWNLOAD is not None:
        with pytest.raises(DataError, match=f"edgeecg data fetch {name}"):
            source.folder()
    for task in source.TASKS:
        request = DataRequest(source=name, task=task)
        if source.DOWNLOAD is None:
            summary = load_dataset(request).summary
            assert summary.source == name
            assert set(source.NOTES) <= set(summary.notes)
            assert source.folder().is_dir()
        else:
            with pytest.raises(DataError, match=f"edgeecg data fetch {name}"):
                load_dataset(request)


@pytest.mark.parametrize("task", ["beats", "records"])
def test_each_task_has_one_default_and_synthetic_records_without_it(
    task: sources.Task, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = {"beats": "mitdb", "records": "ptbxl"}[task]
    monkeypatch.setenv("EDGEECG_DATA", str(tmp_path))
    assert sources.default(task) == own
    monkeypatch.delenv("EDGEECG_DATA")
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    assert sources.default(task) == "synthetic"
    (tmp_path / "edgeecg" / own).mkdir(parents=True)
    assert sources.default(task) == own


def test_recorded_noise_is_no_data_set() -> None:
    with pytest.raises(DataError, match="classes for nothing"):
        load_dataset(DataRequest(source="nstdb"))


def test_a_folder_is_a_source_like_the_others(tmp_path: Path) -> None:
    _synthetic_beats.generate(tmp_path, names=("a", "b", "c"), duration_s=60)
    source: sources.Source = _folder.Folder(tmp_path)
    assert sources.find(str(tmp_path)) == source
    assert source.folder() == tmp_path
    assert source.load(DataRequest(), None).summary.source == "folder"
    assert source.load(DataRequest(score_only=True), None).summary.train_records == ()
    assert sources.title("folder") == source.TITLE
    with pytest.raises(DataError, match="no folder"):
        sources.find(f"{tmp_path}/none").folder()
    with pytest.raises(UnknownNameError, match="Did you mean 'mitdb'"):
        sources.find("mitbd")


@pytest.mark.usefixtures("plugin")
def test_a_source_of_another_package_is_loaded_by_its_name(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert "three" in sources.names()
    summary = load_dataset(DataRequest(source="three")).summary
    assert summary.source == "three"
    assert DataSummary.from_json(summary.to_json(), "summary") == summary
    assert sources.title("three") == "three patients"
    assert run(["data", "info", "three"]) == 0
    assert "Record s104: Many premature beats." in capsys.readouterr().out


@pytest.mark.usefixtures("plugin")
def test_a_source_that_cannot_be_imported_stops_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EDGEECG_DATA", str(tmp_path))
    assert sources.default("beats") == "mitdb"
    assert sources.downloadable() == ["mitdb", "nstdb", "ptbxl"]
    with pytest.raises(PluginError, match="aaa_broken"):
        load_dataset(DataRequest(source="aaa_broken"))


def test_a_summary_keeps_the_name_of_a_source_that_is_not_installed() -> None:
    assert sources.title("somewhere_else") == "somewhere_else"
