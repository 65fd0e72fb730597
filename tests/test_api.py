"""The public API: quick to import, silent, and the same values as the command line writes."""

from __future__ import annotations

import inspect
import json
import subprocess
import sys
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from timed_layers import SUITE

import edgeecg
from edgeecg import resources
from edgeecg.data import Dataset
from edgeecg.errors import EdgeECGError, UnknownNameError, UsageError
from edgeecg.schema import (
    CompressionLog,
    CompressionStep,
    InstructionReport,
    ModelCard,
    Rollback,
    Suite,
)

FUNCTIONS = sorted(set(edgeecg.__all__) - {"__version__"})


def given(dataset: Dataset, *_: object, **__: object) -> Dataset:
    """Replace the records on the disk."""
    return dataset


def test_importing_it_loads_nothing_heavy() -> None:
    script = (
        "import sys, edgeecg\n"
        "heavy = {'torch', 'numpy', 'pydantic', 'scipy', 'pandas', 'typer'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
    )
    subprocess.run([sys.executable, "-c", script], check=True)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_every_function_is_typed_and_documented(name: str) -> None:
    function = getattr(edgeecg, name)
    signature = inspect.signature(function)
    assert signature.return_annotation is not inspect.Signature.empty
    documented = inspect.getdoc(function) or ""
    for parameter in signature.parameters.values():
        assert parameter.annotation is not inspect.Parameter.empty
        assert f"{parameter.name}:" in documented
    assert "Raises:" in documented


def test_there_is_no_other_name() -> None:
    assert [
        *("battery", "bench", "calibrate", "classify", "compare", "compress"),
        *("count_instructions", "evaluate", "export", "load_dataset", "load_run", "report"),
        *("search", "trace", "train"),
    ] == FUNCTIONS
    with pytest.raises(AttributeError, match="no attribute 'trian'"):
        edgeecg.trian  # noqa: B018  # pyright: ignore[reportAttributeAccessIssue, reportUnknownMemberType]


def test_training_and_compressing_return_what_is_in_the_run_folder(
    toy_dataset: Dataset,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("edgeecg.training.start.load_dataset", partial(given, toy_dataset))
    loaded: list[Dataset] = []
    small: dict[str, Any] = {"epoch_windows": 64, "batch_size": 64}
    card = edgeecg.train("cnn1d", name="dense", epochs=1, on_data=loaded.append, **small)
    assert card == ModelCard.from_json(Path("runs/dense/baseline.json").read_bytes(), "card")
    assert loaded == [toy_dataset]

    steps: list[CompressionStep | Rollback] = []
    progress: list[tuple[str, int, int]] = []
    log = edgeecg.compress(
        start="dense",
        name="small",
        budget={"energy": 0.7},
        guards=["N:recall>=0"],
        finetune_epochs=1,
        on_step=steps.append,
        on_progress=lambda what, done, total: progress.append((what, done, total)),
        **small,
    )
    assert log == CompressionLog.from_json(Path("runs/small/compression.json").read_bytes(), "log")
    assert tuple(steps) == log.steps
    assert log.steps[-1].proxy_executed <= 0.7
    assert progress
    assert log.command.startswith("edgeecg.compress(")
    counts = Path("runs/small/bench/counts.json")
    counts.parent.mkdir()
    counts.write_text(json.dumps({"schema": InstructionReport.version}))
    found = edgeecg.load_run()
    assert found.benches == ()
    assert found.folder.name == "small"
    assert found.log == log
    assert found.compressed is not None
    assert found.compressed.parent_sha256 == found.baseline.weights_sha256 == card.weights_sha256
    said = capfd.readouterr()
    assert (said.out, said.err) == ("", "")


def test_what_cannot_be_is_an_exception_and_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UnknownNameError, match="Did you mean 'epochs'"):
        edgeecg.compress("cnn1d", epoch=1)
    with pytest.raises(UsageError, match="'budgets' and 'sparsity' contradict"):
        edgeecg.compress("cnn1d", budget={"energy": 0.5}, sparsity=0.5)
    with pytest.raises(UsageError, match="do not fit"):
        edgeecg.train("cnn1d", epochs=0)
    with pytest.raises(UnknownNameError, match="setting"):
        edgeecg.bench("a.tflite", threds=2)
    with pytest.raises(UnknownNameError):
        edgeecg.load_dataset("no-such-database")
    assert not list(tmp_path.iterdir())


def test_a_trace_gives_the_energy_of_an_inference(tmp_path: Path) -> None:
    # 3 mW above idle for a fifth of a second: 600 uJ, for 20 inferences.
    lines = ["t_s,watts,D0"]
    for k in range(2200):
        busy = 200 <= k % 400 < 400 and k < 2000
        lines.append(f"{k / 1000},{0.004 if busy else 0.001 + 1e-7 * (k % 7)},{int(busy)}")
    path = tmp_path / "trace.csv"
    path.write_text("\n".join(lines))
    assert edgeecg.trace(path, inferences=20, merge_s="1ms").net_j == pytest.approx(30e-6, rel=0.01)
    with pytest.raises(UsageError, match="number of inferences"):
        edgeecg.trace(path)
    with pytest.raises(UnknownNameError, match="inferences"):
        edgeecg.trace(path, inference=20)


def test_a_device_is_calibrated_from_a_program(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def load(name: str) -> Suite:
        return SUITE

    monkeypatch.setattr(resources, "load_suite", load)
    report = edgeecg.calibrate(
        tmp_path / "here.toml", device="x86-64", meter="none", runtime="onnxruntime"
    )
    assert report.calibration.runtime.startswith("onnxruntime ")
    assert set(report.calibration.seconds.per_mac) == {"float32", "int8"}
    written = resources.load_device(str(tmp_path / "here.toml"))
    assert written.calibration == report.calibration
    with pytest.raises(UsageError, match=r"ends in \.toml"):
        edgeecg.calibrate("here.json")
    with pytest.raises(UnknownNameError, match="litert"):
        edgeecg.calibrate(device="x86-64", runtime="lite")


def test_nothing_is_timed_on_an_emulated_core(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="count_instructions"):
        edgeecg.bench(tmp_path / "a.tflite", device="emulated:cortex-a76")
    with pytest.raises(UnknownNameError, match="cortex-a72"):
        edgeecg.count_instructions(tmp_path / "a.tflite", "emulated:cortex-a9")


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"budget": 0.2}, r"budget.*0\.2.*\{'energy': 0\.2\}"),
        ({"budget": {"energy": None}}, "energy=None.*energy=0.2"),
        ({"guards": [3]}, r"guards.*S:recall>=0\.5.*given: 3"),
        ({"guards": "S>=0.5"}, "'S>=0.5'"),
        ({"start": 3}, "no trained model in a run '3'"),
        ({"costs": 3}, "layer costs '3' cannot be read"),
        ({"costs": {"x": 1}}, "'costs' does not hold a valid MeasuredCosts.*x: Extra inputs"),
        ({"name": 300 * "x"}, "it has 300 bytes, and may have 255"),
        # Two bytes each.
        ({"name": 128 * "é"}, "it has 256 bytes"),
        ({"finetune_rate": "fast"}, "finetune_rate.*valid number.*given: fast"),
    ],
)
def test_what_compress_cannot_take_is_explained(options: dict[str, Any], said: str) -> None:
    with pytest.raises(EdgeECGError, match=said):
        edgeecg.compress("cnn1d", **options)
