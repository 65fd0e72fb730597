from __future__ import annotations

import json
import shlex
from collections.abc import Callable
from typing import Any

import pytest
from report_measurements import bench, device, joules, latency
from report_run import Builder

from edgeecg.reporting import variants
from edgeecg.reporting.comparison import compare, headline
from edgeecg.reporting.documents import read
from edgeecg.reporting.prediction import predictions
from edgeecg.reporting.rows import Comparison, FileRow, MeasuredRow


def _row(comparison: Comparison, label: str) -> tuple[FileRow, MeasuredRow]:
    row = next(row for row in comparison.files if row.label == label)
    assert row.measured is not None
    return row, row.measured


def test_ratios_are_to_the_baselines_float_file_in_the_same_setup(full: Builder) -> None:
    _, m = _row(compare(read(full.run)), "compressed tflite-int8")
    assert m.latency_ratio == pytest.approx(0.2)
    assert m.latency_over_proxy == pytest.approx(0.2 / 0.06)
    assert m.same_call is True


def test_unmeasured_energy_is_none_with_a_reason(full: Builder) -> None:
    _, m = _row(compare(read(full.run)), "compressed tflite")
    assert m.energy.net_j is None
    assert m.energy_ratio is None
    assert m.energy_reason is not None
    assert "powercap" in m.energy_reason


def test_measured_energy_is_compared_to_the_baselines(full: Builder) -> None:
    dense, slim = full.manifest("baseline"), full.manifest("compressed")
    full.write_bench(
        full.result(dense, energy=joules(20e-3)), full.result(slim, energy=joules(5e-3))
    )
    _, m = _row(compare(read(full.run)), "compressed tflite")
    assert m.energy_ratio == pytest.approx(0.25)
    assert m.energy_over_proxy == pytest.approx(0.25 / 0.262)


def test_joules_of_another_meter_or_of_a_replay_are_not_compared(full: Builder) -> None:
    dense, slim = full.manifest("baseline"), full.manifest("compressed")
    for changes in ({"meter": "ppk2"}, {"replayed": True}, {"zones": ("psys",)}):
        full.write_bench(
            full.result(dense, energy=joules(20e-3)),
            full.result(slim, energy=joules(5e-3, **changes)),
        )
        _, m = _row(compare(read(full.run)), "compressed tflite")
        assert m.energy_ratio is None
        assert m.energy_reason == "The baseline was measured with another meter or other zones."


def test_a_setup_without_the_baseline_has_no_ratio(full: Builder) -> None:
    full.forget_measurements()
    pi = device(name="raspberry-pi-4", emulated=True)
    full.write_bench(full.result(full.manifest("compressed"), device=pi), name="pi")
    _, m = _row(compare(read(full.run)), "compressed tflite")
    assert m.latency_ratio is None
    assert m.latency_reason == (
        "The baseline's float32 .tflite file was not measured on "
        "raspberry-pi-4 (emulated), litert 2.3.0, 1 thread."
    )


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"host": "pi@one"}, {"host": "pi@two"}),
        ({}, {"host": "pi@two"}),
        ({"device": device(cpu="First CPU")}, {"device": device(cpu="Second CPU")}),
    ],
)
def test_two_machines_of_one_kind_are_both_shown_and_each_has_its_own_ratios(
    build: Callable[..., Builder], one: dict[str, Any], other: dict[str, Any]
) -> None:
    builder = build()
    builder.write_models()
    dense, slim = (builder.write_manifest(builder.manifest(r)) for r in ("baseline", "compressed"))
    for month, where, p50_s in ((1, one, 2e-3), (2, other, 8e-3)):
        builder.write_bench(
            builder.result(dense, p50_s, **where),
            builder.result(slim, p50_s / month / 2, **where),
            name=f"{month}",
            created=f"2026-0{month}-02T03:04:05+00:00",
        )
    found = read(builder.run)
    rows = [row.measured for row in compare(found).files if row.role == "compressed"]
    # The newest first.
    assert [row.latency_ratio for row in rows if row] == pytest.approx([0.25, 0.5])
    first, second = (row.place for row in rows if row)
    assert first != second
    shown = [each.place for each in variants.of_run("demo", found)]
    assert sorted(shown) == sorted([first, second] * 2)
    for where, place in ((one, second), (other, first)):
        assert where.get("host", "") in place
        assert ("CPU" in place) == ("device" in where)


def test_a_separate_bench_call_is_told_apart(full: Builder) -> None:
    full.write_bench(
        full.result(full.manifest("compressed"), 1e-3), name="later", created="2026-02-01T00:00:00Z"
    )
    _, m = _row(compare(read(full.run)), "compressed tflite")
    assert m.same_call is False


def test_the_onnx_baseline_is_no_reference_for_a_tflite_file(full: Builder) -> None:
    full.forget_measurements()
    onnx = full.write_manifest(full.manifest("baseline", form="onnx"))
    slim = full.manifest("compressed")
    full.write_bench(full.result(onnx), full.result(slim), name="mixed")
    _, m = _row(compare(read(full.run)), "compressed tflite")
    assert m.latency_ratio is None


def test_the_proxy_comes_from_the_counts_in_the_manifest(full: Builder) -> None:
    row, _ = _row(compare(read(full.run)), "baseline tflite")
    assert row.proxy_executed == pytest.approx(1.0)
    row, _ = _row(compare(read(full.run)), "compressed tflite")
    # Every count of the fixture's compressed model is 0.28 of the baseline's.
    assert row.proxy_executed == pytest.approx(0.28)


def test_a_file_without_a_known_baseline_has_no_proxy(full: Builder) -> None:
    full.write_manifest(full.manifest("compressed", baseline=None))
    row, _ = _row(compare(read(full.run)), "compressed tflite")
    assert row.proxy_executed is None
    assert row.proxy_reason is not None


def test_an_unmeasured_file_says_which_command_measures_it(full: Builder) -> None:
    full.write_manifest(full.manifest("compressed", form="onnx"))
    row = next(r for r in compare(read(full.run)).files if r.label == "compressed onnx")
    assert row.measured is None
    name = shlex.quote(str(full.run.path))
    assert row.reason == f"Not measured yet. Run: edgeecg bench --run {name}"


def test_the_headline_is_the_smallest_compressed_file_on_a_real_device(full: Builder) -> None:
    small = full.manifest("compressed", "int8")
    full.write_bench(
        full.result(small, device=device(emulated=True)),
        full.result(small, latency=latency(1e-4, threads=4)),
        name="more",
        created="2026-09-01T00:00:00Z",
    )
    row = headline(compare(read(full.run)))
    assert row is not None
    assert row.measured is not None
    assert row.target == "tflite-int8"
    assert row.measured.place == "x86-64, litert 2.3.0, 1 thread"


def test_the_json_round_trips_and_carries_its_version(full: Builder) -> None:
    comparison = compare(read(full.run))
    assert json.loads(comparison.to_json())["schema"] == "edgeecg.report/1"
    assert Comparison.from_json(comparison.to_json(), "report") == comparison


def test_a_named_baseline_is_found_where_the_report_is_read_elsewhere(full: Builder) -> None:
    # 'edgeecg bench --baseline dense.tflite /models/dense.tflite /models/small.tflite', in /models.
    results = [
        full.result(full.manifest("baseline", file="dense.tflite"), 2e-3),
        full.result(full.manifest("compressed", file="small.tflite"), 1e-3),
    ]
    results = [
        each.model_copy(
            update={
                "artifact": each.artifact.model_copy(
                    update={"file": f"/models/{each.artifact.file}"}
                )
            }
        )
        for each in results
    ]
    report = bench(*results).model_copy(update={"baseline": "dense.tflite"})
    assert [each.latency_ratio for each in predictions(report)] == [1.0, 0.5]
    twice = bench(*results, results[0]).model_copy(update={"baseline": "dense.tflite"})
    assert [each.latency_ratio for each in predictions(twice)] == [None] * 3
