from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from report_measurements import device, latency
from report_run import Builder
from report_scores import scores, sha

from edgeecg import runs
from edgeecg.errors import EdgeECGError, SchemaError
from edgeecg.reporting.documents import read
from edgeecg.runs.results import load_run
from edgeecg.schema import CustomModule


def test_a_run_without_exported_files_names_the_command(
    build: Callable[..., Builder],
) -> None:
    builder = build()
    builder.write_models()
    found = read(builder.run)
    assert [remark.subject for remark in found.missing()] == ["Exported files"]
    assert "edgeecg export" in found.missing()[0].text


def test_a_run_without_measurements_names_the_command(build: Callable[..., Builder]) -> None:
    builder = build()
    builder.write_models()
    builder.write_manifest(builder.manifest("compressed"))
    assert [remark.subject for remark in read(builder.run).missing()] == ["Measurements"]


def test_commands_name_the_run_so_that_they_work_as_they_stand(
    build: Callable[..., Builder], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    builder = build()
    builder.write_models()
    (moved,) = (tmp_path / "runs").iterdir()
    moved.rename(tmp_path / "runs" / "my run")
    monkeypatch.chdir(tmp_path)
    for name in ("my run", "runs/my run", str(tmp_path / "runs" / "my run")):
        (remark,) = read(runs.named(name)).missing()
        assert remark.text == "none yet. Run: edgeecg export --run 'my run' --target tflite"
    (tmp_path / "runs").rename(tmp_path / "other")
    (remark,) = read(runs.named("other/my run")).missing()
    assert "edgeecg export --run 'other/my run' " in remark.text


def test_the_command_that_exports_a_custom_module_names_its_file(
    build: Callable[..., Builder], monkeypatch: pytest.MonkeyPatch
) -> None:
    builder = build()
    builder.write_models()
    monkeypatch.chdir(builder.run.path.parents[1])
    log = builder.log()
    custom = CustomModule(file="/my files/net.py:build", sha256="0" * 64)
    config = log.config.model_copy(update={"custom": custom})
    changed = log.model_copy(update={"config": config})
    builder.run.compression_log.write_text(changed.to_json(), encoding="utf-8")
    (remark,) = read(runs.named("demo")).missing()
    command = "edgeecg export --run demo --custom '/my files/net.py:build' --target tflite"
    assert remark.text == f"none yet. Run: {command}"


def test_the_newest_measurement_by_its_own_time_is_used(full: Builder) -> None:
    dense = full.manifest("baseline")
    full.write_bench(full.result(dense, 5e-3), name="z-old", created="2025-12-31T00:00:00Z")
    full.write_bench(full.result(dense, 1e-3), name="a-new", created="2026-05-01T00:00:00")
    found = read(full.run)
    times = [m.result.latency.p50_s for m in found.of(found.exported[0])]
    assert times == [1e-3]
    remarks = {remark.subject: remark.text for remark in found.left_out}
    again = "1 result not used: measured again in a-new.json"
    assert remarks == {"bench.json": again, "z-old.json": again}


def test_other_devices_threads_and_emulators_are_other_measurements(full: Builder) -> None:
    dense = full.manifest("baseline")
    full.write_bench(
        full.result(dense, device=device(emulated=True)),
        full.result(dense, latency=latency(1e-3, threads=4)),
        full.result(dense, runtime="tflite-runtime 2.14.0"),
        name="more",
    )
    found = read(full.run)
    assert len(found.of(found.exported[0])) == 4


def test_a_foreign_file_is_named_and_not_compared(full: Builder) -> None:
    other = full.manifest("baseline", sha256=sha("somebody else's"), file="other.tflite")
    full.forget_measurements()
    full.write_bench(full.result(other), name="foreign")
    found = read(full.run)
    assert found.measurements == ()
    assert found.left_out[0].subject == "other.tflite"
    assert "not from this run" in found.left_out[0].text


def test_files_of_older_weights_are_left_out(full: Builder) -> None:
    stale = full.manifest("compressed", weights_sha256=sha("yesterday"))
    full.write_manifest(stale)
    found = read(full.run)
    assert stale.file not in [one.file for one in found.exported]
    assert any("other weights" in remark.text for remark in found.left_out)


def test_a_file_that_was_changed_after_export_is_left_out(full: Builder) -> None:
    (full.run.artifacts / "resnet1d_attn-compressed-tflite.tflite").write_bytes(b"changed")
    found = read(full.run)
    assert any("not the file" in remark.text for remark in found.left_out)
    assert "resnet1d_attn-compressed-tflite.tflite" not in [one.file for one in found.exported]


DAMAGED = [
    "{",
    "[]",
    '{"schema": "other/1"}',
    '{"schema": "edgeecg.instructions/1"}',
    "\x80",
    "null",
]


@pytest.mark.parametrize("content", DAMAGED)
def test_a_damaged_measurement_of_the_run_is_left_out_and_named(
    full: Builder, content: str
) -> None:
    measured = read(full.run).measurements
    path = full.run.bench / "later.json"
    path.write_bytes(content.encode("latin-1"))
    found = read(full.run)
    assert found.measurements == measured
    (remark,) = found.left_out
    assert remark.subject == "later.json"
    assert remark.text in found.unreadable
    assert "later.json" in remark.text


@pytest.mark.parametrize("content", DAMAGED)
def test_a_damaged_measurement_that_the_user_named_is_an_error(full: Builder, content: str) -> None:
    path = full.run.bench / "bench.json"
    path.write_bytes(content.encode("latin-1"))
    with pytest.raises(SchemaError, match=r"bench\.json"):
        read(full.run, [path])


def test_a_run_is_loaded_without_its_damaged_measurement(full: Builder) -> None:
    (full.run.bench / "later.json").write_text("{", encoding="utf-8")
    found = load_run(full.run.path)
    assert len(found.benches) == 1
    assert ["later.json" in why for why in found.unreadable] == [True]


@pytest.mark.parametrize("content", DAMAGED)
def test_a_damaged_model_card_is_an_error(full: Builder, content: str) -> None:
    full.run.model_card.write_bytes(content.encode("latin-1"))
    with pytest.raises(SchemaError, match=r"model\.json"):
        read(full.run)


def test_a_bench_file_that_does_not_exist_is_named(full: Builder) -> None:
    with pytest.raises(EdgeECGError, match=r"nowhere\.json cannot be read"):
        read(full.run, [full.run.path / "nowhere.json"])


def test_an_invalid_time_is_named(full: Builder) -> None:
    path = full.write_bench(
        full.result(full.manifest("baseline")), name="later", created="yesterday"
    )
    assert "created_utc" in read(full.run).left_out[0].text
    with pytest.raises(SchemaError, match="created_utc"):
        read(full.run, [path])


def test_a_matrix_that_does_not_fit_the_classes_is_named(full: Builder) -> None:
    card = full.card("compressed")
    bad = card.test.model_copy(update={"confusion": ((1, 2), (3,))})
    text = card.model_copy(update={"test": bad}).to_json()
    full.run.model_card.write_text(text, encoding="utf-8")
    with pytest.raises(SchemaError, match="confusion matrix"):
        read(full.run)


def test_text_that_is_not_unicode_is_refused(full: Builder) -> None:
    text = full.card("compressed").to_json().replace("0.1.0", "\\ud800")
    full.run.model_card.write_text(text, encoding="utf-8")
    with pytest.raises(SchemaError, match="not Unicode"):
        read(full.run)


def test_a_manifest_must_describe_a_file_beside_it(full: Builder) -> None:
    full.write_manifest(full.manifest("compressed", file="../../etc/passwd"))
    with pytest.raises(SchemaError, match="path"):
        read(full.run)


def test_scores_without_records_are_accepted(full: Builder) -> None:
    bare = scores({"100": ((5, 1, 1), (1, 5, 1), (1, 1, 5))}).model_copy(update={"records": {}})
    full.run.model_card.write_text(full.card("compressed", test=bare).to_json(), encoding="utf-8")
    assert read(full.run).model.test.records == {}
