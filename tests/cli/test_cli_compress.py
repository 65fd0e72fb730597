"""``edgeecg compress`` from the command line: what it refuses, and what it shows."""

from __future__ import annotations

import io
import tomllib
from pathlib import Path

import pytest
from rich.console import Console
from timed_layers import costs

from edgeecg.cli import run
from edgeecg.cli._compression_table import StepTable, show
from edgeecg.compression.start import RunPlan
from edgeecg.models import shipped
from edgeecg.schema import (
    CompressionConfig,
    CompressionLog,
    CostTotals,
    Guard,
    Rollback,
    TrainingConfig,
)


@pytest.mark.parametrize(
    ("in_file", "options", "budgets", "sparsity"),
    [
        # Without a budget the file has the sparsity and the steps at their defaults.
        ([], ["--budget", "energy=0.2"], ["energy=0.2"], None),
        (["--sparsity", "0.4", "--steps", "3"], ["--budget", "macs=0.3"], ["macs=0.3"], None),
        (["--budget", "energy=0.2"], ["--sparsity", "0.4"], None, 0.4),
        (["--budget", "energy=0.2"], ["--budget", "macs=0.3"], ["macs=0.3"], None),
        (["--budget", "energy=0.2"], ["--epochs", "3"], ["energy=0.2"], None),
    ],
)
def test_a_budget_or_a_sparsity_replaces_what_the_file_says_of_either(
    in_file: list[str],
    options: list[str],
    budgets: list[str] | None,
    sparsity: float | None,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    assert run(["compress", "cnn1d", *in_file, "--print-config"]) == 0
    Path("run.toml").write_text(capsys.readouterr().out)
    assert run(["compress", "cnn1d", "--config", "run.toml", *options, "--print-config"]) == 0
    made = tomllib.loads(capsys.readouterr().out)
    assert (made.get("budgets") or None, made.get("sparsity")) == (budgets, sparsity)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--budget", "energy=0.2", "--sparsity", "0.5"], "'--budget' and '--sparsity' contradict"),
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
        (["--seeds", "2", "--name", "a/b"], "'a/b-0' cannot be the name of a run"),
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


@pytest.mark.parametrize(("options", "steps"), [([], 5), (["--steps", "3"], 3)])
def test_the_number_of_steps_follows_from_a_budget_unless_it_is_given(
    options: list[str],
    steps: int,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    given = ["cnn1d", "--budget", "energy=0.2", *options]
    assert run(["compress", *given, "--print-config"]) == 0
    printed = capsys.readouterr().out
    Path("run.toml").write_text(printed)
    assert tomllib.loads(printed).get("steps") == (steps if options else None)
    plans: list[RunPlan] = []

    def perform(plan: RunPlan, *_: object) -> None:
        plans.append(plan)
        raise KeyboardInterrupt

    monkeypatch.setattr("edgeecg.compression.start.perform", perform)
    assert run(["compress", *given]) == 130
    assert run(["compress", "--config", "run.toml"]) == 130
    Path("config.json").write_text(plans[0].config.to_json())
    assert run(["compress", "--config", "config.json"]) == 130
    assert [plan.config.steps for plan in plans] == [steps] * 3
    assert plans[0].config == plans[1].config == plans[2].config


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


OF_RECORDS = """
from torch import nn

TASK, INPUT_SHAPE, CLASSES = "records", (12, 1000), ("NORM", "MI")

def build():
    stem = nn.Conv1d(12, 8, 9)
    return nn.Sequential(stem, nn.AdaptiveAvgPool1d(1), nn.Flatten(), nn.Linear(8, 2))
"""


@pytest.mark.parametrize(
    ("verb", "model"),
    [("train", "conv_transformer"), ("compress", "conv_transformer"), ("compress", "net.py:build")],
)
def test_a_model_of_whole_records_takes_no_balanced_draw(
    verb: str,
    model: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("net.py").write_text(OF_RECORDS)
    assert run([verb, model, "--epoch-windows", "64", "--name", "drawn"]) == 2
    said = " ".join(capsys.readouterr().err.split())
    assert "'--epoch-windows' cannot be 64 for the model" in said
    assert not Path("runs").exists()
    assert run([verb, model, "--epoch-windows", "none", "--print-config"]) == 0


@pytest.mark.parametrize("budget", ["macs=0.5", "size=1kB"])
def test_a_budget_that_a_round_makes_impossible_is_not_answered_by_another(
    budget: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("net.py").write_text(OF_RECORDS)
    assert run(["compress", "net.py:build", "--budget", budget, "--round", "64"]) == 2
    said = " ".join(capsys.readouterr().err.split())
    assert "With '--round 64' nothing of this model can be removed" in said
    assert "Give a smaller --round." in said
    assert "--budget" not in said
