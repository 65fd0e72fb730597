"""Which results are compared: a file with its own dense file, of its own call, with its energy."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from compared_files import write
from report_measurements import bench, joules, latency
from report_run import Builder
from report_scores import sha

import edgeecg
from edgeecg import cli
from edgeecg.benchmark import run_artifacts
from edgeecg.errors import UsageError
from edgeecg.reporting import (
    comparison,
    documents,
    named_results,
    results,
    variant_table,
    verdict,
)
from edgeecg.schema import Artifact, BenchResult, FileFailure, Proxy


def of_other_run(builder: Builder, role: Any) -> Artifact:
    """The manifest of another run's file: other weights, files and scores."""
    manifest = builder.manifest(role)
    assert manifest.baseline is not None
    dense = sha("other baseline")
    return manifest.model_copy(
        update={
            "run": "other",
            "weights_sha256": dense if role == "baseline" else sha("other compressed"),
            "baseline": manifest.baseline.model_copy(update={"weights_sha256": dense}),
            "test": builder.scored(builder.data.test_records, 30 if role == "baseline" else 33),
            "sha256": sha(f"other {role}"),
        }
    )


def of_two_runs(builder: Builder, slower: float = 1.0) -> list[BenchResult]:
    """Both files of two runs, measured in one call; the dense ones take 2 ms and 4 ms."""
    found: list[BenchResult] = []
    for name, manifests, dense_s in (
        ("demo", [builder.manifest("baseline"), builder.manifest("compressed")], 2e-3),
        ("other", [of_other_run(builder, "baseline"), of_other_run(builder, "compressed")], 4e-3),
    ):
        for manifest, factor in zip(manifests, (1.0, 0.25), strict=True):
            result = builder.result(manifest, dense_s * factor * (slower if factor < 1 else 1.0))
            path = f"runs/{name}/artifacts/{manifest.file}"
            artifact = result.artifact.model_copy(update={"file": path})
            found.append(result.model_copy(update={"artifact": artifact}))
    return found


def test_a_file_is_compared_with_the_dense_file_that_it_was_compressed_from(
    full: Builder, tmp_path: Path
) -> None:
    name = write(tmp_path / "both.json", *of_two_runs(full))
    rows = results.read([name]).rows
    assert [row.latency_ratio for row in rows] == pytest.approx([1, 0.25, 1, 0.25])
    alone = [
        results.read([write(tmp_path / f"{n}.json", *of_two_runs(full)[n : n + 2])]).rows[1].change
        for n in (0, 2)
    ]
    assert [rows[1].change, rows[3].change] == alone
    assert alone[0] != alone[1]


def test_every_file_of_two_runs_is_compared_with_itself(
    full: Builder, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = write(tmp_path / "before.json", *of_two_runs(full))
    slow = [*of_two_runs(full)[:3], of_two_runs(full, slower=3.0)[3]]
    after = write(tmp_path / "after.json", *slow)
    assert cli.run(["compare", before, after, "--fail-if", "p50 > 1.05x"]) == 1
    assert "runs/other" in capsys.readouterr().err
    assert len(edgeecg.compare(before, after).pairs) == 4


def test_a_label_of_several_files_is_refused_with_their_labels(
    full: Builder, tmp_path: Path
) -> None:
    name = write(tmp_path / "both.json", *of_two_runs(full))
    stem = full.manifest("compressed").name
    with pytest.raises(UsageError, match=f"has 2 results '{stem}'") as raised:
        named_results.read(f"{name}#{stem}")
    assert f"runs/other/artifacts/{stem}.tflite" in raised.value.why
    (one,) = named_results.read(f"{name}#runs/other/artifacts/{stem}.tflite")
    assert one.result is not None
    assert one.result.latency.p50_s == 1e-3


def test_results_that_are_kept_with_two_runs_are_of_one_call(
    full: Builder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    other = Builder(type(full.run)(tmp_path / "runs" / "other"))
    other.write_models()
    drift = tuple(1e-3 * (1 + n // 20 * 0.2) for n in range(100))
    slow = tuple(1.1 * each for each in drift)
    measured: list[BenchResult] = []
    for name, samples in (("demo", drift), ("other", slow)):
        result = full.result(
            full.manifest("compressed"), latency=latency(samples[50], samples_s=samples)
        )
        path = f"runs/{name}/artifacts/{result.artifact.file}"
        artifact = result.artifact.model_copy(update={"file": path})
        measured.append(result.model_copy(update={"artifact": artifact}))
    paths = run_artifacts.store(bench(*measured))
    assert len(paths) == 2
    (pair,) = edgeecg.compare(*paths).pairs
    change = pair.of("p50")
    assert change is not None
    assert "in turn in one call" in (change.basis or "")


def test_an_energy_is_not_replaced_by_a_newer_result_without_one(full: Builder) -> None:
    full.forget_measurements()
    slim = full.manifest("compressed")
    day = "2026-01-0{}T00:00:00+00:00"
    full.write_bench(full.result(slim, 2e-3, energy=joules(4e-6)), name="a", created=day.format(1))
    full.write_bench(full.result(slim, 1e-3), name="b", created=day.format(2))
    read = documents.read(full.run)
    (kept,) = read.measurements
    assert kept.source == "a.json"
    assert kept.result.energy.net_j == 4e-6
    (remark,) = read.left_out
    assert remark.subject == "b.json"
    assert remark.text == "1 result not used: without an energy, which a.json has"
    unresolved = joules(1e-6, tier="not resolved", reason="Below the detection limit.")
    full.write_bench(full.result(slim, 1e-3, energy=unresolved), name="c", created=day.format(3))
    (kept,) = documents.read(full.run).measurements
    assert kept.source == "c.json"


def test_an_energy_of_a_dense_model_is_not_replaced_either(full: Builder) -> None:
    full.forget_measurements()
    dense = full.manifest("baseline")
    day = "2026-01-0{}T00:00:00+00:00"
    full.write_bench(full.result(dense, energy=joules(4e-6)), name="a", created=day.format(1))
    full.write_bench(full.result(dense), name="b", created=day.format(2))
    for path in (full.run.model_card, full.run.config, full.run.compression_log):
        path.unlink(missing_ok=True)
    _, row = named_results.read(str(full.run.path))
    assert row.result is not None
    assert row.result.energy.tier == "measured"


def test_the_dense_file_of_the_same_call_is_the_reference(full: Builder) -> None:
    full.forget_measurements()
    dense, slim = full.manifest("baseline"), full.manifest("compressed")
    day = "2026-01-0{}T00:00:00+00:00"
    together = full.result(dense, 2e-3), full.result(slim, 1e-3)
    full.write_bench(*together, name="a", created=day.format(1))
    full.write_bench(full.result(dense, 3e-3), name="b", created=day.format(2))
    compared = comparison.compare(documents.read(full.run))
    row = next(each for each in compared.files if each.label == "compressed tflite")
    assert row.measured is not None
    assert row.measured.latency_ratio == pytest.approx(0.5)
    assert row.measured.same_call


def test_proxies_of_a_named_baseline_are_relative_to_the_dense_file_again(full: Builder) -> None:
    full.forget_measurements()
    whole = Proxy(ideal=3.0, executed=3.0, macs=21_000_000, weight_bytes=1)
    part = Proxy(ideal=1.0, executed=1.0, macs=6_000_000, weight_bytes=1)
    slim = full.manifest("compressed")
    path = full.write_bench(
        full.result(full.manifest("baseline"), 2e-3, proxy=whole),
        full.result(slim, 1e-3, proxy=part),
    )
    document = json.loads(path.read_text(encoding="utf-8"))
    path.write_text(json.dumps({**document, "baseline": slim.file}), encoding="utf-8")
    compared = comparison.compare(documents.read(full.run))
    dense, small = (each.measured for each in compared.files if each.measured is not None)
    assert dense.proxy_executed == pytest.approx(1.0)
    # 0.28 of all that the dense layers do.
    assert small.proxy_executed == pytest.approx(0.28, abs=1e-3)
    assert small.latency_over_proxy == pytest.approx(0.5 / 0.28, rel=0.01)


def test_what_could_not_be_measured_is_named(full: Builder, tmp_path: Path) -> None:
    failed = FileFailure(file="bad.tflite", what="It is damaged.", why="Half.", todo="Copy it.")
    name = write(
        tmp_path / "b.json", full.result(full.manifest("baseline")), failed_files=(failed,)
    )
    (remark,) = results.read([name]).left_out
    assert remark.subject == "bad.tflite"
    assert remark.text == "could not be measured. It is damaged. Half. Copy it."
    (full.run.bench / "b.json").write_bytes(Path(name).read_bytes())
    assert remark in documents.read(full.run).left_out


def test_one_result_of_a_source_is_compared_with_its_dense_file(
    full: Builder, tmp_path: Path
) -> None:
    name = write(tmp_path / "both.json", *of_two_runs(full)[:2])
    whole, one = results.read([name]), results.read([f"{name}#compressed-tflite"])
    assert one.differences == whole.differences[1:]
    (sentence,) = verdict.of_variants(one.variants, one.differences)
    assert verdict.NO_REFERENCE not in sentence


def test_replayed_energies_are_marked_everywhere(full: Builder, tmp_path: Path) -> None:
    dense = full.result(full.manifest("baseline"), energy=joules(8e-6, replayed=True))
    slim = full.result(full.manifest("compressed"), energy=joules(4e-6, replayed=True))
    name = write(tmp_path / "b.json", dense, slim)
    found = results.read([name])
    assert all(row.energy_replayed for row in found.rows)
    (sentence,) = verdict.of_variants(found.variants, found.differences)
    assert "net energy from replayed values of a meter" in sentence
    assert "measured net energy" not in sentence
    again = write(tmp_path / "c.json", dense, slim)
    notes = edgeecg.compare(name, again).pairs[0].notes
    assert any("a recording or a simulation" in note for note in notes)


def test_a_page_names_the_baseline_that_the_user_named(full: Builder, tmp_path: Path) -> None:
    slim = full.manifest("compressed")
    measured = full.result(full.manifest("baseline"), 2e-3), full.result(slim, 1e-3)
    name = write(tmp_path / "b.json", *measured, baseline=slim.file)
    found = results.read([name])
    assert {row.relative_to for row in found.rows} == {slim.file}
    notes = " ".join(variant_table.table(found.rows, "").notes)
    assert f"are relative to {slim.file}, which bench --baseline named" in notes
