"""The journal of a run: nothing that is written later is lost behind a damaged line."""

from __future__ import annotations

from pathlib import Path

from edgeecg.runs.journal import Journal


def test_an_event_behind_an_unfinished_line_is_kept(tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    journal = Journal(path)
    journal.write("start", command="edgeecg compress cnn1d")
    with path.open("a") as opened:
        opened.write('{"time": "2026-01-01T00:00:00+00:00", "ev')
    journal.write("resume", command="edgeecg compress --resume")
    journal.write("done")
    assert journal.commands() == ["edgeecg compress cnn1d", "edgeecg compress --resume"]
    assert [event["event"] for event in journal.read()] == ["start", "resume", "done"]


def test_a_whole_journal_has_a_line_for_each_event(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "log.jsonl")
    for name in ("one", "two", "three"):
        journal.write(name)
    assert len((tmp_path / "log.jsonl").read_text().splitlines()) == 3
