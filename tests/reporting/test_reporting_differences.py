"""Comparing runs, bench reports and evaluations."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from compared_files import write, write_counts, write_scores
from report_measurements import bench, device, joules, latency
from report_run import DS2, Builder
from report_scores import label_scores, records, scores

import edgeecg
from edgeecg.errors import UsageError
from edgeecg.reporting.difference_rows import Differences, QuantityChange

NAMES = list(DS2)


def only(found: Differences, quantity: str) -> QuantityChange:
    (pair,) = found.pairs
    change = pair.of(quantity)
    assert change is not None
    return change


@pytest.fixture
def files(full: Builder, tmp_path: Path) -> Callable[..., tuple[str, str]]:
    """Write two reports of one file that differ as asked for."""

    def made(before: dict[str, Any], after: dict[str, Any]) -> tuple[str, str]:
        manifest = full.manifest("compressed")
        first, second = (full.result(manifest, **each) for each in (before, after))
        return write(tmp_path / "a.json", first), write(tmp_path / "b.json", second)

    return made


def test_a_slower_file_is_worse_and_its_scores_tie(
    files: Callable[..., tuple[str, str]],
) -> None:
    found = edgeecg.compare(*files({"p50_s": 1e-3}, {"p50_s": 1.2e-3}))
    p50 = only(found, "p50")
    assert p50.ratio == pytest.approx(1.2)
    assert p50.verdict == "worse"
    assert p50.ci95 is not None
    assert p50.ci95[0] > 1
    assert {only(found, name).verdict for name in ("macro_f1", "recall.S", "size")} == {"tie"}


@pytest.mark.parametrize(("load", "verdict"), [(0.2, "worse"), (None, "worse"), (5.0, "tie")])
def test_the_interval_is_wider_between_calls_on_a_busy_machine(
    files: Callable[..., tuple[str, str]], load: float | None, verdict: str
) -> None:
    state = device().before.model_copy(update={"load": load})
    # 1.96 * sqrt(2) * 0.02 is 5.5 % and twice that is 11.1 %; the machine has two cores.
    after = {"p50_s": 1.09e-3, "device": device(before=state)}
    p50 = only(edgeecg.compare(*files({"p50_s": 1e-3}, after)), "p50")
    assert p50.verdict == verdict


def test_a_difference_within_its_interval_is_a_tie(
    files: Callable[..., tuple[str, str]],
) -> None:
    before, after = joules(5.0, ci95_j=(4.7, 5.3)), joules(5.4, ci95_j=(5.0, 5.8))
    energy = only(edgeecg.compare(*files({"energy": before}, {"energy": after})), "energy")
    assert (energy.verdict, energy.ratio) == ("tie", pytest.approx(1.08))
    after = joules(6.0, ci95_j=(5.6, 6.4))
    energy = only(edgeecg.compare(*files({"energy": before}, {"energy": after})), "energy")
    assert (energy.verdict, energy.ci95) == ("worse", pytest.approx((1.1, 1.3)))


def test_the_interval_of_a_recall_is_a_paired_bootstrap_over_records(tmp_path: Path) -> None:
    first, second = scores(records(NAMES, 0)), scores(records(NAMES, 3))
    found = edgeecg.compare(
        write_scores(tmp_path / "a.json", first), write_scores(tmp_path / "b.json", second)
    )
    # The same draws, one record and one resample at a time.
    draws = np.random.default_rng(0).multinomial(22, np.full(22, 1 / 22), size=2000).tolist()

    def recall(matrices: dict[str, Any], draw: list[int]) -> float:
        rows = [matrices[name][1] for name in sorted(matrices)]
        hits = sum(n * row[1] for n, row in zip(draw, rows, strict=True))
        return hits / sum(n * sum(row) for n, row in zip(draw, rows, strict=True))

    differences = [recall(second.records, draw) - recall(first.records, draw) for draw in draws]
    change = only(found, "recall.S")
    assert change.ci95 == pytest.approx(np.percentile(differences, [2.5, 97.5]))
    assert change.difference == pytest.approx(
        second.per_class["S"].recall - first.per_class["S"].recall
    )
    # All S beats that were lost are of record 232, which some resamples do not contain.
    assert change.verdict == "tie"
    assert only(found, "recall.V").verdict == "worse"
    assert change.basis is not None


def test_a_score_that_its_matrices_do_not_give_has_no_interval(tmp_path: Path) -> None:
    first = scores(records(NAMES, 0))
    lower = first.per_class["S"].model_copy(update={"recall": 0.5})
    second = first.model_copy(update={"per_class": {**first.per_class, "S": lower}})
    found = edgeecg.compare(
        write_scores(tmp_path / "a.json", first),
        write_scores(tmp_path / "b.json", second),
        fail_if=["recall.S < -0.02"],
    )
    assert only(found, "recall.S").verdict == "no interval"
    assert only(found, "recall.V").verdict == "tie"
    assert found.failed


def test_without_single_records_no_difference_is_called(tmp_path: Path) -> None:
    paths = [
        write_scores(tmp_path / f"{slip}.json", label_scores(slip), class_map="superclasses")
        for slip in (0, 4)
    ]
    change = only(edgeecg.compare(*paths), "macro_auroc")
    assert change.difference == pytest.approx(-0.04)
    assert change.verdict == "no interval"
    assert change.reason is not None
    assert edgeecg.compare(*paths, fail_if=["auroc.MI < -0.02"]).failed
    # Nor is equality, which a few records alone do not show.
    assert only(edgeecg.compare(paths[0], paths[0]), "macro_auroc").verdict == "no interval"


@pytest.mark.parametrize(
    ("quantity", "before", "after", "reason"),
    [
        ("p50", {}, {"device": device(name="raspberry-pi-5")}, "Other devices"),
        ("p50", {}, {"device": device(emulated=True)}, r"x86-64 \(emulated\)"),
        ("p50", {}, {"device": device(cpu="Another CPU")}, "Other processors"),
        ("p50", {}, {"runtime": "litert 2.4.0"}, "Other runtimes"),
        ("p50", {}, {"latency": latency(2e-3, threads=4)}, "Other threads"),
        ("p50", {"input_shape": (1, 1, 256)}, {"input_shape": (8, 1, 256)}, "Other batches"),
        ("energy", {}, {"energy": joules(1.0, meter="ppk2")}, "Other meters"),
        ("energy", {}, {"energy": joules(1.0, zones=("psys",))}, "Other meters"),
        ("energy", {}, {"energy": joules(1.0, replayed=True)}, "Other meters"),
        ("energy", {}, {"device": device(name="raspberry-pi-5")}, "Other devices"),
    ],
)
def test_measurements_that_are_not_alike_are_refused_with_the_reason(
    files: Callable[..., tuple[str, str]],
    quantity: str,
    before: dict[str, Any],
    after: dict[str, Any],
    reason: str,
) -> None:
    paths = files({"energy": joules(1.0), **before}, {"energy": joules(1.0), **after})
    found = edgeecg.compare(*paths)
    change = only(found, quantity)
    assert change.refused
    assert (change.verdict, change.difference, change.ratio) == ("not compared", None, None)
    assert re.search(reason, change.reason or "")
    forced = only(edgeecg.compare(*paths, force=True), quantity)
    assert forced.ratio is not None
    assert forced.forced == change.reason


def test_other_suites_are_refused(full: Builder, tmp_path: Path) -> None:
    result = full.result(full.manifest("compressed"))
    longer = bench().suite.model_copy(update={"min_runs": 500})
    paths = write(tmp_path / "a.json", result), write(tmp_path / "b.json", result, suite=longer)
    change = only(edgeecg.compare(*paths), "p50")
    assert change.refused
    assert "500 runs" in (change.reason or "")


@pytest.mark.parametrize(
    ("changes", "extra", "reason"),
    [
        ({"data": "folder"}, {}, "Other data"),
        ({"split": "val"}, {}, "Other splits"),
        ({}, {"class_map": "ec57"}, "Other class maps"),
        ({"n": 17}, {}, "Other test sets"),
        ({"records": {}}, {}, None),
    ],
)
def test_scores_of_other_data_are_refused(
    tmp_path: Path, changes: dict[str, Any], extra: dict[str, Any], reason: str | None
) -> None:
    first = scores(records(NAMES, 0))
    second = first.model_copy(update=changes)
    paths = (
        write_scores(tmp_path / "a.json", first),
        write_scores(tmp_path / "b.json", second, **extra),
    )
    change = only(edgeecg.compare(*paths), "recall.S")
    assert change.refused is (reason is not None)
    assert (reason or "") in (change.reason or "")


def test_other_records_and_other_labels_are_refused(tmp_path: Path) -> None:
    first = scores(records(NAMES, 0))
    renamed = {f"x{name}": rows for name, rows in records(NAMES, 1).items()}
    # One beat of record 100 is labelled S in place of N.
    relabelled = {**first.records, "100": ((1899, 60, 40), (9, 12, 1), (9, 4, 140))}
    a = write_scores(tmp_path / "a.json", first)
    for matrices, reason in ((renamed, "test records"), (relabelled, "labels of the test records")):
        b = write_scores(tmp_path / "b.json", scores(matrices))
        change = only(edgeecg.compare(a, b), "macro_f1")
        assert change.refused
        assert reason in (change.reason or "")
        forced = only(edgeecg.compare(a, b, force=True), "macro_f1")
        assert forced.verdict == "no interval"


def test_an_energy_that_was_not_measured_is_not_compared_and_no_refusal(
    files: Callable[..., tuple[str, str]],
) -> None:
    found = edgeecg.compare(*files({"energy": joules(1.0)}, {}), fail_if=["energy > 1.1x"])
    change = only(found, "energy")
    assert (change.verdict, change.refused, change.after) == ("not compared", False, None)
    assert "powercap" in (change.reason or "")
    assert [each.outcome for each in found.conditions] == ["unknown"]
    assert not found.failed


def test_instructions_differ_beyond_half_a_percent(full: Builder, tmp_path: Path) -> None:
    a = write_counts(tmp_path / "a.json", full, 10_000_000)
    near = write_counts(tmp_path / "near.json", full, 10_040_000)
    far = write_counts(tmp_path / "far.json", full, 10_200_000)
    assert only(edgeecg.compare(a, near), "instructions").verdict == "tie"
    found = edgeecg.compare(a, far, fail_if=["instructions > 1.01x"])
    assert only(found, "instructions").verdict == "worse"
    assert found.failed
    other = write_counts(tmp_path / "other.json", full, 10_000_000, core="cortex-a76")
    change = only(edgeecg.compare(a, other), "instructions")
    assert change.refused
    assert "Other emulated cores" in (change.reason or "")


def test_proxies_relative_to_other_baselines_are_refused(full: Builder, tmp_path: Path) -> None:
    manifest = full.manifest("compressed")
    assert manifest.baseline is not None
    other = manifest.baseline.model_copy(
        update={"costs": manifest.baseline.costs.model_copy(update={"weight_bytes": 1})}
    )
    paths = [
        write(tmp_path / f"{n}.json", full.result(full.manifest("compressed", baseline=baseline)))
        for n, baseline in enumerate((manifest.baseline, other))
    ]
    change = only(edgeecg.compare(*paths), "proxy_executed")
    assert change.refused
    assert "baselines" in (change.reason or "")


def test_files_of_one_call_are_compared_round_by_round(full: Builder, tmp_path: Path) -> None:
    drift = tuple(1e-3 * (1 + n // 20 * 0.2) for n in range(100))
    dense = full.result(full.manifest("baseline"), latency=latency(1.4e-3, samples_s=drift))
    slow = tuple(1.1 * each for each in drift)
    small = full.result(full.manifest("compressed"), latency=latency(1.54e-3, samples_s=slow))
    path = write(tmp_path / "both.json", dense, small)
    change = only(edgeecg.compare(f"{path}#baseline-tflite", f"{path}#compressed-tflite"), "p50")
    assert change.verdict == "worse"
    assert change.ci95 == pytest.approx((1.1, 1.1), rel=1e-4)
    apart = [write(tmp_path / f"{n}.json", result) for n, result in enumerate((dense, small))]
    assert only(edgeecg.compare(*apart), "p50").verdict == "tie"


def test_files_of_one_call_on_two_hosts_are_not_compared_round_by_round(
    full: Builder, tmp_path: Path
) -> None:
    one = latency(1e-3, samples_s=(1e-3,) * 100)
    two = latency(1.02e-3, samples_s=(1.02e-3,) * 100)
    results = [
        full.result(full.manifest("baseline"), host="pi@one", latency=one),
        full.result(full.manifest("compressed"), host="pi@two", latency=two),
    ]
    path = write(tmp_path / "fleet.json", *results)
    change = only(edgeecg.compare(f"{path}#baseline-tflite", f"{path}#compressed-tflite"), "p50")
    # They were not timed in turn, so that 2 % is within the variation between calls.
    assert change.verdict == "tie"
    assert "in turn" not in (change.basis or "")


def test_the_newest_measurement_of_a_dense_run_is_compared(
    full: Builder, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(full.run.path.parent.parent)
    full.run.model_card.unlink()
    full.forget_measurements()
    manifest = full.manifest("baseline")
    full.write_bench(full.result(manifest, 3e-3), name="a", created="2026-03-01T00:00:00+00:00")
    full.write_bench(full.result(manifest, 1e-3), name="b", created="2026-03-03T00:00:00+00:00")
    full.write_bench(full.result(manifest, 2e-3), name="c", created="2026-03-02T00:00:00+00:00")
    newest = write(tmp_path / "newest.json", full.result(manifest, 1e-3))
    (pair,) = edgeecg.compare("demo", newest).pairs
    p50 = pair.of("p50")
    assert p50 is not None
    assert p50.ratio == pytest.approx(1.0)


def test_runs_are_compared_file_by_file_in_equal_setups(
    full: Builder, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = full.run.path.parent.parent
    monkeypatch.chdir(root)
    other = Builder(type(full.run)(root / "runs" / "other"))
    other.write_all()
    manifest = full.manifest("compressed")
    other.write_bench(
        other.result(manifest, 5e-3, device=device(name="raspberry-pi-5")),
        name="pi",
        created="2026-02-02T03:04:05+00:00",
    )
    found = edgeecg.compare("demo", "other")
    assert [pair.after_label for pair in found.pairs] == [
        "compressed model",
        "compressed tflite",
        "compressed tflite-int8",
    ]
    p50 = found.pairs[1].of("p50")
    assert p50 is not None
    assert p50.ratio == pytest.approx(1.0)
    assert not found.refused


def on_hosts(full: Builder, path: Path, **p50s: float) -> str:
    manifest = full.manifest("compressed")
    return write(
        path, *(full.result(manifest, p50_s, host=f"pi@{name}") for name, p50_s in p50s.items())
    )


def test_each_host_is_compared_with_itself(full: Builder, tmp_path: Path) -> None:
    before = on_hosts(full, tmp_path / "before.json", one=1e-3, two=2e-3)
    after = on_hosts(full, tmp_path / "after.json", two=6e-3, one=1e-3, three=1e-3)
    found = edgeecg.compare(before, after, fail_if=["p50 > 2x"])
    changes = [pair.of("p50") for pair in found.pairs]
    assert [each.ratio for each in changes if each] == pytest.approx([1.0, 3.0])
    assert found.failed
    notes = [" ".join(pair.notes) for pair in found.pairs]
    assert "pi@one" in notes[0]
    assert "pi@two" in notes[1]
    assert notes[0].count("pi@three") == 1
    assert "pi@three" not in notes[1]


def test_without_a_common_host_the_setup_decides_and_the_rest_is_named(
    full: Builder, tmp_path: Path
) -> None:
    before = on_hosts(full, tmp_path / "before.json", one=1e-3, two=2e-3)
    here = write(tmp_path / "here.json", full.result(full.manifest("compressed"), 1e-3))
    for after in (here, on_hosts(full, tmp_path / "after.json", three=1e-3)):
        (pair,) = edgeecg.compare(before, after).pairs
        change = pair.of("p50")
        assert change is not None
        assert change.ratio == pytest.approx(1.0)
        assert any("pi@two" in note and "left out" in note for note in pair.notes)


def test_a_file_is_chosen_by_label_or_name_and_several_others_are_compared(
    full: Builder, tmp_path: Path
) -> None:
    dense, small = (full.result(full.manifest(role)) for role in ("baseline", "compressed"))
    path = write(tmp_path / "both.json", dense, small)
    one = write(tmp_path / "one.json", small)
    found = edgeecg.compare(
        one, f"{path}#compressed tflite", f"{path}#resnet1d_attn-compressed-tflite"
    )
    assert [pair.after_label for pair in found.pairs] == ["compressed tflite"] * 2
    with pytest.raises(UsageError, match="baseline tflite, compressed tflite"):
        edgeecg.compare(one, f"{path}#nonsense")
    evaluated = write_scores(tmp_path / "scores.json", scores(records(NAMES, 0)))
    with pytest.raises(UsageError, match="no result in common"):
        edgeecg.compare(evaluated, path)


def test_conditions_are_read_before_any_file() -> None:
    with pytest.raises(UsageError, match="cannot be used"):
        edgeecg.compare("nosuch", "nosuch", fail_if=["p50 is 3"])


def test_the_document_can_be_read_back(files: Callable[..., tuple[str, str]]) -> None:
    found = edgeecg.compare(*files({}, {}), fail_if=["p50 > 1.05x"])
    document = json.loads(found.to_json())
    assert document["schema"] == "edgeecg.compare/1"
    assert document["failed"] is False
    assert Differences.from_json(found.to_json(), "it") == found


def test_notes_tell_of_synthetic_records_emulation_and_warnings(
    build: Callable[..., Builder], tmp_path: Path
) -> None:
    builder = build("synthetic")
    result = builder.result(builder.manifest("compressed"), device=device(emulated=True))
    path = write(tmp_path / "a.json", result, warnings=("The governor is powersave.",))
    (pair,) = edgeecg.compare(path, path).pairs
    text = " ".join(pair.notes)
    assert "synthetic records" in text
    assert "emulated device" in text
    assert "powersave" in text
