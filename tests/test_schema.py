"""Values refuse what they should not hold, and survive a trip through JSON."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given, strategies as st

from edgeecg.errors import SchemaError
from edgeecg.schema import BenchReport, CompressionConfig, Energy, Preprocessing, TrainingConfig


def test_a_document_survives_json() -> None:
    config = CompressionConfig(training=TrainingConfig(model="cnn1d", seed=7), sparsity=0.4)
    document = json.loads(config.to_json())
    assert document["schema"] == "edgeecg.config/2"
    assert CompressionConfig.from_json(config.to_json(), "here") == config


def test_an_unknown_key_is_named() -> None:
    with pytest.raises(SchemaError, match="sparsitty") as caught:
        CompressionConfig.from_document(
            {"schema": "edgeecg.config/2", "sparsitty": 0.4}, "run.json"
        )
    assert "run.json" in caught.value.what


def test_a_file_is_read_and_named_when_it_holds_something_else(tmp_path: Path) -> None:
    path = tmp_path / "config.json"
    path.write_text(CompressionConfig(alpha=0.25).to_json())
    assert CompressionConfig.from_file(path).alpha == 0.25
    with pytest.raises(SchemaError, match=r"config\.json does not hold a BenchReport"):
        BenchReport.from_file(path)


@pytest.mark.parametrize("schema", [None, "edgeecg.config/9", "edgeecg.bench/1", 3])
def test_another_version_is_refused(schema: object) -> None:
    with pytest.raises(SchemaError, match=r"edgeecg\.config/2"):
        CompressionConfig.from_document({"schema": schema}, "run.json")


@pytest.mark.parametrize(
    ("key", "value"),
    [("alpha", 1.5), ("sparsity", 1.0), ("steps", 0), ("temperature", float("nan"))],
)
def test_values_out_of_range_are_named(key: str, value: float) -> None:
    with pytest.raises(SchemaError, match=key):
        CompressionConfig.from_document({"schema": "edgeecg.config/2", key: value}, "here")


def test_a_window_must_hold_its_r_peak() -> None:
    with pytest.raises(SchemaError, match="r_index"):
        Preprocessing.from_document({"window": 128, "r_index": 128}, "here")


def test_joules_cannot_be_claimed_without_a_measurement() -> None:
    for tier, net_j, reason in [
        ("not measured", 0.0, "no meter"),
        ("measured", None, None),
        ("not measured", None, None),
    ]:
        with pytest.raises(ValueError, match=r"measured|reason"):
            Energy.model_validate(
                {
                    "tier": tier,
                    "meter": None,
                    "reason": reason,
                    "gross_j": None,
                    "net_j": net_j,
                    "ci95_j": None,
                }
            )


@given(st.text() | st.binary())
def test_foreign_text_raises_only_our_error(text: str | bytes) -> None:
    with pytest.raises(SchemaError):
        BenchReport.from_json(text, "foreign")


@given(
    st.recursive(
        st.none() | st.integers() | st.text(), lambda x: st.lists(x) | st.dictionaries(st.text(), x)
    )
)
def test_foreign_documents_raise_only_our_error(document: object) -> None:
    with pytest.raises(SchemaError):
        BenchReport.from_document(document, "foreign")
