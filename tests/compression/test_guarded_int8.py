"""Guards watch int8 too: what breaks one is undone, and the run says so."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from torch import nn

from edgeecg.compression import guarded_int8, guards
from edgeecg.compression.pipeline import Job, compress
from edgeecg.data import Dataset
from edgeecg.files import sha256
from edgeecg.quantization.int8_stage import Int8Stage, prepare_int8
from edgeecg.runs import RunFolder
from edgeecg.schema import CompressionConfig, Guard, ModelCard, QuantizationLog, Quantize, Scores

GUARD = "S:recall>=0.5"


class KilledError(Exception):
    """Stands for a kill at this very moment."""


@pytest.fixture
def job(toy_dataset: Dataset, toy_config: CompressionConfig, tmp_path: Path) -> Job:
    config = toy_config.model_copy(
        update={"quantize": "qat", "structure": "none", "steps": 1, "guards": ()}
    )
    return Job(config, toy_dataset, RunFolder(tmp_path / "run"), "edgeecg compress")


def guarded(job: Job, run: Path) -> Job:
    """The same run with a guard; its pruning steps are as if the guard held."""
    config = job.config.model_copy(update={"guards": (Guard.parse(GUARD),)})
    return replace(job, config=config, run=RunFolder(run))


@pytest.fixture
def s_recall(monkeypatch: pytest.MonkeyPatch) -> Callable[[dict[Quantize, float]], None]:
    """Let int8 have this recall of S by how it was made ready, and float32 a perfect one."""

    def accept(*given: object) -> None:
        """Take any dense model."""

    def let(recalls: dict[Quantize, float]) -> None:
        def ready(model: nn.Module, stage: Int8Stage) -> QuantizationLog:
            log = prepare_int8(model, stage)
            scored = log.val.per_class["S"].model_copy(update={"recall": recalls[stage.mode]})
            val = log.val.model_copy(update={"per_class": {**log.val.per_class, "S": scored}})
            return log.model_copy(update={"val": val})

        monkeypatch.setattr(guarded_int8, "prepare_int8", ready)
        monkeypatch.setattr("edgeecg.compression.guards.check_dense", accept)
        watched = guards.broken_guards

        def broken(asked: tuple[Guard, ...], *measured: object) -> dict[str, float]:
            named = watched(asked, *measured)  # pyright: ignore[reportArgumentType]
            return {key: value for key, value in named.items() if value in recalls.values()}

        monkeypatch.setattr(guarded_int8, "broken_guards", broken)

    return let


def weights(run: RunFolder) -> str:
    card = ModelCard.from_json(run.model_card.read_bytes(), "card")
    assert card.weights_sha256 == sha256(run.model_weights)
    return card.weights_sha256


def log_of(run: RunFolder) -> QuantizationLog:
    return QuantizationLog.from_json(run.quantization.read_bytes(), "quantization.json")


@pytest.mark.parametrize(
    ("recalls", "kept", "like"),
    [
        ({"qat": 0.51, "ptq": 0.41}, "qat", "qat"),
        ({"qat": 0.41, "ptq": 0.51}, "ptq", "none"),
        ({"qat": 0.41, "ptq": 0.42}, "none", "none"),
    ],
)
def test_int8_that_breaks_a_guard_is_undone(
    job: Job,
    s_recall: Callable[[dict[Quantize, float]], None],
    tmp_path: Path,
    recalls: dict[Quantize, float],
    kept: Quantize,
    like: Quantize,
) -> None:
    plain = replace(job, config=job.config.model_copy(update={"quantize": like}))
    compress(plain)
    s_recall(recalls)
    run = guarded(job, tmp_path / "guarded").run
    compress(guarded(job, run.path))
    log = log_of(run)
    assert (log.mode, log.kept) == ("qat", kept)
    tried: list[Quantize] = ["qat"] if kept == "qat" else ["qat", "ptq"]
    assert log.broken == {m: {GUARD: recalls[m]} for m in tried if recalls[m] < 0.5}
    assert bool(log.train_loss) == (kept == "qat")
    # Undone is undone: the weights are those of a run that never trained for int8.
    assert weights(run) == weights(plain.run)
    epochs = ModelCard.from_json(run.model_card.read_bytes(), "card").epochs
    assert epochs == job.config.finetune_epochs * (1 + (kept == "qat"))


@pytest.mark.system
def test_a_run_killed_after_training_was_undone_ends_the_same(
    job: Job, s_recall: Callable[[dict[Quantize, float]], None], tmp_path: Path
) -> None:
    s_recall({"qat": 0.41, "ptq": 0.51})
    whole = guarded(job, tmp_path / "whole")
    compress(whole)

    trained = False

    def kill(what: str, done: int, total: int) -> None:
        nonlocal trained
        if what.startswith("layers in int8") and done == 1:
            if trained:
                raise KilledError
            trained = True

    again = guarded(job, tmp_path / "again")
    with pytest.raises(KilledError):
        compress(replace(again, progress=kill))
    assert not again.run.finished
    compress(again)
    assert weights(again.run) == weights(whole.run)
    assert log_of(again.run) == log_of(whole.run)


@pytest.mark.parametrize(
    ("kept", "broken", "said"),
    [
        ("ptq", {}, "Int8 without training has a macro-F1 of 0.690 on the validation records, with "
         "head left in float32."),
        ("ptq", {"qat": 0.41}, "Int8 with training breaks S:recall>=0.5 (0.410) and was undone. "
         "Int8 without training has a macro-F1 of 0.690"),
        ("none", {"qat": 0.41, "ptq": 0.42}, "Int8 with training breaks S:recall>=0.5 (0.410); "
         "Int8 without training breaks S:recall>=0.5 (0.420): the model stays in float32."),
    ],
)  # fmt: skip
def test_what_came_of_it_is_said_in_words(
    kept: Quantize, broken: dict[Quantize, float], said: str
) -> None:
    log = QuantizationLog.model_construct(
        kept=kept,
        broken={mode: {GUARD: at} for mode, at in broken.items()},
        float_layers=("head",),
        val=Scores.model_construct(macro_f1=0.69, macro_auroc=None),
    )
    assert log.remark.startswith(said)
