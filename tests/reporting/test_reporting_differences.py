"""Comparing runs, bench reports and evaluations."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from compared_files import write, write_counts, write_scores
from report_run import DS2, Builder, bench, device, joules, label_scores, latency, records, scores

import edgeecg
from edgeecg.errors import EdgeECGError, SchemaError, UsageError
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

    differences = [
        recall(second.records, draw) - recall(first.records, draw) for draw in draws
    ]
    change = only(found, "recall.S")
    assert change.ci95 == pytest.approx(np.percentile(differences, [2.5, 97.5]))
    assert change.difference == pytest.approx(
        second.per_class["S"].recall - first.per_class["S"].recall
    )
    assert change.verdict == "worse"
    assert change.basis is not None


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
    with pytest.raises(AssertionError, match=reason):
        pytest.fail(change.reason or "") if change.reason else None
    forced = only(edgeecg.compare(*paths, force=True), quantity)
    assert forced.ratio is not None
    assert forced.forced == change.reason
