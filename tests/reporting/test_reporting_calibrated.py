"""What a calibrated device profile predicts stands beside the measurement."""

from __future__ import annotations

from collections.abc import Callable

from report_run import Builder

from edgeecg.reporting import calibrated
from edgeecg.reporting.comparison import compare
from edgeecg.reporting.documents import read
from edgeecg.reporting.html.run_page import render
from edgeecg.schema import CalibratedEstimate


def test_the_prediction_its_error_and_the_quotient_are_shown(
    build: Callable[..., Builder],
) -> None:
    builder = build()
    builder.write_models()
    dense = builder.write_manifest(builder.manifest("baseline"))
    small = builder.write_manifest(builder.manifest("compressed", "int8"))
    known = CalibratedEstimate(seconds=1e-3, seconds_error=0.24, reason="There is no meter.")
    unknown = CalibratedEstimate(reason="The device is not calibrated for int8.")
    builder.write_bench(
        builder.result(dense, 2.1e-3, calibrated=known),
        builder.result(small, 0.42e-3, calibrated=unknown),
    )
    documents = read(builder.run)
    comparison = compare(documents)
    table = calibrated.predictions(documents, comparison)
    assert table is not None
    first, second = table.rows
    assert first[2].startswith("1.00\N{NO-BREAK SPACE}ms ± 24 %")
    assert first[3:5] == ("2.10\N{NO-BREAK SPACE}ms", "2.10")
    assert first[5:] == ("\N{EN DASH}", "not measured")
    assert second[2].startswith("\N{EN DASH}")
    assert any("not calibrated for int8" in note for note in table.notes)
    assert "Calibrated predictions against measurement" in render(documents, comparison)
    (row, _) = comparison.files
    assert row.measured is not None
    assert row.measured.calibrated == known


def test_without_a_calibration_there_is_no_table(full: Builder) -> None:
    documents = read(full.run)
    assert calibrated.predictions(documents, compare(documents)) is None
