"""``edgeecg compress`` from the command line: runs on toy records, stopped and resumed."""

from __future__ import annotations

import contextlib
import json
import signal
import statistics
from functools import partial
from pathlib import Path
from typing import Any, NoReturn

import pytest
from timed_layers import dense_layers, result, timed, written

import edgeecg
from edgeecg.cli import run
from edgeecg.compression.start import several_seeds
from edgeecg.data import Dataset
from edgeecg.errors import NotFiniteError, UsageError
from edgeecg.evaluation.predictors import load_dense
from edgeecg.models import build, load, load_custom
from edgeecg.runs import RunFolder
from edgeecg.runs.lock import locked
from edgeecg.runs.options import Options
from edgeecg.schema import CompressionConfig, CustomModule, ModelCard, TrainingConfig
from edgeecg.training.cards import make_card, save_model


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


@pytest.fixture
def work(folder: Path, toy_dataset: Dataset, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The present folder: a dense run named 'dense', and toy records for those on the disk."""
    monkeypatch.chdir(folder)
    monkeypatch.setattr("edgeecg.training.start.load_dataset", partial(given, toy_dataset))
    return folder


SHORT = ("compress", "--start", "dense", "--finetune-epochs", "1", "--epoch-windows", "64")


@pytest.mark.usefixtures("work")
def test_seeds_run_side_by_side_and_their_scores_are_summed_up(
    capsys: pytest.CaptureFixture[str],
) -> None:
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


@pytest.mark.usefixtures("work")
def test_seeds_are_resumed_where_a_compression_was_started_and_nowhere_else(
    capsys: pytest.CaptureFixture[str],
) -> None:
    resume = ("compress", "--resume", "--seeds", "2", "--name")
    assert run([*resume, "typo"]) == 1
    assert "None of the runs typo-0, typo-1 in 'runs/'" in capsys.readouterr().err
    config = CompressionConfig(training=TrainingConfig(model="cnn1d", data="synthetic"))
    for name in ("q-0", "q-1"):
        Path("runs", name).mkdir()
    Path("runs/q-0/config.json").write_text(config.to_json())
    # The folder of the second seed belongs to 'edgeecg train'.
    Path("runs/q-1/training.json").write_text(config.training.to_json())
    assert run([*resume, "q"]) == 2
    assert "There is a run named 'q-1' already" in capsys.readouterr().err
    # The first seed is gone: it gets the settings of the second.
    Path("runs/q-0/config.json").unlink()
    second = config.model_copy(
        update={"steps": 2, "training": config.training.model_copy(update={"seed": 1})}
    )
    Path("runs/q-1/config.json").write_text(second.to_json())
    # A file has a seed, too, which is not that of every run.
    plans = several_seeds("q", 2, Options({"training": {"seed": 0}}), resume=True)
    assert [plan.config.training.seed for plan in plans] == [0, 1]
    assert [plan.config.steps for plan in plans] == [2, 2]


def interrupt_first_step(patch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    patch.setattr("edgeecg.compression.pipeline.perform_step", interrupted)


@pytest.mark.usefixtures("work")
def test_a_run_may_go_on_with_another_rate_of_fine_tuning_alone(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
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


@pytest.mark.usefixtures("work")
def test_a_refused_change_of_the_rate_leaves_the_run_as_it_was(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
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


def test_layer_costs_from_a_bench_to_a_run_and_back_to_it(
    work: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("COLUMNS", "120")
    written(work, [result(emulated=True)])
    slower = timed(*((layer.name, 1e-3) for layer in dense_layers("cnn1d")))
    written(work, [result(**slower)], "slower.json")
    written(work, [result("bilstm")], "other.json")
    (work / "damaged.json").write_text('{"schema": "edgeecg.bench/1", "results": [')
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


@pytest.mark.usefixtures("work")
def test_a_ctrl_c_that_a_library_suppresses_interrupts_the_run() -> None:
    told: list[object] = []

    def press_ctrl_c(event: object) -> None:
        told.append(event)
        with contextlib.suppress(BaseException):
            signal.raise_signal(signal.SIGINT)

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


def test_a_run_goes_on_with_its_custom_module_at_another_place(
    toy_dataset: Dataset,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("edgeecg.training.start.load_dataset", partial(given, toy_dataset))
    monkeypatch.setattr("edgeecg.evaluation.scoring.load_dataset", partial(given, toy_dataset))
    Path("net.py").write_text(OWN)
    options = ["--epochs", "1", "--epoch-windows", "64", "--finetune-epochs", "1", "--name", "z"]
    with monkeypatch.context() as patch:
        interrupt_first_step(patch)
        assert run(["compress", "net.py:build", "--budget", "macs=0.5", *options]) == 130
    Path("moved").mkdir()
    Path("net.py").rename("moved/net.py")
    Path("moved/other.py").write_text(OWN + "# Another file.\n")
    assert run(["compress", "moved/other.py:build", "--resume"]) == 2
    assert run(["compress", "moved/net.py:build", "--resume"]) == 0
    config = CompressionConfig.from_file(Path("runs/z/config.json"))
    assert config.custom is not None
    assert config.custom.file == f"{tmp_path / 'moved/net.py'}:build"
    capsys.readouterr()
    assert run(["evaluate", "z", "--custom", "moved/net.py:build"]) == 0
    said = capsys.readouterr().out
    assert said.endswith(
        "Next: edgeecg export --run z --target tflite --custom moved/net.py:build\n"
    )


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


@pytest.mark.parametrize(("broken", "target"), [({}, "tflite-int8"), ({"S:f1": 0.1}, "tflite")])
@pytest.mark.usefixtures("work")
def test_the_last_line_names_the_target_that_the_run_was_made_ready_for(
    broken: dict[str, float],
    target: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def checked(*_: object) -> dict[str, float]:
        return broken

    monkeypatch.setattr("edgeecg.compression.guarded_int8.broken_guards", checked)
    Path("int8.toml").write_text('quantize = "ptq"\nsteps = 1\n')
    assert run([*SHORT, "--config", "int8.toml", "--name", f"for-{target}"]) == 0
    assert capsys.readouterr().out.endswith(f"Next: edgeecg export --target {target}\n")


@pytest.mark.usefixtures("work")
def test_the_last_line_names_the_run_where_it_is_not_the_newest_one(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("edgeecg.runs.newest", lambda: RunFolder(Path("runs/later")))
    assert run([*SHORT, "--steps", "1", "--name", "cnn1d"]) == 0
    assert capsys.readouterr().out.endswith("Next: edgeecg export --run cnn1d --target tflite\n")
    # The package's model of this name was not made from the dense one of the run.
    assert load_dense("cnn1d") is None
    assert load_dense("runs/cnn1d") is not None
    Path("runs/cnn1d").rename("runs/a-baseline-b")
    assert load_dense("a-baseline-b") is not None


@pytest.mark.usefixtures("work")
def test_outputs_that_are_not_finite_are_a_training_that_diverged(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def not_finite(*_: object) -> NoReturn:
        raise NotFiniteError(
            "The outputs cannot be scored.", "Some are not finite.", "Train again."
        )

    monkeypatch.setattr("edgeecg.training.baseline.evaluate", not_finite)
    short = ("--epoch-windows", "64", "--epochs", "1")
    assert run(["compress", "cnn1d", *short, "--name", "diverged"]) == 1
    said = " ".join(capsys.readouterr().err.split())
    assert "Training diverged" in said
    assert "lower learning rate" in said


@pytest.mark.usefixtures("work")
def test_it_is_said_when_a_dense_model_is_trained_first(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    interrupt_first_step(monkeypatch)
    short = ("--epoch-windows", "64", "--epochs", "1")
    assert run(["compress", "cnn1d", *short, "--name", "trained"]) == 130
    said = "The dense model is trained first (1 epoch)"
    assert said in capsys.readouterr().out
    capsys.readouterr()
    # What was asked for is the compressed model, and that is not there yet.
    assert run(["evaluate", "trained"]) == 1
    unfinished = " ".join(capsys.readouterr().err.split())
    assert "The compressed model of 'runs/trained' is not finished" in unfinished
    assert "edgeecg compress --name trained --resume" in unfinished
    # The dense model is there when the run goes on, and where a run is named that has one.
    assert run(["compress", "--resume", "--name", "trained"]) == 130
    assert run(["compress", "--start", "trained", "--name", "started"]) == 130
    assert said not in capsys.readouterr().out


@pytest.mark.usefixtures("work")
def test_the_model_of_a_run_is_not_trained_anew(capsys: pytest.CaptureFixture[str]) -> None:
    assert run([*SHORT, "--retrain", "--name", "anew"]) == 2
    said = "'--start' and '--retrain' contradict each other"
    assert said in " ".join(capsys.readouterr().err.split())
    assert not Path("runs/anew").exists()
