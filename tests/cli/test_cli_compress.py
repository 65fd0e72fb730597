"""``edgeecg compress`` from the command line: what it refuses, what it shows, several seeds."""

from __future__ import annotations

import contextlib
import io
import json
import signal
import statistics
import tomllib
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console
from timed_layers import costs, dense_layers, result, timed, written

import edgeecg
from edgeecg.cli import run
from edgeecg.cli._compression_table import StepTable, show
from edgeecg.data import Dataset
from edgeecg.errors import UsageError
from edgeecg.models import build, load, load_custom, shipped
from edgeecg.runs import RunFolder
from edgeecg.runs.lock import locked
from edgeecg.schema import (
    CompressionConfig,
    CompressionLog,
    CostTotals,
    CustomModule,
    Guard,
    ModelCard,
    Rollback,
    TrainingConfig,
)
from edgeecg.training.cards import make_card, save_model


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--budget", "energy=0.2", "--sparsity", "0.5"], "'--budget' and '--sparsity' contradict"),
        (["--budget", "energy=0.2", "--steps", "3"], "'--budget' and '--steps' contradict"),
        (["--budget", "energy=0.2", "--structure", "none"], "contradict each other"),
        (["--budget", "joules=0.2"], "there are: energy, macs, size, latency"),
        (["--budget", "latency=0.3"], "needs the seconds of the model's layers"),
        (["--costs", "none.json"], "The layer costs 'none.json' cannot be read"),
        (["--budget", "size=40"], "Without a unit it is a share"),
        (["--budget", "size=9MB"], "There is nothing to do for the budget"),
        (["--guard", "S>=0.5"], "no metric without a class"),
        (["--guard", "X:recall>=0.5"], "The known classes are: N, S, V"),
        (["--guard", "S:auroc>=0.5"], "cannot be checked"),
        (["--seeds", "3", "--seed", "1"], "'--seed' and '--seeds' contradict each other"),
        (["--seeds", "3", "--resume"], "needs the name of the runs"),
        (["--seeds", "0"], "--seeds"),
        (["--structure", "none", "--sparsity", "0.97"], "0.97 is out of reach"),
        (["--round", "0"], "round_to"),
        (["--schedule", "steep"], "schedule"),
    ],
)
def test_what_contradicts_itself_is_refused_and_nothing_written(
    options: list[str],
    said: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    assert run(["compress", "cnn1d", *options]) == 2
    assert said in " ".join(capsys.readouterr().err.split())
    assert not list(tmp_path.iterdir())


def test_a_budget_out_of_reach_is_refused_before_the_records_are_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def unread(*_: object) -> None:
        raise AssertionError("the records were read")

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("edgeecg.compression.start.load_records", unread)
    assert run(["compress", "tiny_rhythm", "--budget", "macs=0.0001"]) == 2
    assert "The smallest reachable is --budget macs=" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


@pytest.fixture(scope="module")
def folder(toy_dataset: Dataset, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a dense run named 'dense'."""
    folder = tmp_path_factory.mktemp("work")
    config = TrainingConfig(model="cnn1d", data="synthetic", epoch_windows=64, batch_size=64)
    dense = RunFolder(folder / "runs/dense")
    model = build("cnn1d").eval()
    save_model(
        model,
        make_card(model, "baseline", config, toy_dataset, 1),
        dense.baseline_weights,
        dense.baseline_card,
    )
    return folder


def given(dataset: Dataset, *_: object, **__: object) -> Dataset:
    """Stand for the records on the disk."""
    return dataset


SHORT = ("compress", "--start", "dense", "--finetune-epochs", "1", "--epoch-windows", "64")


def test_seeds_run_side_by_side_and_their_scores_are_summed_up(
    folder: Path,
    toy_dataset: Dataset,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(folder)
    monkeypatch.setattr("edgeecg.training.start.load_dataset", partial(given, toy_dataset))
    options = ("--budget", "energy=0.7", "--guard", "N:recall>=0", "--seeds", "2", "--name", "x")
    assert run([*SHORT, *options]) == 0
    said = capsys.readouterr().out
    cards = [
        ModelCard.from_json(Path(f"runs/x-{seed}/model.json").read_bytes(), "card")
        for seed in range(2)
    ]
    assert [card.seed for card in cards] == [0, 1]
    scores = [card.test.macro_f1 for card in cards]
    both = f"{statistics.fmean(scores):.3f} ± {statistics.stdev(scores):.3f}"
    assert both in said
    assert "Test records, 2 seeds, SYNTHETIC records" in said
    assert "1/1" in said
    # A second time, with one of them gone: the other is left alone.
    kept = Path("runs/x-0/model.json").stat().st_mtime_ns
    for path in Path("runs/x-1").iterdir():
        path.unlink()
    assert run(["compress", "--seeds", "2", "--name", "x", "--resume", "--json", "-"]) == 0
    logs = json.loads(capsys.readouterr().out)
    assert [log["config"]["training"]["seed"] for log in logs] == [0, 1]
    assert Path("runs/x-0/model.json").stat().st_mtime_ns == kept
    again = ModelCard.from_json(Path("runs/x-1/model.json").read_bytes(), "card")
    assert again.weights_sha256 == cards[1].weights_sha256


def interrupt_first_step(patch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    patch.setattr("edgeecg.compression.pipeline.perform_step", interrupted)


def test_a_run_may_go_on_with_another_rate_of_fine_tuning_alone(
    folder: Path,
    toy_dataset: Dataset,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(folder)
    monkeypatch.setattr("edgeecg.training.start.load_dataset", partial(given, toy_dataset))

    with monkeypatch.context() as patch:
        interrupt_first_step(patch)
        assert run([*SHORT, "--steps", "1", "--name", "y"]) == 130
    capsys.readouterr()
    assert run(["compress", "--name", "y", "--resume", "--budget", "macs=0.5"]) == 2
    said = " ".join(capsys.readouterr().err.split())
    assert "'--budget' was not given and is now macs=0.5." in said
    others = ("--no-distill", "--finetune-last-epochs", "3")
    assert run(["compress", "--name", "y", "--resume", *others]) == 2
    said = " ".join(capsys.readouterr().err.split())
    assert "'--distill' was --distill and is now --no-distill" in said
    assert "'--finetune-last-epochs' was none and is now 3" in said
    assert run(["compress", "--name", "y", "--resume", "--finetune-rate", "0.0001"]) == 0
    config = CompressionConfig.from_json(Path("runs/y/config.json").read_bytes(), "config")
    assert config.finetune_rate == 0.0001
    events = [json.loads(line) for line in Path("runs/y/log.jsonl").read_text().splitlines()]
    (changed,) = (event for event in events if event["event"] == "finetune_rate")
    assert (changed["was"], changed["now"]) == (0.001, 0.0001)


def test_a_refused_change_of_the_rate_leaves_the_run_as_it_was(
    folder: Path, toy_dataset: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder)
    monkeypatch.setattr("edgeecg.training.start.load_dataset", partial(given, toy_dataset))
    stopped = RunFolder(Path("runs/stopped"))
    with monkeypatch.context() as patch:
        interrupt_first_step(patch)
        assert run([*SHORT, "--steps", "1", "--name", "stopped"]) == 130
    before = stopped.config.read_bytes(), stopped.events.read_bytes()

    def refused(*options: str) -> int:
        status = run(["compress", "--name", "stopped", "--resume", *options])
        assert (stopped.config.read_bytes(), stopped.events.read_bytes()) == before
        return status

    assert refused("--finetune-rate", "0") == 2
    with locked(stopped):
        assert refused("--finetune-rate", "0.0001") == 1
    with pytest.raises(UsageError, match="finetune_rate"):
        edgeecg.compress(name="stopped", resume=True, finetune_rate="slow")


def test_an_undone_step_is_a_row_and_guarded_classes_have_columns(tmp_path: Path) -> None:
    config = CompressionConfig(guards=(Guard.parse("S:recall>=0.5"), Guard.parse("S:f1>=0.4")))
    table = StepTable(config)
    console = Console(width=100, record=True, file=io.StringIO())
    console.print(table)
    assert console.export_text(clear=False).strip() == ""
    undone = Rollback(
        attempt=1,
        after_step=0,
        progress=0.2,
        broken={"S:recall>=0.5": 0.1},
        nonzero_parameters=31_000,
        weight_bytes=124_000,
        proxy_executed=0.25,
        latency_predicted=0.31,
        seconds=4.2,
    )
    table.add(undone)
    console.print(table)
    said = console.export_text()
    row = next(line for line in said.splitlines() if "undone" in line)
    assert row.split() == ["undone", "31,000", "124.0", "0.250", "4"]
    assert said.count("recall") == 1
    # Where layer costs were given, the predicted latency has a column.
    table = StepTable(config.model_copy(update={"costs": costs(tmp_path)}))
    table.add(undone)
    console.print(table)
    row = next(line for line in console.export_text().splitlines() if "undone" in line)
    assert row.split() == ["undone", "31,000", "124.0", "0.250", "0.310", "4"]


def test_a_terminal_of_80_columns_shows_every_score_of_five_classes() -> None:
    found = shipped("conv_transformer")
    assert found is not None
    card = found[1]
    dense = CostTotals(
        macs={"float32": card.macs},
        nonzero_macs={"float32": card.macs},
        weight_bytes=4 * card.parameters,
        nonzero_weight_bytes=4 * card.parameters,
        activation_bytes=0,
    )
    log = CompressionLog(
        config=CompressionConfig(training=card.training),
        data=card.data,
        steps=(),
        baseline_costs=dense,
        command="edgeecg compress",
    )
    console = Console(width=80, record=True, file=io.StringIO())
    show(console, log, card, card)
    lines = console.export_text().splitlines()
    shown = {line[: line.index("  ", 4)].strip(): line.split() for line in lines if "0." in line}
    for name in card.classes:
        recall = f"{card.test.per_class[name].recall:.3f}"
        assert shown[f"recall of {name}"][-2:] == [recall, recall]
    assert shown["macro AUROC"][-1] == f"{card.test.headline[1]:.3f}"
    assert not any("…" in line for line in lines)


def test_layer_costs_from_a_bench_to_a_run_and_back_to_it(
    folder: Path,
    toy_dataset: Dataset,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(folder)
    monkeypatch.setenv("COLUMNS", "120")
    monkeypatch.setattr("edgeecg.training.start.load_dataset", partial(given, toy_dataset))
    written(folder, [result(emulated=True)])
    slower = timed(*((layer.name, 1e-3) for layer in dense_layers("cnn1d")))
    written(folder, [result(**slower)], "slower.json")
    written(folder, [result("bilstm")], "other.json")
    (folder / "damaged.json").write_text('{"schema": "edgeecg.bench/1", "results": [')
    options = ("--costs", "pi.json", "--budget", "latency=0.7", "--name", "timed")

    with monkeypatch.context() as patch:
        interrupt_first_step(patch)
        assert run([*SHORT, *options]) == 130
    capsys.readouterr()
    for path, status, said in (
        ("other.json", 2, "The report is about 'bilstm'"),
        ("damaged.json", 1, "damaged.json cannot be read"),
        ("slower.json", 2, "cannot be resumed with other layer costs"),
    ):
        assert run(["compress", "--name", "timed", "--resume", "--costs", path]) == status
        assert said in " ".join(capsys.readouterr().err.split())
    assert run([*SHORT, "--costs", "other.json", "--name", "no"]) == 2
    assert not Path("runs/no").exists()
    capsys.readouterr()
    assert run(["compress", "--name", "timed", "--resume", "--costs", "pi.json"]) == 0
    said = " ".join(capsys.readouterr().out.split())
    assert "predicted macro-F1" in said
    assert "on raspberry-pi-4 (onnxruntime 1.0, 1 thread); 'edgeecg bench' measures it" in said
    assert "an emulator's times, not the board's" in said
    log = json.loads(Path("runs/timed/compression.json").read_text())
    assert 0.5 < log["steps"][-1]["latency_predicted"] <= 0.7


OWN = """
import torch
from torch import nn

class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv1d(1, 16, 9, stride=4), nn.BatchNorm1d(16), nn.ReLU(),
            nn.Conv1d(16, 32, 5, stride=2), nn.ReLU(),
        )
        self.score = nn.Conv1d(32, 1, 1)
        self.head = nn.Linear(32, 3)

    def forward(self, x):
        h = self.features(x)
        return self.head((h * torch.softmax(self.score(h), -1)).sum(-1))

def build():
    return Net()
"""


def test_a_ctrl_c_that_a_library_suppresses_interrupts_the_run(
    folder: Path, toy_dataset: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[object] = []

    def press_ctrl_c(event: object) -> None:
        told.append(event)
        with contextlib.suppress(BaseException):
            signal.raise_signal(signal.SIGINT)

    monkeypatch.chdir(folder)
    monkeypatch.setattr("edgeecg.training.start.load_dataset", partial(given, toy_dataset))
    short: dict[str, Any] = {"finetune_epochs": 1, "epoch_windows": 64, "steps": 2}
    with pytest.raises(KeyboardInterrupt):
        edgeecg.compress(name="pressed", start="dense", on_step=press_ctrl_c, **short)
    assert len(told) == 1


def test_a_custom_module_is_compressed_resumed_and_only_run_when_named(
    toy_dataset: Dataset,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("edgeecg.training.start.load_dataset", partial(given, toy_dataset))
    Path("net.py").write_text(OWN)
    options = ["--epochs", "1", "--epoch-windows", "64", "--finetune-epochs", "1", "--name", "z"]

    with monkeypatch.context() as patch:
        interrupt_first_step(patch)
        assert run(["compress", "net.py:build", "--budget", "macs=0.5", *options]) == 130
    capsys.readouterr()
    assert run(["compress", "--resume"]) == 0
    captured = capsys.readouterr()
    assert f"Running {tmp_path / 'net.py'}:build" in captured.err
    custom = f"--custom {tmp_path / 'net.py'}:build"
    assert captured.out.endswith(f"Next: edgeecg export --target tflite {custom}\n")
    card = ModelCard.from_json(Path("runs/z/model.json").read_bytes(), "card")
    assert card.name == "net.build"
    assert card.widths["head"][1] == 3
    assert card.widths["score"][1] == 1
    assert card.widths["features.0"][1] < 16
    # Macs by hand: 62 positions of 9 inputs, 29 positions of 5 x 16 inputs, the pooling, the head.
    assert card.macs <= 0.5 * (62 * 9 * 16 + 29 * 5 * 16 * 32 + 29 * 32 + 32 * 3)
    model = load(Path("runs/z/model.safetensors"), card, load_custom("net.py:build"))
    assert sum(p.numel() for p in model.parameters()) == card.parameters
    with pytest.raises(UsageError, match="only run when the command line names it"):
        load(Path("runs/z/model.safetensors"), card)


def test_a_changed_custom_module_is_not_run_when_its_run_is_resumed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("net.py").write_text("open('was_run', 'w').close()\n" + OWN)
    config = CompressionConfig(
        training=TrainingConfig(model="net.build"),
        custom=CustomModule(file=f"{tmp_path / 'net.py'}:build", sha256="0" * 64),
    )
    Path("runs/w").mkdir(parents=True)
    Path("runs/w/config.json").write_text(config.to_json())
    assert run(["compress", "--resume"]) == 2
    assert "has changed since the run was started" in " ".join(capsys.readouterr().err.split())
    assert not Path("was_run").exists()


def test_a_step_is_one_line_where_no_terminal_shows_the_table(
    capsys: pytest.CaptureFixture[str],
) -> None:
    config = CompressionConfig(training=TrainingConfig(model="cnn1d"))
    table = StepTable(config)
    back = Rollback(
        attempt=1,
        after_step=0,
        progress=0.2,
        broken={"S:recall>=0.5": 0.25},
        nonzero_parameters=1000,
        weight_bytes=4000,
        proxy_executed=0.75,
        seconds=9.0,
    )
    table.report(back)
    assert capsys.readouterr().err == (
        "step rolled back: S:recall>=0.5 was 0.250; 1,000 non-zero parameters, "
        "executed proxy 0.750, 9 s\n"
    )
    table.add(back)
    assert capsys.readouterr().err == ""


def test_none_switches_a_number_off_on_the_command_line(
    capsys: pytest.CaptureFixture[str],
) -> None:
    off = ("--finetune-last-epochs", "none", "--epoch-windows", "none")
    assert run(["compress", "cnn1d", *off, "--print-config"]) == 0
    settings = tomllib.loads(capsys.readouterr().out)
    assert settings["finetune_last_epochs"] == settings["training"]["epoch_windows"] == "none"
    assert run(["compress", "cnn1d", "--finetune-last-epochs", "few", "--print-config"]) == 2
    assert "'--finetune-last-epochs'" in capsys.readouterr().err
    assert run(["compress", "--help"]) == 0
    assert "INTEGER|none" in capsys.readouterr().out


@pytest.mark.parametrize(("broken", "target"), [({}, "tflite-int8"), ({"S:f1": 0.1}, "tflite")])
def test_the_last_line_names_the_target_that_the_run_was_made_ready_for(
    broken: dict[str, float],
    target: str,
    folder: Path,
    toy_dataset: Dataset,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(folder)
    monkeypatch.setattr("edgeecg.training.start.load_dataset", partial(given, toy_dataset))

    def checked(*_: object) -> dict[str, float]:
        return broken

    monkeypatch.setattr("edgeecg.compression.guarded_int8.broken_guards", checked)
    Path("int8.toml").write_text('quantize = "ptq"\nsteps = 1\n')
    assert run([*SHORT, "--config", "int8.toml", "--name", f"for-{target}"]) == 0
    assert capsys.readouterr().out.endswith(f"Next: edgeecg export --target {target}\n")


def test_it_is_said_when_a_dense_model_is_trained_first(
    folder: Path,
    toy_dataset: Dataset,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(folder)
    monkeypatch.setattr("edgeecg.training.start.load_dataset", partial(given, toy_dataset))
    interrupt_first_step(monkeypatch)
    short = ("--epoch-windows", "64", "--epochs", "1")
    assert run(["compress", "cnn1d", *short, "--name", "trained"]) == 130
    said = "The dense model is trained first (1 epoch)"
    assert said in capsys.readouterr().out
    # The dense model is there when the run goes on, and where a run is named that has one.
    assert run(["compress", "--resume", "--name", "trained"]) == 130
    assert run(["compress", "--start", "trained", "--name", "started"]) == 130
    assert said not in capsys.readouterr().out


@pytest.mark.parametrize(
    ("file", "why", "todo"),
    [
        ("net.onnx", "no PyTorch module", "edgeecg quantize net.onnx"),
        ("net.tflite", "no PyTorch module", "path/to/model.py:function"),
        ("weights.pt", "no PyTorch module", "path/to/model.py:function"),
        ("net.py", "function", "edgeecg compress net.py:build"),
    ],
)
def test_a_file_that_is_no_model_is_told_what_can_be_done_with_it(
    file: str,
    why: str,
    todo: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    Path(file).touch()
    assert run(["compress", file]) == 2
    said = " ".join(capsys.readouterr().err.split())
    assert f"'{file}'" in said
    assert why in said
    assert todo in said
    assert "--custom" not in said
