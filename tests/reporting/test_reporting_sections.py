"""Layers, changed beats, classes, Pareto fronts and verdicts of a page."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from report_measurements import joules
from report_run import Builder

from edgeecg.reporting import (
    changed_windows,
    comparison,
    documents,
    layer_rows,
    variants,
    verdict,
)
from edgeecg.reporting.changed_windows import ChangedWindows
from edgeecg.reporting.html import changed_beats, classes, layers, pareto
from edgeecg.reporting.variants import Variant
from edgeecg.schema import LayerTime


def found(builder: Builder) -> list[Variant]:
    return variants.of_run("demo", documents.read(builder.run))


def test_layers_stand_beside_those_of_the_dense_file(full: Builder) -> None:
    dense, slim, small = found(full)
    assert layer_rows.reference([dense, slim, small], dense) is None
    assert layer_rows.reference([dense, slim, small], small) is dense
    rows = layer_rows.rows(dense, slim)
    assert [row.name for row in rows] == ["conv0", "conv1", "conv2"]
    assert sum(row.before_share for row in rows) == pytest.approx(1)
    # 0.28 of all that the dense layers do.
    assert sum(row.after_share for row in rows) == pytest.approx(0.28, abs=1e-3)
    table = layer_rows.table(dense, slim, "")
    assert table is not None
    assert "time before" not in table.head
    assert any("not measured" in note for note in table.notes)


def test_a_removed_layer_and_measured_times(full: Builder) -> None:
    full.forget_measurements()
    timed: dict[str, Any] = {"layers_profiled_s": 1e-3, "layers_reason": None}
    manifest = full.manifest("compressed")
    short = full.write_manifest(manifest.model_copy(update={"layers": manifest.layers[:2]}))
    full.write_bench(
        full.result(
            full.manifest("baseline"),
            layers=(
                LayerTime(name="conv0", op="c", seconds=3e-6, share=0.5),
                LayerTime(name="conv0;relu", op="r", seconds=1e-6, share=0.5),
            ),
            **timed,
        ),
        full.result(
            short, layers=(LayerTime(name="conv0", op="c", seconds=2e-6, share=1.0),), **timed
        ),
    )
    dense, slim, *_ = found(full)
    rows = layer_rows.rows(dense, slim)
    assert rows[0].before_s == pytest.approx(4e-6)
    assert rows[0].after_s == pytest.approx(2e-6)
    assert rows[2].after is None
    table = layer_rows.table(dense, slim, "")
    assert table is not None
    assert table.rows[2][3] == "removed"
    titles = [figure.title for figure in layers.figures(dense, slim, "")]
    assert titles[1] == "Measured time of each layer, compressed tflite"


def write_probes(builder: Builder, **arrays: Any) -> None:
    """Write the probe sets of the baseline and of the compressed tflite files."""
    logits = np.array([[2, 0, 0], [0, 2, 0], [0, 0, 2]], np.float32)
    other = np.array([[2, 0, 0], [0, 0, 9], [2, 0, 0]], np.float32)
    x = np.arange(3 * 256, dtype=np.float32).reshape(3, 1, 256)
    for stem, values in (("baseline-tflite", logits), ("compressed-tflite", other)):
        path = builder.run.artifacts / f"resnet1d_attn-{stem}.probe.npz"
        np.savez(path, x=x, logits=values, **arrays)


def test_beats_with_another_class_are_found_with_their_origin(full: Builder) -> None:
    write_probes(
        full,
        record=np.array(["100", "201", "202"]),
        patient=np.array(["100", "p1", "p1"]),
        sample=np.array([1, 12345, 2]),
        label=np.array([0, 1, 0]),
    )
    changed = changed_windows.find(full.run, documents.read(full.run))
    assert isinstance(changed, ChangedWindows)
    assert (changed.changed, changed.windows) == (2, 3)
    # The dense model was right in the second window, the compressed one in the third.
    assert (changed.right_before, changed.right_after) == (1, 1)
    first = changed.shown[0]
    assert (first.before, first.after, first.annotated) == ("S", "V", "S")
    assert first.origin == "record 201, patient p1, R peak at sample 12,345"
    strips = changed_beats.figures(changed, "")
    assert strips[0].title == f"S became V, annotated S: lead MLII, {first.origin}"
    assert len(strips[0].traces[0]["y"]) == 256
    assert "2 of 3 probe windows" in changed_beats.sentence(changed)


def test_probe_sets_of_an_earlier_version_have_no_origin(full: Builder) -> None:
    write_probes(full)
    changed = changed_windows.find(full.run, documents.read(full.run))
    assert isinstance(changed, ChangedWindows)
    assert changed.right_before is None
    assert changed.shown[0].origin is None
    assert "export it again" in changed_beats.figures(changed, "")[0].title


def test_why_changed_beats_are_not_known(full: Builder) -> None:
    read = documents.read(full.run)
    assert "edgeecg export" in str(changed_windows.find(full.run, read))
    write_probes(full)
    damaged = full.run.artifacts / "resnet1d_attn-baseline-tflite.probe.npz"
    damaged.write_bytes(b"PK\x03\x04 no archive")
    assert "edgeecg export" in str(changed_windows.find(full.run, read))
    np.savez(damaged, x=np.ones((3, 1, 256), np.float32), logits=np.ones((3, 3), np.float32))
    assert "other windows" in str(changed_windows.find(full.run, read))


def test_the_record_that_lost_most_comes_first(full: Builder) -> None:
    read = documents.read(full.run)
    table = classes.worst_records(read)
    assert table is not None
    # Three more beats of each class are missed: most are of record 232.
    assert table.rows[0][5] == "+3 N as S"
    assert len(table.rows) == 8
    matrix = classes.confusion("model", read.model.test, read.model.classes, "")
    assert matrix is not None
    assert len(matrix.layout["annotations"]) == 9
    assert "annotated N, predicted N: " in matrix.text


def test_the_front_has_what_nothing_beats_in_both() -> None:
    points = [(1.0, 0.7), (2.0, 0.9), (2.0, 0.8), (3.0, 0.85), (4.0, 0.95), (1.0, 0.6)]
    assert pareto.front(points) == [0, 1, 4]


def test_figures_of_scores_are_for_what_is_known(full: Builder) -> None:
    keyed = list(enumerate(found(full)))
    titles = [figure.title for figure in pareto.figures(keyed, "DS2")]
    assert titles == [
        "Macro-F1 against executed proxy (DS2)",
        "Macro-F1 against latency p50 (DS2)",
        "Macro-F1 against size (DS2)",
    ]
    assert pareto.figures(keyed[:1], "DS2") == ()


def test_the_verdict_names_score_size_latency_and_energy(full: Builder) -> None:
    read = documents.read(full.run)
    compared = comparison.compare(read)
    # 99,128 of 1,684,320 bytes, 0.42 of 2.1 ms.
    (sentence,) = verdict.of_run(compared, comparison.headline(compared))
    plain = sentence.replace("\N{NO-BREAK SPACE}", " ")
    assert plain.startswith("The file compressed tflite-int8: ")
    assert "size 0.0589 ×, measured latency 0.200 ×, energy not measured." in plain


def test_the_verdict_on_several_names_what_costs_least(full: Builder, tmp_path: Path) -> None:
    full.forget_measurements()
    full.write_bench(
        full.result(full.manifest("baseline"), 2e-3, energy=joules(8e-6)),
        full.result(full.manifest("compressed"), 1e-3, energy=joules(4e-6)),
        full.result(full.manifest("compressed", "int8"), 0.5e-3, energy=joules(6e-6)),
    )
    here = found(full)
    differences = [verdict.score_change(here, each) for each in here]
    (sentence,) = verdict.of_variants(here, differences)
    plain = sentence.replace("\N{NO-BREAK SPACE}", " ")
    # The int8 file is faster, but needs more energy.
    assert "demo, compressed tflite costs least: measured net energy 0.500 ×" in plain
    assert "There is no dense file" in verdict.of_variants(here[1:2], [None])[0]
