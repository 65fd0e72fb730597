"""Configuration files: what they may hold, and what is said of a key that does not fit."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest
import timed_layers
from hypothesis import given, strategies as st

from edgeecg.benchmark.config import BenchConfig
from edgeecg.cli import run
from edgeecg.compression.start import several_seeds
from edgeecg.errors import UsageError
from edgeecg.runs.config_file import read_options, written
from edgeecg.runs.options import Options, configured, keyword_options
from edgeecg.schema import Budget, CompressionConfig, SearchConfig, TrainingConfig, Value
from edgeecg.tuning import plan


def read(path: Path, text: str) -> Options:
    path.write_text(text)
    return read_options(path, CompressionConfig)


@pytest.mark.parametrize("kind", [CompressionConfig, TrainingConfig, BenchConfig])
def test_what_is_written_can_be_read_and_explains_every_setting(
    kind: type[Value], tmp_path: Path
) -> None:
    text = written(kind(), "Settings")
    path = tmp_path / "run.toml"
    path.write_text(text)
    assert configured(kind, kind(), read_options(path, kind)) == kind()
    lines = text.splitlines()
    for name in kind.model_fields:
        (place,) = [
            i
            for i, line in enumerate(lines)
            if line.removeprefix("# ").startswith((f"{name} =", f"[{name}]"))
        ]
        assert lines[place - 1].startswith("# "), name


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        (CompressionConfig, "finetune_last_epochs"),
        (CompressionConfig, "finetune_fidelity"),
        (CompressionConfig, "finetune_most"),
        (TrainingConfig, "epoch_windows"),
        (BenchConfig, "windows"),
        (BenchConfig, "duration"),
        (BenchConfig, "target_error"),
        (BenchConfig, "rate_hz"),
    ],
)
def test_an_optional_number_is_switched_off_by_none(
    kind: type[Value], name: str, tmp_path: Path
) -> None:
    number = 0.5 if name in ("finetune_fidelity", "target_error") else 64
    path = tmp_path / "run.toml"
    path.write_text(f'{name} = "none"\n')
    on = configured(kind, kind(), Options({name: number}))
    assert getattr(on, name) == number
    off = configured(kind, on, read_options(path, kind))
    assert getattr(off, name) is None
    assert f'\n{name} = "none"\n' in written(off, "Settings")
    path.write_text(written(off, "Settings"))
    assert configured(kind, on, read_options(path, kind)) == off
    assert configured(kind, on, keyword_options({name: None}, kind.model_fields)) == off
    # A number may also come as a text, as it does from the command line.
    assert configured(kind, off, Options({name: str(number)})) == on
    with pytest.raises(UsageError, match=name):
        configured(kind, on, Options({name: "no"}))


@given(
    alpha=st.floats(0, 1),
    budget=st.floats(0.01, 0.99),
    bound=st.floats(0, 1),
    leads=st.dictionaries(st.text(min_size=1), st.text(min_size=1), max_size=3),
    data=st.none() | st.text(),
)
def test_any_configuration_comes_back_as_it_was(
    alpha: float,
    budget: float,
    bound: float,
    leads: dict[str, str],
    data: str | None,
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    training = TrainingConfig(leads=leads, data=data)
    config = CompressionConfig.model_validate(
        {
            "alpha": alpha,
            "budgets": [{"kind": "energy", "share": budget}],
            "guards": [{"class_name": "S", "metric": "recall", "at_least": bound}],
            "training": training,
        }
    )
    folder = tmp_path_factory.mktemp("config")
    for name, text in (("run.toml", written(config, "Settings")), ("a.json", config.to_json())):
        path = folder / name
        path.write_text(text, encoding="utf-8")
        asked = read_options(path, CompressionConfig)
        assert configured(CompressionConfig, CompressionConfig(), asked) == config


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("alpha = 0.4\nbudgett = ['energy=0.2']\n", "line 2, 'budgett': there is no such setting"),
        ("# a\n\n[training]\nepochs = 'many'\n", "line 4, 'training.epochs'"),
        ("[training.augmentation]\nshift = -1\n", "line 2, 'training.augmentation.shift'"),
        ("steps = 0\n", "line 1, 'steps'"),
        ("reading = ['x']\n", "'energy_term'"),
        ("structure = 'rows'\n", "'channels', 'blocks' or 'none'"),
    ],
)
def test_a_key_that_does_not_fit_is_named_with_its_line(
    text: str, said: str, tmp_path: Path
) -> None:
    with pytest.raises(UsageError) as caught:
        read(tmp_path / "run.toml", text)
    assert said in caught.value.why
    assert "run.toml" in caught.value.what


def test_a_file_that_is_not_there_or_no_toml(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="No such file"):
        read_options(tmp_path / "none.toml", CompressionConfig)
    with pytest.raises(UsageError, match="not valid TOML"):
        read(tmp_path / "run.toml", "alpha = = 1\n")


def test_a_contradiction_names_keys_file_and_lines(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("run.toml").write_text("sparsity = 0.5\n\nbudgets = ['energy=0.2']\n")
    assert run(["compress", "--config", "run.toml"]) == 2
    said = " ".join(capsys.readouterr().err.split())
    assert "'budgets' (run.toml, line 3) and 'sparsity' (run.toml, line 1) contradict" in said
    Path("run.toml").write_text("steps = 3\nbudgets = ['energy=0.2']\n")
    both = ["--sparsity", "0.5", "--budget", "macs=0.3"]
    assert run(["compress", "--config", "run.toml", *both]) == 2
    said = " ".join(capsys.readouterr().err.split())
    assert "'--budget' and '--sparsity' contradict each other" in said
    assert [path.name for path in tmp_path.iterdir()] == ["run.toml"]


def test_an_option_overrides_the_file_and_both_are_printed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("run.toml").write_text(
        "alpha = 0.3\nmethod = 'l1'\n[training]\nmodel = 'cnn1d'\naugmentation.shift = 7\n"
    )
    arguments = ["compress", "--config", "run.toml", "--alpha", "0.9", "--seed", "5"]
    assert run([*arguments, "--print-config"]) == 0
    found = tomllib.loads(capsys.readouterr().out)
    assert (found["alpha"], found["method"]) == (0.9, "l1")
    assert (found["training"]["model"], found["training"]["seed"]) == ("cnn1d", 5)
    # What the file leaves out comes from the model's recipe.
    assert found["training"]["augmentation"]["shift"] == 7
    assert found["training"]["augmentation"]["stretch"] == 0.1
    assert [path.name for path in tmp_path.iterdir()] == ["run.toml"]


def test_the_earlier_option_and_the_earlier_key_mean_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert run(["compress", "--reading", "protect", "--print-config"]) == 0
    assert tomllib.loads(capsys.readouterr().out)["energy_term"] == "protect-costly"
    Path("run.toml").write_text("reading = 'protect'\n")
    assert run(["compress", "--config", "run.toml", "--print-config"]) == 0
    assert tomllib.loads(capsys.readouterr().out)["energy_term"] == "protect-costly"
    old = {"schema": "edgeecg.config/2", "reading": "protect", "own": {"file": "a:b"}}
    old["own"] = {"file": "a.py:build", "sha256": "0" * 64}
    found = CompressionConfig.from_document(old, "old")
    assert found.energy_term == "protect-costly"
    assert found.custom is not None
    document = found.to_document()
    assert (document["reading"], document["own"]) == ("protect", old["own"])
    assert CompressionConfig.from_document(document, "new") == found


def test_layer_costs_are_printed_and_read_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    report = timed_layers.written(tmp_path, [timed_layers.result("cnn1d")])
    assert run(["compress", "cnn1d", "--costs", str(report), "--print-config"]) == 0
    printed = capsys.readouterr().out
    assert tomllib.loads(printed)["costs"]["device"] == "raspberry-pi-4"
    Path("run.toml").write_text(printed, encoding="utf-8")
    assert run(["compress", "--config", "run.toml", "--print-config"]) == 0
    assert capsys.readouterr().out == printed
    assert run(["compress", "bilstm", "--config", "run.toml", "--print-config"]) == 2
    assert "They are the costs of 'cnn1d'" in " ".join(capsys.readouterr().err.split())


def test_the_settings_that_a_run_keeps_are_those_of_another(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    exact = {"kind": "energy", "share": 0.2733053879959227}
    training = TrainingConfig(model="cnn1d", seed=3)
    kept = CompressionConfig(
        budgets=(Budget.model_validate(exact),), steps=3, finetune_epochs=1, training=training
    )
    Path("config.json").write_text(kept.to_json())
    assert run(["compress", "--config", "config.json", "--seed", "4", "--print-config"]) == 0
    printed = capsys.readouterr().out
    found = tomllib.loads(printed)
    assert found["budgets"] == [exact]
    assert (found["finetune_epochs"], found["finetune_last_epochs"]) == (1, "none")
    assert (found["training"]["model"], found["training"]["seed"]) == ("cnn1d", 4)
    # The sparsity would contradict the budget.
    assert (found["steps"], "sparsity" in found) == (3, False)
    Path("run.toml").write_text(printed)
    assert run(["compress", "--config", "run.toml", "--print-config"]) == 0
    assert capsys.readouterr().out == printed
    assert run(["compress", "--config", "config.json", "--sparsity", "0.5", "--print-config"]) == 0
    found = tomllib.loads(capsys.readouterr().out)
    assert (found["sparsity"], found["budgets"]) == (0.5, [])

    Path("training.json").write_text(training.to_json())
    assert run(["train", "--config", "training.json", "--epochs", "2", "--print-config"]) == 0
    found = tomllib.loads(capsys.readouterr().out)
    assert (found["model"], found["seed"], found["epochs"]) == ("cnn1d", 3, 2)

    base = {"training": {"model": "cnn1d", "data": "synthetic", "seed": 3}}
    search, _ = plan.configuration(Options({"trials": 7, "base": base}))
    Path("search.json").write_text(search.to_json())
    again, _ = plan.configuration(read_options(Path("search.json"), SearchConfig))
    assert again == search


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("training.json", TrainingConfig().to_json(), "should be 'edgeecg.config/2'"),
        ("config.json", "{", "It is not valid JSON"),
        ("config.json", '{"schema": "edgeecg.config/2", "steps": 0}', "steps: Input should be"),
        ("none.json", None, "No such file"),
    ],
)
def test_a_json_file_that_does_not_hold_the_settings_is_refused(
    name: str,
    text: str | None,
    said: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    if text is not None:
        Path(name).write_text(text)
    assert run(["compress", "--config", name]) == 2
    error = " ".join(capsys.readouterr().err.split())
    assert f"'{name}'" in error
    assert said in error
    assert [path.name for path in tmp_path.iterdir()] == ([] if text is None else [name])


def test_seeds_replace_the_seed_of_a_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    file = Options({"training": {"model": "cnn1d", "seed": 7}})
    plans = several_seeds("s", 2, file, resume=False)
    assert [plan.config.training.seed for plan in plans] == [0, 1]
    Path("run.toml").write_text("[training]\nmodel = 'cnn1d'\nseed = 7\n")
    # The seed is not what is refused.
    assert run(["compress", "--config", "run.toml", "--seeds", "2", "--name", "a/b"]) == 2
    assert "'a/b-0' cannot be the name of a run" in capsys.readouterr().err
    assert run(["compress", "--config", "run.toml", "--seeds", "2", "--seed", "1"]) == 2
    assert "'--seed' and '--seeds' contradict each other" in capsys.readouterr().err
