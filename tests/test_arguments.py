"""What a program may pass to the functions of the API, and what is refused with advice."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydantic.fields import FieldInfo

import edgeecg
from edgeecg import arguments
from edgeecg.compression import settings
from edgeecg.errors import EdgeECGError, UnknownNameError, UsageError
from edgeecg.runs.options import keyword_options
from edgeecg.schema import CompressionConfig, TrainingConfig


@pytest.fixture(autouse=True)
def empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("tflite", ["tflite"]),
        (Path("pi.json"), [Path("pi.json")]),
        (("a", "b"), ["a", "b"]),
        ([], []),
        (iter(["a"]), ["a"]),
    ],
)
def test_a_text_in_the_place_of_a_list_is_a_list_of_one(given: Any, expected: Any) -> None:
    assert arguments.listed("targets", given, "targets=['tflite']") == expected


@pytest.mark.parametrize("given", [3, None, b"tflite", 0.5])
def test_what_is_no_list_is_refused_with_an_example(given: object) -> None:
    with pytest.raises(UsageError, match=r"'targets' cannot be .*targets=\['tflite'\]"):
        arguments.listed("targets", given, "targets=['tflite']")


def test_a_text_is_not_read_letter_by_letter() -> None:
    with pytest.raises(UnknownNameError, match=r"no target named 'tflight'.*Did you mean 'tflite'"):
        edgeecg.export(targets="tflight")
    with pytest.raises(UsageError, match="The condition 'p50' cannot be used"):
        edgeecg.compare("a.json", "b.json", fail_if="p50")
    with pytest.raises(UnknownNameError, match="'energi'"):
        edgeecg.search("cnn1d", objectives="energi", guards="macro_f1>=0.5", data="synthetic")


@pytest.mark.parametrize(
    "given", [{"energy": 0.3}, {"energy": np.float64(0.3)}, ["energy=0.3"], "energy=0.3"]
)
def test_budgets_are_a_mapping_a_list_or_a_text(given: object) -> None:
    found = settings.sorted_options({"budgets": given, "guards": "S:recall>=0.5"})
    assert found.values == {"budgets": ["energy=0.3"], "guards": ["S:recall>=0.5"]}


def _kept(known: dict[str, FieldInfo], **values: object) -> dict[str, Any]:
    return dict(keyword_options(values, known).values)


def test_numbers_of_numpy_are_numbers() -> None:
    found = _kept(
        TrainingConfig.model_fields, epochs=np.int64(3), learning_rate=np.float32(0.25), seed=0
    )
    assert found == {"epochs": 3, "learning_rate": 0.25, "seed": 0}
    assert {type(each) for each in found.values()} == {int, float}


def test_none_is_the_choice_none_where_there_is_one() -> None:
    found = _kept(
        CompressionConfig.model_fields, structure=None, finetune_last_epochs=None, method=None
    )
    assert found == {"structure": "none", "finetune_last_epochs": None}


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"class_map": "AAMI"}, "no class map named 'AAMI'.*Did you mean 'aami'"),
        ({"task": "beat"}, "no task named 'beat'.*Did you mean 'beats'"),
        ({"leads": ["MLII=II"]}, r"'leads' cannot be \['MLII=II'\].*leads=\{'MLII': 'II'\}"),
    ],
)
def test_records_that_cannot_be_are_refused(options: dict[str, Any], said: str) -> None:
    with pytest.raises(EdgeECGError, match=said):
        edgeecg.load_dataset("synthetic", **options)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"class_map": "AAMI"}, "no class map named 'AAMI'"),
        ({"split": "testing"}, "no split named 'testing'.*Did you mean 'test'"),
        ({"threads": 0}, "'threads' cannot be 0.*from 1 on.*threads=1"),
        ({"threads": 1.5}, "'threads' cannot be 1.5"),
        ({"leads": "MLII=II"}, "'leads' cannot be 'MLII=II'"),
    ],
)
def test_scoring_that_cannot_be_is_refused(options: dict[str, Any], said: str) -> None:
    with pytest.raises(EdgeECGError, match=said):
        edgeecg.evaluate("cnn1d", "synthetic", **options)


@pytest.mark.parametrize("options", [{"threads": 0}, {"leads": ["MLII=II"]}])
def test_classifying_that_cannot_be_is_refused(options: dict[str, Any]) -> None:
    with pytest.raises(UsageError, match="cannot be"):
        edgeecg.classify("cnn1d", "synthetic", **options)


def test_files_are_not_checked_on_no_thread() -> None:
    with pytest.raises(UsageError, match="'threads' cannot be 0"):
        edgeecg.export(model="cnn1d", threads=0)
