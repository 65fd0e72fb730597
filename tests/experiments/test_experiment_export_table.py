"""The experiment of every model in every export target: its tasks, its times and its tables."""

from __future__ import annotations

import contextlib
from collections.abc import Generator, Sequence
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from harness import experiment, rounds, runner
from harness.experiment import Context
from harness.kinds import export_table as kind
from harness.provenance import provenance
from harness.results import Results
from harness.rounds import Collect, Rounds
from harness.tables import export_table as tables
from torch import nn

from edgeecg import resources
from edgeecg.benchmark.latency import Times
from edgeecg.errors import ExportError
from edgeecg.exporters._limits import MissedLimitError
from edgeecg.runs import RunFolder


def asked() -> experiment.Experiment:
    return experiment.load("export_table")


def test_every_target_of_every_model_is_a_task_and_the_times_of_a_model_are_one() -> None:
    keys = [dict(task.key) for task in kind.tasks(asked(), Context())]
    files = [key for key in keys if key["what"] == "files"]
    assert {key["target"] for key in files} == set(resources.target_names())
    assert len(files) == len(asked().runs) * len(resources.target_names())
    times = [key for key in keys if key["what"] == "times"]
    assert [key["run"] for key in times] == [run.label for run in asked().runs]
    counted = [key for key in keys if key["what"] == "instructions"]
    assert [key["run"] for key in counted] == [run.label for run in asked().runs]


def test_without_a_core_no_instructions_are_counted() -> None:
    quick = asked().quickly()
    assert "instructions" not in {task.key["what"] for task in kind.tasks(quick, Context(True))}


class Counting:
    """Stands for the emulator: a file takes as many instructions as it has bytes, times 10."""

    def __init__(self) -> None:
        self.asked: list[tuple[list[str], str, bool]] = []

    def __call__(self, files: Sequence[Path], device: str, *, operations: bool) -> Any:
        self.asked.append(([path.name for path in files], device, operations))
        results = [
            SimpleNamespace(
                artifact=SimpleNamespace(sha256=f"hash of {path.name}"),
                runtime="litert 2.3.0",
                instructions=SimpleNamespace(
                    per_inference=10 * path.stat().st_size, emulator="qemu 7.2.22"
                ),
            )
            for path in files
        ]
        image = SimpleNamespace(kernel="linux 6.1", recipe="0123")
        return SimpleNamespace(results=results, image=image)


def test_instructions_are_those_of_the_tflite_files_of_a_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    emulator = Counting()
    monkeypatch.setattr(kind.instructions, "count", emulator)
    for name in ("m-baseline-tflite", "m-baseline-tflite-int8"):
        (tmp_path / f"{name}.tflite").write_bytes(b"12345")

    def files(_: RunFolder, role: str, targets: Sequence[str], __: Path) -> list[tuple[str, Path]]:
        return [(each, tmp_path / f"m-{role}-{each}.tflite") for each in targets]

    monkeypatch.setattr(kind, "_files", files)
    monkeypatch.chdir(tmp_path)
    targets = ["tflite", "onnx", "tflite-int8"]
    settings = {**asked().settings, "targets": targets, "cores": ["cortex-a76"]}
    tasks = kind.tasks(asked().model_copy(update={"settings": settings}), Context())
    task = next(
        t for t in tasks if t.key == {"what": "instructions", "run": "tiny_rhythm", "seed": 0}
    )
    (row,) = task.measure()
    names = ["m-baseline-tflite.tflite", "m-baseline-tflite-int8.tflite"]
    assert emulator.asked == [(names, "emulated:cortex-a76", False)]
    assert row["files"]["baseline-tflite-int8"] == {
        "sha256": "hash of m-baseline-tflite-int8.tflite",
        "runtime": "litert 2.3.0",
        "cortex-a76": 50,
    }
    assert (row["emulated"], row["kernel"]) == (True, "linux 6.1")


def test_a_model_without_a_budget_has_a_dense_file_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = {task.key["run"]: task.rows for task in kind.tasks(asked(), Context()) if task.rows > 1}
    assert set(rows.values()) == {2}
    assert {run.label for run in asked().runs} - set(rows) == {"tiny_rhythm"}
    monkeypatch.chdir(tmp_path)
    assert kind.models_of(asked().run("tiny_rhythm"), 0, False).dense_only


def test_rows_of_one_kind_are_measured_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def times_row(*_: object) -> list[dict[str, Any]]:
        return [{"rounds": 1, "files": {}}]

    monkeypatch.setattr(kind, "_times_row", times_row)
    plan = runner.Plan(results=tmp_path, what="times", labels=["cnn1d"])
    assert runner.perform(asked(), Context(), plan).tasks == 1


@contextlib.contextmanager
def constant(seconds: float, cpu: int | None) -> Generator[tuple[str, Collect]]:
    """Take 1, 2 and 4 times as long in three rounds, as a machine that slows down does."""
    slower = iter((1, 2, 4))

    def collect(times: Times, _: float) -> None:
        times.samples_ns += [round(seconds * 1e9 * next(slower))] * 3

    yield "a runtime", collect


def test_a_drift_of_the_machine_leaves_the_ratio() -> None:
    ready = {"one": partial(constant, 3e-3), "other": partial(constant, 1e-3)}
    found = rounds.timed(ready, {"one": "other", "other": "absent"}, Rounds(3, 0.01))
    assert found["one"]["p50_s"] == pytest.approx(6e-3)
    ratios = [found["one"][key] for key in ("ratio", "ratio_low", "ratio_high")]
    assert ratios == pytest.approx([3.0, 3.0, 3.0])
    assert "ratio" not in found["other"]


class Slow(nn.Module):
    """A module that takes longer than a millisecond, and notes how it is called."""

    threads = 0
    gradients = True

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        self.threads, self.gradients = torch.get_num_threads(), torch.is_grad_enabled()
        time_s = 1e-3
        import time

        time.sleep(time_s)
        return x


def test_a_module_is_timed_on_one_thread_without_gradients() -> None:
    module, times = Slow(), Times()
    with rounds.module_ready(module, (1, 8), None) as (runtime, collect):
        collect(times, 0.01)
    assert runtime == f"torch {torch.__version__}"
    assert (module.threads, module.gradients) == (1, False)
    assert 1e-3 < times.p50_s < 0.1
    assert len(times.samples_ns) >= 20


def test_a_refused_file_keeps_its_reason(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    error = MissedLimitError("'m-compressed-tflite-int8' was not written.", "It lost 0.2.", "Take")

    def export(*_: object, on_left_out: Any, **__: object) -> None:
        on_left_out(ExportError("'m-baseline-tflite-int8' was not written.", "Dense lost.", "Take"))
        on_left_out(error)
        raise error

    monkeypatch.setattr(kind.edgeecg, "export", export)
    monkeypatch.setattr(kind, "_paths", lambda *_: [])  # pyright: ignore[reportUnknownLambdaType]
    failures = kind.exported(RunFolder(tmp_path), ["tflite-int8"])
    assert [each.why for each in failures] == ["Dense lost.", "It lost 0.2."]
    absent = tmp_path / "m.rejected"
    assert kind.reason(absent, "compressed", failures) == "It lost 0.2."
    assert kind.reason(absent, "baseline", failures) == "Dense lost."


def file_row(run: str, role: str, target: str, **values: Any) -> dict[str, Any]:
    return {
        **{"what": "files", "run": run, "seed": 0, "target": target, "role": role},
        **{"metric": "macro-F1", "score_of_pytorch": 0.8, "windows": 49_675, "refused": None},
        **{
            "size_bytes": 76_500,
            "ops": 20,
            "probes": 256,
            "same_labels": 1.0,
            "max_abs_diff": 2e-6,
        },
        **{"score": 0.79, "sha256": f"{run}-{role}-{target}"},
        **provenance(),
        **values,
    }


def times_row(run: str, **files: float) -> dict[str, Any]:
    timed = {
        name.replace("_", "-"): {
            **{"p50_s": ratio * 1e-4, "runtime": "litert 2.3.0"},
            **{"ratio": ratio, "ratio_low": ratio - 0.1, "ratio_high": ratio + 0.1},
        }
        for name, ratio in files.items()
    }
    return {
        **{"what": "times", "run": run, "seed": 0, "rounds": 7, "files": timed},
        **provenance(),
        "cpu_features": ["avx2", "avx512_vnni"],
    }


def instructions_row(run: str, **files: tuple[int, int]) -> dict[str, Any]:
    counted = {
        name.replace("_", "-"): {
            **{"sha256": f"{run}-{name.replace('_', '-')}", "runtime": "litert 2.3.0"},
            **{"cortex-a72": a72, "cortex-a76": a76},
        }
        for name, (a72, a76) in files.items()
    }
    return {
        **{"what": "instructions", "run": run, "seed": 0, "files": counted, "emulated": True},
        **{"emulator": "qemu 7.2.22", "kernel": "linux 6.1", "image": "0123"},
        **provenance(),
    }


@pytest.fixture
def results(tmp_path: Path) -> Results:
    """A model with a timed and a refused file, and a model that was not timed."""
    rows = [
        file_row("cnn1d", "compressed", "tflite"),
        file_row("cnn1d", "compressed", "onnx-int8", refused="It lost 0.2."),
        file_row("bilstm", "compressed", "tflite", score=0.8000001),
        times_row("cnn1d", compressed_tflite=1.0, compressed_onnx=0.5, compressed_pytorch=3.5),
    ]
    return Results(asked(), rows, tmp_path)


def test_the_table_has_files_refusals_and_what_is_missing(results: Results) -> None:
    table = tables.whole(results)
    lines = [line for line in table.splitlines() if line.startswith("| `")]
    assert lines == [
        "| `bilstm`, compressed | `tflite` | 76 | 20 | not timed | - | - | - | 100.0 % "
        "| 2e-06 | macro-F1 0.8000 | +0.0000 |",
        "| `bilstm`, compressed | PyTorch | - | - | not timed | - | - | - | - | - "
        "| macro-F1 0.8000 | - |",
        "| `cnn1d`, compressed | `tflite` | 76 | 20 | 100 | 1.00 (0.90-1.10) | - | - | 100.0 % "
        "| 2e-06 | macro-F1 0.7900 | +0.0100 |",
        "| `cnn1d`, compressed | `onnx-int8` | refused | - | - | - | - | - | - | - | - | - |",
        "| `cnn1d`, compressed | PyTorch | - | - | 350 | 3.50 (3.40-3.60) | - | - | - | - "
        "| macro-F1 0.8000 | - |",
    ]
    assert "- `cnn1d`, compressed, `onnx-int8`: It lost 0.2." in table
    assert "which has int8 dot-product instructions (VNNI)" in table
    assert "Still to be measured: bilstm (onnx), bilstm (onnx-fp16)" in table
    assert "bilstm (times), bilstm (instructions), cnn1d (onnx), " in table
    assert "cnn1d (instructions), cnn_lstm_attn (files), cnn_lstm_attn (times)" in table
    assert "No file lost more than 0.01 of its score." in table
    # Half of the time in ONNX Runtime, 0.4 to 0.6 of it in single rounds.
    assert "more than 1.3 times as long as `onnx`: `cnn1d`, compressed: 2.00 (1.67-2.50)." in table
    assert (
        "`--budget energy=0.15` for `cnn1d`, with `--distill-alpha 0.9 --finetune-windows training"
        in table
    )


def test_the_table_has_the_instructions_of_the_files_it_names(
    results: Results, tmp_path: Path
) -> None:
    rows = [
        *results.rows,
        file_row("cnn1d", "baseline", "tflite"),
        file_row("cnn1d", "compressed", "tflite-int8"),
        file_row("cnn1d", "compressed", "tflite-fp16"),
        file_row("cnn1d", "compressed", "tflite-mixed", sha256="of another file"),
        instructions_row(
            "cnn1d",
            baseline_tflite=(4_000_000, 2_000_000),
            compressed_tflite=(1_000_000, 600_000),
            # Fewer by less than two counts of one file differ.
            compressed_tflite_fp16=(999_000, 600_000),
            compressed_tflite_int8=(1_200_000, 170_000),
            compressed_tflite_mixed=(1, 1),
        ),
    ]
    table = tables.whole(Results(asked(), rows, tmp_path))
    assert "| 1.00 (0.90-1.10) | 1.000 | 0.600 | 100.0 % " in table
    assert "`tflite-int8` | 76 | 20 | not timed | - | 1.200 | 0.170 | 100.0 % " in table
    # The counts of another file than that of the row are not shown.
    assert "`tflite-mixed` | 76 | 20 | not timed | - | - | - | 100.0 % " in table
    assert "on the A72, relative to the dense `tflite` file: `cnn1d` `tflite` (0.250)." in table
    assert (
        "on the A76, relative to the dense `tflite` file: `cnn1d` `tflite-int8` (0.085)." in table
    )
    assert "EMULATED (qemu 7.2.22, linux 6.1), not a time of a Raspberry Pi" in table
    assert "cnn1d (instructions)" not in table
    assert "EMULATED" not in tables.whole(results)


def test_the_short_table_has_a_line_for_each_target(results: Results) -> None:
    lines = [line for line in tables.in_short(results).splitlines() if line.startswith("| `")]
    assert lines == [
        "| `tflite` | not timed, +0.000 | 1.00 ×, +0.010 |",
        "| `onnx-int8` | not exported | refused |",
    ]


def test_the_short_table_has_scores_alone_until_something_was_timed(
    results: Results, tmp_path: Path
) -> None:
    rows = [row for row in results.rows if row["what"] == "files"]
    table = tables.in_short(Results(asked(), rows, tmp_path))
    assert "| `tflite` | +0.000 | +0.010 |" in table
    assert "time relative" not in table
    assert "time relative to the `tflite` file of the same model, and" in tables.in_short(results)


def test_files_that_lost_more_than_a_hundredth_are_named(results: Results, tmp_path: Path) -> None:
    rows = [*results.rows, file_row("cnn1d", "baseline", "tflite-int8", score=0.7899)]
    table = tables.whole(Results(asked(), rows, tmp_path))
    assert "Lost more than 0.01 of the score: `cnn1d`, dense, `tflite-int8` (+0.0101)." in table


def test_the_short_table_leaves_out_models_that_are_not_compressed(
    results: Results, tmp_path: Path
) -> None:
    rows = [*results.rows, file_row("tiny_rhythm", "baseline", "tflite")]
    table = tables.in_short(Results(asked(), rows, tmp_path))
    assert table.startswith("| target | `bilstm` | `cnn1d` |\n")
    whole = tables.whole(Results(asked(), rows, tmp_path))
    assert "`--budget energy=0.15` for `cnn1d`, with" in whole
