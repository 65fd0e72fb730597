"""Predictions against measurements, and what explains the differences."""

from __future__ import annotations

from typing import Any

import pytest
from report_measurements import device, joules, latency
from report_run import Builder

from edgeecg.reporting import documents, proxy_agreement, variants
from edgeecg.reporting.html import proxy_figure
from edgeecg.reporting.proxy_agreement import Point
from edgeecg.schema import Breakdown, CalibratedEstimate, LayerTime, Proxy


def points(builder: Builder) -> list[Point]:
    return proxy_agreement.points(variants.of_run("demo", documents.read(builder.run)))


def test_the_reference_is_no_point(full: Builder) -> None:
    found = {point.name: point for point in points(full)}
    assert list(found) == ["demo, compressed tflite", "demo, compressed tflite-int8"]
    small = found["demo, compressed tflite-int8"]
    # 0.42 ms of 2.1 ms.
    assert small.measured == pytest.approx(0.2)
    assert small.predicted == {"executed": 0.06, "ideal": 0.05}
    assert (small.model, small.dtype) == ("resnet1d_attn", "int8")


def test_rows_by_quantity_prediction_and_type(full: Builder) -> None:
    rows = {(row.prediction, row.dtype): row for row in proxy_agreement.rows(points(full))}
    assert set(rows) == {
        (kind, dtype) for kind in ("executed", "ideal") for dtype in ("all", "float32", "int8")
    }
    whole = rows["executed", "all"]
    # 0.4 / 0.262 and 0.2 / 0.06.
    assert whole.median_ratio == pytest.approx((0.4 / 0.262 + 0.2 / 0.06) / 2)
    assert whole.worst_ratio == pytest.approx(0.2 / 0.06)
    assert whole.worst == "demo, compressed tflite-int8"
    assert whole.spearman == pytest.approx(1)
    assert whole.spearman_ci95 is None
    assert rows["executed", "int8"].spearman is None


def test_calibration_and_energy_are_predictions_of_their_own(full: Builder) -> None:
    full.forget_measurements()
    dense = full.manifest("baseline")
    small = full.manifest("compressed", "int8")
    full.write_bench(
        full.result(
            dense, 2e-3, energy=joules(8e-6),
            proxy=Proxy(ideal=1, executed=1, macs=1, weight_bytes=1),
            calibrated=CalibratedEstimate(
                seconds=1e-3, seconds_error=0.1, net_j=4e-6, net_j_error=0.1
            ),
        ),
        full.result(
            small, 1e-3, energy=joules(2e-6), calibrated=CalibratedEstimate(
                seconds=0.4e-3, seconds_error=0.1, net_j=2e-6, net_j_error=0.1
            ),
        ),
    )  # fmt: skip
    by_quantity = {point.quantity: point for point in points(full)}
    assert by_quantity["latency"].measured == pytest.approx(0.5)
    assert by_quantity["latency"].predicted["calibrated"] == pytest.approx(0.4)
    assert by_quantity["energy"].measured == pytest.approx(0.25)
    assert by_quantity["energy"].predicted["calibrated"] == pytest.approx(0.5)
    rows = proxy_agreement.rows(points(full))
    titles = [each.title for each in proxy_figure.figures(points(full), rows, "")]
    assert "Calibrated against measured net energy" in titles
    assert "Executed proxy against measured p50" in titles


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"device": device(int8_dot_product=False)}, "without instructions that add up int8"),
        ({"device": device(int8_dot_product=True)}, "15 times cheaper"),
        ({"latency": latency(1e-3, threads=4)}, "4 threads share the work"),
        (
            {
                "latency": latency(1e-3, threads=2),
                "duty_cycle": (latency(1e-3, rate_hz=1.0, spin=True),),
            },
            "idle threads spin",
        ),
        (
            {
                "breakdown": Breakdown(
                    empty_graph_s=0.5e-3, peak_macs_per_s=None, roofline_s=None, rest_s=None,
                    reason="No peak.",
                )
            },
            "50.0 % of the time is that of a graph without operations",
        ),
        (
            {
                "layers": (LayerTime(name="conv0", op="x", seconds=1e-3, share=1.0),),
                "layers_profiled_s": 1e-3, "layers_reason": None, "layers_unexplained": 0.3,
            },
            "30.0 % of the time is in no operation",
        ),
    ],
)  # fmt: skip
def test_what_explains_a_difference(full: Builder, changes: dict[str, Any], words: str) -> None:
    result = full.result(full.manifest("compressed", "int8"), 1e-3, **changes)
    reasons = "; ".join(proxy_agreement.reasons(result)).replace("\N{NO-BREAK SPACE}", " ")
    assert words in reasons


def test_a_slow_operation_is_named_by_its_layer(full: Builder) -> None:
    manifest = full.manifest("compressed")
    (first, *others) = manifest.layers
    small = first.model_copy(update={"op": "LSTM", "macs": first.macs // 10})
    manifest = manifest.model_copy(update={"layers": (small, *others)})
    times = (0.6e-3, 0.2e-3, 0.2e-3)
    result = full.result(
        manifest,
        1e-3,
        layers=tuple(
            LayerTime(name=f"{cost.name};fused", op="Convolution (NHWC)", seconds=s, share=s / 1e-3)
            for cost, s in zip(manifest.layers, times, strict=True)
        ),
        layers_profiled_s=1e-3,
        layers_reason=None,
    )
    (reason,) = proxy_agreement.reasons(result)
    # 0.1 of 2.1 parts of the MACs.
    assert reason.replace("\N{NO-BREAK SPACE}", " ") == (
        "LSTM takes 60.0 % of the time and has 4.8 % of the MACs"
    )


def test_files_that_are_far_off_are_named_once_for_each_reason() -> None:
    far = [
        Point(f"file {n}", "m", "int8", "latency", 0.5, {"executed": 0.05 * n}, ("a reason",))
        for n in (1, 2)
    ]
    exact = Point("exact", "m", "float32", "latency", 0.5, {"executed": 0.5})
    head, line = proxy_agreement.sentences([*far, exact])
    assert head == "2 of 3 measured ratios are 1.5 times off or more:"
    assert line == ("file 1: p50 10.0 times above the proxy (and 1 more, less far off): a reason.")
    (fine,) = proxy_agreement.sentences([exact])
    assert fine.startswith("No file is 1.5 times off")
    assert proxy_agreement.sentences([]) == ()


def test_the_figure_has_the_points_the_line_and_the_words(full: Builder) -> None:
    found = points(full)
    figures = proxy_figure.figures(found, proxy_agreement.rows(found), "")
    first = figures[0]
    assert first.title == "Executed proxy against measured p50"
    names = [trace["name"] for trace in first.traces]
    assert names[0] == "exact"
    assert names[2:] == ["float32", "int8"]
    assert "Spearman ρ 1.00" in first.text
    # The points select the second and the third variant of the run.
    assert [trace["customdata"] for trace in first.traces[2:]] == [[1], [2]]


def test_emulated_times_count_only_where_there_are_no_others(full: Builder) -> None:
    full.forget_measurements()
    emulator = device(emulated=True)
    pair = full.manifest("baseline"), full.manifest("compressed")
    full.write_bench(*(full.result(each, device=emulator) for each in pair))
    (emulated,) = points(full)
    assert not emulated.real
    full.write_bench(*(full.result(each) for each in pair), name="real.json")
    assert [point.real for point in points(full)] == [True]
