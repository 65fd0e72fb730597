"""What ``edgeecg compare`` says of documents that are damaged, foreign or missing."""

from __future__ import annotations

from pathlib import Path

import pytest
from compared_files import write_scores
from report_run import DS2
from report_scores import records, scores

import edgeecg
from edgeecg.errors import EdgeECGError, SchemaError


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "not valid JSON"),
        ("[]", "list"),
        ('{"schema": "edgeecg.bench/0"}', "edgeecg.bench/0"),
        ('{"schema": "edgeecg.bench/1", "results": []}', "suite"),
        ('{"schema": "edgeecg.evaluation/1", "data": "mitdb"}', "split"),
        ("[" * 100_000, "JSON"),
    ],
)
def test_damaged_and_foreign_documents_are_refused_by_name(
    tmp_path: Path, text: str, message: str
) -> None:
    path = tmp_path / "x.json"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(SchemaError, match=message) as caught:
        edgeecg.compare(path, path)
    assert "x.json" in str(caught.value)


def test_a_score_that_is_not_a_number_is_refused(tmp_path: Path) -> None:
    path = write_scores(tmp_path / "a.json", scores(records([*DS2], 0)), macro_f1=float("nan"))
    with pytest.raises(SchemaError, match="macro_f1"):
        edgeecg.compare(path, path)


def test_a_confusion_matrix_of_another_size_is_refused(tmp_path: Path) -> None:
    broken = {name: ((1, 2), (3, 4)) for name in DS2}
    path = write_scores(tmp_path / "a.json", scores(records([*DS2], 0)), records=broken)
    with pytest.raises(SchemaError, match="3 x 3"):
        edgeecg.compare(path, path)


def test_a_missing_file_and_an_unknown_run_are_named(tmp_path: Path) -> None:
    with pytest.raises(EdgeECGError, match=r"gone\.json cannot be read"):
        edgeecg.compare(tmp_path / "gone.json", tmp_path / "gone.json")
    with pytest.raises(EdgeECGError, match="no run 'nosuch'"):
        edgeecg.compare("nosuch", "nosuch")
