"""The figures and the table of a compression: losses, predicted latency, quantisation."""

from __future__ import annotations

import pytest
from report_run import Builder

from edgeecg.reporting import steps_table, units
from edgeecg.reporting.documents import RunDocuments, read
from edgeecg.reporting.html import training_curves
from edgeecg.schema import LayerSeconds, MeasuredCosts, QuantizationLog, Quantize


def quantized(builder: Builder, kept: Quantize) -> RunDocuments:
    """The run with a ``quantization.json``."""
    log = QuantizationLog(
        mode="qat",
        kept=kept,
        broken={} if kept == "qat" else {"qat": {"S:recall>=0.5": 0.41}},
        target="tflite-int8",
        calibration_windows=256,
        train_loss=(0.25, 0.22) if kept == "qat" else (),
        metric="macro-F1",
        val_float32=0.7,
        val_int8=0.69,
        lost={"head": 0.0},
        threshold=0.005,
        most=1,
        float_layers=(),
        val=builder.scored(builder.data.val_records, 1, "val"),
        ranges={"input": (-1.0, 2.0)},
    )
    builder.run.quantization.write_text(log.to_json())
    return read(builder.run)


def test_the_losses_of_every_step_are_drawn(full: Builder) -> None:
    figure = training_curves.losses(read(full.run))
    assert figure is not None
    assert figure.text.startswith("step 1: 0.400, 0.300; step 2:")
    assert "int8" not in figure.text
    assert figure.title == "Training loss after each step"
    assert [each["text"] for each in figure.layout["annotations"]] == [
        f"step {n}" for n in range(1, 6)
    ]
    (trace,) = figure.traces
    assert trace["y"] == [0.4, 0.3] * 5


@pytest.mark.parametrize("kept", ["qat", "ptq"])
def test_training_for_int8_comes_last_if_it_was_kept(full: Builder, kept: Quantize) -> None:
    figure = training_curves.losses(quantized(full, kept))
    assert figure is not None
    assert figure.text.endswith("; int8: 0.250, 0.220") == (kept == "qat")


def test_nothing_was_fine_tuned(full: Builder) -> None:
    bare = full.log().model_copy(update={"steps": ()})
    full.run.compression_log.write_text(bare.to_json())
    assert training_curves.losses(read(full.run)) is None
    assert training_curves.steps(read(full.run)) is None


def with_layer_costs(builder: Builder) -> RunDocuments:
    """The run with measured layer costs; its last step has no predicted latency."""
    costs = MeasuredCosts(
        model="resnet1d_attn",
        device="raspberry-pi-4",
        emulated=False,
        runtime="onnxruntime 1.32.0",
        threads=1,
        layers={"stem": LayerSeconds(own_s=1e-3, after_s=1e-4, macs=1000, activation_bytes=10)},
        fixed_s=1e-5,
        artifact_sha256="0" * 64,
        bench_sha256="1" * 64,
    )
    log = builder.log()
    steps = [
        step.model_copy(update={"latency_predicted": 1 - 0.1 * step.step}) for step in log.steps[:4]
    ]
    config = log.config.model_copy(update={"costs": costs})
    changed = log.model_copy(update={"config": config, "steps": (*steps, log.steps[4])})
    builder.run.compression_log.write_text(changed.to_json())
    return read(builder.run)


def test_predicted_latency_has_a_column_and_a_note_with_the_board(full: Builder) -> None:
    documents = with_layer_costs(full)
    table = steps_table.steps(documents)
    assert table is not None
    column = table.head.index("latency, predicted")
    shown = [row[column].removesuffix("\u00a0×") for row in table.rows]
    assert shown == ["1.00", "0.900", "0.800", "0.700", "0.600", units.DASH]
    assert any("raspberry-pi-4, onnxruntime 1.32.0, threads: 1" in note for note in table.notes)
    figure = training_curves.steps(documents)
    assert figure is not None
    assert {trace["name"]: trace["y"] for trace in figure.traces}["latency, predicted"][:2] == [
        1.0,
        0.9,
    ]


def test_without_costs_no_latency_is_predicted(full: Builder) -> None:
    table = steps_table.steps(read(full.run))
    assert table is not None
    assert "latency, predicted" not in table.head
    assert all(len(row) == len(table.head) for row in table.rows)


def test_without_a_schedule_there_is_no_target(full: Builder) -> None:
    log = full.log()
    steps = tuple(step.model_copy(update={"target_sparsity": None}) for step in log.steps)
    for changed, shown in ((log, True), (log.model_copy(update={"steps": steps}), False)):
        full.run.compression_log.write_text(changed.to_json())
        table = steps_table.steps(read(full.run))
        assert table is not None
        assert ("target sparsity" in table.head) == shown
        assert all(len(row) == len(table.head) for row in table.rows)


def test_the_quantisation_is_a_note_of_the_table(full: Builder) -> None:
    table = steps_table.steps(quantized(full, "ptq"))
    assert table is not None
    assert table.notes[-1].startswith("Int8 with training breaks S:recall>=0.5 (0.410)")
