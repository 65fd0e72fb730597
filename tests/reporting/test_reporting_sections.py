"""Layers, classes, Pareto fronts and verdicts of a page."""

from __future__ import annotations

import dataclasses
import io
from pathlib import Path
from typing import Any

import pytest
from report_measurements import bench, device, joules
from report_run import Builder
from rich.console import Console

from edgeecg.cli import _bench_table
from edgeecg.reporting import (
    comparison,
    documents,
    layer_rows,
    measured,
    provenance,
    removed_table,
    variants,
    verdict,
)
from edgeecg.reporting.html import classes, layers, pareto
from edgeecg.reporting.variants import Variant
from edgeecg.schema import LayerTime, Scores
from edgeecg.statistics.changes import Change


def found(builder: Builder) -> list[Variant]:
    return variants.of_run("demo", documents.read(builder.run))


def test_layers_stand_beside_those_of_the_dense_file(full: Builder) -> None:
    dense, slim, small = found(full)
    assert dense.dense is None
    assert small.dense == dense
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


@pytest.mark.parametrize(
    ("share", "words"),
    [
        (0.123, "one file per operation; 12 % of a run is in no operation"),
        (-0.004, "one file per operation; 0 % of a run is in no operation"),
        (
            -0.8,
            "one file per operation; measured one by one, the operations take 1.80 times as long "
            "as a run",
        ),
    ],
)
def test_operations_that_add_up_to_more_than_a_run_have_no_negative_share(
    full: Builder, share: float, words: str
) -> None:
    result = full.result(
        full.manifest("compressed"),
        layers=(LayerTime(name="conv0", op="c", seconds=2e-6, share=1.0),),
        layers_profiled_s=2e-6,
        layers_reason=None,
        layers_method="one file per operation",
        layers_unexplained=share,
    )
    table = provenance.bench_table(result, bench(result), "bench.json", "here")
    assert ("times of layers", words) in table.rows
    shown = io.StringIO()
    _bench_table.show(bench(result), Console(file=shown, width=200))
    assert words in " ".join(shown.getvalue().split())


def test_what_was_removed_is_listed_part_by_part(full: Builder) -> None:
    table = removed_table.table(documents.read(full.run), "")
    assert table is not None
    # 64 channels became 28: 36 of 64 are gone.
    assert [
        [cell.replace("\N{NO-BREAK SPACE}", " ") for cell in row] for row in table.rows[:2]
    ] == [
        ["stem", "32", "16", "50.0 %"],
        ["stages 1", "64", "28", "56.2 %"],
    ]
    card = full.card("compressed").model_copy(update={"widths": {"stem": (16,), "stages": (0, 52)}})
    full.run.model_card.write_text(card.to_json(), encoding="utf-8")
    table = removed_table.table(documents.read(full.run), "")
    assert table is not None
    assert table.rows[1][:3] == ("stages 1", "64", "removed")
    assert table.rows[3][:3] == ("stages 3", "128", "removed")
    dense = full.card("baseline")
    same = full.card("compressed").model_copy(update={"widths": dense.widths})
    full.run.model_card.write_text(same.to_json(), encoding="utf-8")
    assert removed_table.table(documents.read(full.run), "") is None


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


def test_replayed_and_emulated_figures_are_not_called_measured(full: Builder) -> None:
    full.forget_measurements()
    full.write_bench(
        full.result(
            full.manifest("baseline"),
            energy=joules(8e-6, replayed=True),
            device=device(emulated=True),
        ),
        full.result(
            full.manifest("compressed"),
            energy=joules(4e-6, replayed=True),
            device=device(emulated=True),
        ),
    )
    read = documents.read(full.run)
    compared = comparison.compare(read)
    (row,) = [each for each in compared.files if each.role == "compressed" and each.measured]
    (sentence,) = verdict.of_run(compared, row)
    assert "measured net energy" not in sentence
    assert "net energy from replayed values of a meter in an emulator" in sentence
    assert "measured latency in an emulator" in sentence
    table = measured.proxy_vs_measured(read, compared)
    assert table is not None
    assert any("(replayed)" in cell for cell in table.rows[-1])
    assert any(note.startswith("Replayed: ") for note in table.notes)


def test_the_verdict_on_several_names_what_costs_least(full: Builder, tmp_path: Path) -> None:
    full.forget_measurements()
    full.write_bench(
        full.result(full.manifest("baseline"), 2e-3, energy=joules(8e-6)),
        full.result(full.manifest("compressed"), 1e-3, energy=joules(4e-6)),
        full.result(full.manifest("compressed", "int8"), 0.5e-3, energy=joules(6e-6)),
    )
    here = found(full)
    differences = [verdict.score_change(each) for each in here]
    (sentence,) = verdict.of_variants(here, differences)
    plain = sentence.replace("\N{NO-BREAK SPACE}", " ")
    # The int8 file is faster, but needs more energy.
    assert "demo, compressed tflite costs least: measured net energy 0.500 ×" in plain
    assert "There is no dense file" in verdict.of_variants(here[1:2], [None])[0]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        (
            (-0.1, -0.1),
            "2 of 3 variants can be compared in score with their dense file; 2 are worse.",
        ),
        (
            (-0.1, 0.1),
            "2 of 3 variants can be compared in score with their dense file; 1 is worse. "
            "Of the others, demo, compressed tflite-int8 costs least: ",
        ),
        ((None, -0.1), "1 of 3 variants can be compared in score with its dense file; 1 is worse."),
        (
            (0.0, 0.1),
            "2 of 3 variants can be compared in score with their dense file; none is shown to be "
            "worse. Of these, demo, compressed tflite-int8 costs least: ",
        ),
    ],
)
def test_the_verdict_on_several_says_how_many_are_worse(
    full: Builder, changes: tuple[float | None, ...], said: str
) -> None:
    differences = [
        None if value is None else Change(value, (value - 0.02, value + 0.02))
        for value in (None, *changes)
    ]
    (sentence,) = verdict.of_variants(found(full), differences)
    assert sentence.startswith(said)


def test_the_legend_names_only_columns_that_are_shown(full: Builder) -> None:
    dense, slim = full.result(full.manifest("baseline")), full.result(full.manifest("compressed"))
    for results, expected in (([slim], False), ([dense, slim], True)):
        shown = io.StringIO()
        _bench_table.show(bench(*results), Console(file=shown, width=200))
        assert "Proxy: a count relative to the dense float32 baseline" in shown.getvalue()
        assert ("÷ proxy: the measured ratio" in shown.getvalue()) is expected


def of_classes(task: str, **values: float) -> Scores:
    """Return scores whose classes have these recalls, or AUROCs of records."""
    rest = {"precision": 0.5, "f1": 0.5, "support": 9}
    kind = "auroc" if task == "records" else "recall"
    return Scores.model_validate(
        {
            "data": "mitdb", "task": task, "split": "test", "n": 27, "accuracy": 0.5,
            "macro_f1": 0.5, "confusion": (),
            "macro_auroc": 0.5 if task == "records" else None,
            "per_class": {
                name: {"recall": 0.5, **rest, kind: value} for name, value in values.items()
            },
        }
    )  # fmt: skip


@pytest.mark.parametrize(("task", "name"), [("beats", "recall"), ("records", "AUROC")])
def test_the_class_that_lost_most_is_named(task: str, name: str) -> None:
    before = of_classes(task, N=0.95, S=0.72, V=0.9)
    (sentence,) = verdict.of_classes(before, of_classes(task, N=0.93, S=0.46, V=0.99))
    assert sentence == (
        f"Of the classes, S lost most: its {name} was 0.720 in the dense model and is 0.460 in the "
        "compressed one."
    )
    # A loss of 0.01 is no loss that matters.
    assert verdict.of_classes(before, of_classes(task, N=0.941, S=0.715, V=0.8999)) == ()
    assert verdict.of_classes(None, before) == ()


def test_layers_that_a_converter_renamed_after_a_removed_block_keep_their_place(
    full: Builder,
) -> None:
    dense, slim, *_ = found(full)
    assert dense.manifest is not None
    assert slim.manifest is not None
    one = dense.manifest.layers[0]

    def named(variant: Variant, names: str) -> Variant:
        layers = tuple(
            one.model_copy(update={"name": name, "op": "CONV" if name == "in" else "DENSE"})
            for name in names.split()
        )
        manifest = variant.manifest
        assert manifest is not None
        return dataclasses.replace(variant, manifest=manifest.model_copy(update={"layers": layers}))

    rows = layer_rows.rows(
        named(dense, "in block0.q block0 block1.q block0:2 block2.q block0:3 out"),
        named(slim, "in block0.q block0 block1.q block1 out"),
    )
    assert {row.name: row.after.name if row.after else None for row in rows} == {
        "in": "in",
        "block0.q": "block0.q",
        "block0": "block0",
        "block1.q": "block1.q",
        "block0:2": "block1",
        "block2.q": None,
        "block0:3": None,
        "out": "out",
    }
