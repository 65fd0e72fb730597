"""Starting a training run: what another process did under the same name meanwhile is kept."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from edgeecg.data import Dataset
from edgeecg.errors import EdgeECGError
from edgeecg.runs import RunFolder
from edgeecg.schema import CompressionConfig, TrainingConfig
from edgeecg.training import start
from edgeecg.training.start import Listeners


@pytest.fixture
def config(toy_config: CompressionConfig) -> TrainingConfig:
    return toy_config.training.model_copy(update={"epochs": 1})


@pytest.fixture
def meanwhile(
    toy_dataset: Dataset, monkeypatch: pytest.MonkeyPatch
) -> Callable[[Callable[[], object]], None]:
    """Let something happen while the records are read."""

    def put(happens: Callable[[], object]) -> None:
        def load_records(*_: object) -> Dataset:
            happens()
            return toy_dataset

        monkeypatch.setattr(start, "load_records", load_records)

    return put


def test_a_run_that_was_finished_meanwhile_is_kept(
    meanwhile: Callable[[Callable[[], object]], None], config: TrainingConfig, tmp_path: Path
) -> None:
    run = RunFolder(tmp_path / "mine")
    run.path.mkdir()
    meanwhile(lambda: run.baseline_card.write_text("the card of another process"))
    with pytest.raises(EdgeECGError, match=r"'mine' is finished.*after this one had been started"):
        start.perform(run, config, "edgeecg train", Listeners())
    assert run.baseline_card.read_text() == "the card of another process"
    assert sorted(path.name for path in run.path.iterdir()) == ["baseline.json"]


def test_a_run_that_was_started_meanwhile_with_other_settings_is_kept(
    meanwhile: Callable[[Callable[[], object]], None], config: TrainingConfig, tmp_path: Path
) -> None:
    run = RunFolder(tmp_path / "mine")
    run.path.mkdir()
    other = config.model_copy(update={"seed": 5})
    meanwhile(lambda: run.training.write_text(other.to_json()))
    with pytest.raises(EdgeECGError, match="with other settings"):
        start.perform(run, config, "edgeecg train", Listeners())
    assert TrainingConfig.from_file(run.training) == other
