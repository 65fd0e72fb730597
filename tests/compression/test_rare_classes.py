"""Guards of the fidelity, class weights and longer fine-tuning in whole (small) runs."""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from rich.console import Console
from safetensors.torch import load_file
from small_runs import dense_run, small_run

from edgeecg.cli._compression_table import show
from edgeecg.compression import fine_tuning, guards, start as run_start
from edgeecg.compression.fidelity import Probe
from edgeecg.compression.job import Job
from edgeecg.compression.objective import objective_of, with_features
from edgeecg.compression.pipeline import compress, planned
from edgeecg.data import Dataset
from edgeecg.errors import UnknownNameError, UsageError
from edgeecg.evaluation import named, scoring
from edgeecg.files import sha256
from edgeecg.models import architecture, build
from edgeecg.reporting import evaluation
from edgeecg.runs import RunFolder
from edgeecg.schema import (
    CompressionConfig,
    CompressionLog,
    Fidelity,
    FidelityShare,
    Guard,
    ModelCard,
)


@pytest.fixture(scope="module")
def start(toy_dataset: Dataset, tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    return dense_run(toy_dataset, tmp_path_factory.mktemp("runs") / "dense")


def measured(s: float | None, n: int = 50, worst: float = 0.9) -> Fidelity:
    share = FidelityShare(n=n, fidelity=s)
    of_all = FidelityShare(n=100, fidelity=0.95)
    records = {"a": FidelityShare(n=12, fidelity=worst), "b": of_all}
    classes = {"N": of_all, "S": share, "V": of_all}
    return Fidelity(split="train", overall=of_all, per_class=classes, per_record=records)


def val_of(start: RunFolder) -> ModelCard:
    return ModelCard.from_json(start.baseline_card.read_bytes(), "card")


@pytest.mark.parametrize(
    ("text", "broken"),
    [
        ("S:fidelity>=0.8", None),
        ("S:fidelity>=0.82", 0.81),
        ("worst_record:fidelity>=0.9", None),
        ("worst_record:fidelity>=0.95", 0.9),
        ("fidelity>=0.95", None),
        ("fidelity>=0.96", 0.95),
    ],
)
def test_guards_of_the_fidelity(text: str, broken: float | None, start: RunFolder) -> None:
    guard = Guard.parse(text)
    assert Guard.parse(str(guard)) == guard
    found = guards.broken_guards((guard,), val_of(start).val, measured(0.81))
    assert found == ({} if broken is None else {text: broken})


def test_a_class_that_the_dense_model_never_gives_cannot_be_lost(start: RunFolder) -> None:
    guard = Guard.parse("S:fidelity>=0.9")
    assert guards.broken_guards((guard,), val_of(start).val, measured(None, 0)) == {}


def test_guards_that_cannot_be_checked_are_refused() -> None:
    for text, said in (
        ("worst_record:recall>=0.5", "no metric of the worst record; there are: fidelity"),
        ("fidelty>=0.5", "no metric without a class"),
    ):
        with pytest.raises(UsageError, match=said):
            Guard.parse(text)
    ptbxl = architecture("resnet1d_se_attn")
    guards.check_names((Guard.parse("MI:fidelity>=0.8"),), ptbxl)
    with pytest.raises(UsageError, match="each record is one window"):
        guards.check_names((Guard.parse("worst_record:fidelity>=0.8"),), ptbxl)


def test_a_guard_on_few_beats_warns_and_names_the_count(start: RunFolder) -> None:
    val = val_of(start).val
    few = val.per_class["S"].model_copy(update={"support": 19})
    val = val.model_copy(update={"per_class": {**val.per_class, "S": few}})
    texts = ("S:recall>=0.5", "S:fidelity>=0.8", "worst_record:fidelity>=0.8", "macro_f1>=0.1")
    found = guards.few_beats(tuple(map(Guard.parse, texts)), val, measured(0.9, 7))
    assert ["19 of the class S" in found[0], "7 that the dense" in found[1]] == [True, True]
    assert "12 of record a" in found[2]
    assert len(found) == 3
    assert guards.few_beats((Guard.parse(texts[1]),), val, measured(0.9, 20)) == ()


def test_proposed_guards_are_those_of_the_database_unless_replaced_or_switched_off() -> None:
    config = CompressionConfig(default_guards=True)
    (proposed,) = guards.in_force(config, "mitdb")
    assert (proposed.class_name, proposed.metric) == ("S", "fidelity")
    assert guards.in_force(config, "synthetic") == guards.in_force(config, "folder") == ()
    own = Guard.parse("S:fidelity>=0.5")
    assert guards.in_force(config.model_copy(update={"guards": (own,)}), "mitdb") == (own,)
    assert guards.in_force(CompressionConfig(default_guards=False), "mitdb") == ()


def test_the_log_says_how_often_the_models_decide_alike(
    toy_dataset: Dataset, start: RunFolder, tmp_path: Path
) -> None:
    job = small_run(toy_dataset, start, tmp_path / "run", guards=("S:fidelity>=0",))
    log = compress(job)
    assert set(log.steps[0].fidelity) == {"train", "val"}
    assert log.guards == ("S:fidelity>=0",)
    dense, small = (
        build("cnn1d", widths) for widths in (architecture("cnn1d").WIDTHS, log.steps[-1].widths)
    )
    dense.load_state_dict(load_file(job.run.baseline_weights))
    small.load_state_dict(load_file(job.run.model_weights))
    with torch.no_grad():
        first, second = (
            model.eval()(torch.from_numpy(np.array(toy_dataset.test.x))).argmax(dim=1)
            for model in (dense, small)
        )
    found = log.fidelity["test"]
    assert found.overall.fidelity == pytest.approx(float((first == second).float().mean()))
    card = ModelCard.from_json(job.run.model_card.read_bytes(), "card")
    assert log.recall["compressed"]["S"] == card.test.per_class["S"].recall
    assert log.recall["baseline"]["V"] == val_of(start).test.per_class["V"].recall
    stored = CompressionLog.from_json(job.run.compression_log.read_bytes(), "log")
    assert stored == log


def test_the_screen_shows_fidelity_and_warnings(
    toy_dataset: Dataset, start: RunFolder, tmp_path: Path
) -> None:
    given = ("S:fidelity>=0", "worst_record:fidelity>=0")
    job = small_run(toy_dataset, start, tmp_path / "run", guards=given, steps=1)
    log = compress(job)
    cards = [
        ModelCard.from_json(path.read_bytes(), "card")
        for path in (job.run.baseline_card, job.run.model_card)
    ]
    console = Console(record=True, width=100, file=io.StringIO())
    show(console, log.model_copy(update={"warnings": ("Few beats.",)}), *cards)
    text = console.export_text()
    assert "Warning: Few beats." in text
    lowest = log.steps[0].fidelity["train"].worst_class
    (step,) = [line for line in text.splitlines() if line.strip().startswith("1/1")]
    assert step.split()[-3] == f"{lowest:.3f}"
    for name, of_class in log.fidelity["test"].per_class.items():
        (row,) = [line for line in text.splitlines() if f"fidelity of {name}" in line]
        shown = "-" if of_class.fidelity is None else f"{of_class.fidelity:.3f}"
        assert row.split()[-2:] == ["1.000", shown]
    worst = log.fidelity["test"].worst_record
    assert worst is not None
    assert f"worst record: {worst[0]}" in text


def test_evaluate_compares_a_compressed_run_with_its_dense_model(
    toy_dataset: Dataset, start: RunFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = small_run(toy_dataset, start, tmp_path / "run", steps=1)
    log = compress(job)

    def load(*given: object) -> Dataset:
        return toy_dataset

    monkeypatch.setattr(scoring, "load_dataset", load)
    found = named.evaluate(str(job.run.path))
    assert found.fidelity == log.fidelity["test"]
    document = found.to_document()
    assert document["fidelity"]["per_class"].keys() == {"N", "S", "V"}
    (table,) = [
        each
        for each in evaluation.tables(found.scores, found.summary, found.fidelity)
        if each.title.startswith("Fidelity")
    ]
    assert len(table.rows) == 5
    # The dense model itself has nothing to be compared with.
    alone = named.evaluate(str(start.path))
    assert alone.to_document()["fidelity"] is None
    assert named.evaluate(str(job.run.baseline_weights)).fidelity is None


def test_a_step_that_loses_a_class_is_rolled_back(
    toy_dataset: Dataset, start: RunFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Probe, "measured", lambda probe, model: measured(0.6))  # pyright: ignore[reportUnknownLambdaType]
    job = small_run(
        toy_dataset, start, tmp_path / "run", guards=("S:fidelity>=0.7",), retries=0, steps=1
    )
    log = compress(job)
    assert log.rollbacks[0].broken == {"S:fidelity>=0.7": 0.6}
    assert log.steps == ()


def test_fine_tuning_goes_on_until_the_fidelity_is_reached(
    toy_dataset: Dataset, start: RunFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = iter([0.5, 0.9])

    def rises(probe: Probe, model: object) -> Fidelity:
        return measured(next(found, 0.95))

    monkeypatch.setattr(Probe, "measured", rises)
    job = small_run(
        toy_dataset, start, tmp_path / "run", steps=1, finetune_fidelity=0.8, finetune_most=5
    )
    probe = Probe.of_split(build("cnn1d").eval(), toy_dataset, "val")
    dense, model = build("cnn1d").eval(), build("cnn1d")
    assert len(fine_tuning.fine_tune(job, dense, model, 1, "step", probe)) == 2
    found = iter([0.1] * 10)
    assert len(fine_tuning.fine_tune(job, dense, model, 1, "step", probe)) == 5


def variant(job: Job, folder: Path, **options: object) -> str:
    run = RunFolder(folder)
    compress(replace(job, run=run, config=job.config.model_copy(update=options)))
    return sha256(run.model_weights)


def test_class_weights_and_wide_windows_change_the_weights_and_none_does_not(
    toy_dataset: Dataset, start: RunFolder, tmp_path: Path
) -> None:
    job = small_run(toy_dataset, start, tmp_path / "run", steps=1)
    # The learning rate of an epoch's last batch is 0.
    two_batches = job.config.training.model_copy(update={"epoch_windows": 128})
    plain = variant(job, tmp_path / "plain", training=two_batches)
    assert variant(job, tmp_path / "none", training=two_batches, class_weight="none") == plain
    weighted = variant(job, tmp_path / "weighted", training=two_batches, class_weight="S=4")
    assert weighted != plain
    wide = variant(job, tmp_path / "wide", training=two_batches, finetune_windows="wide")
    assert wide != plain


def test_wide_windows_are_changed_at_least_as_much_as_in_training() -> None:
    training = architecture("cnn1d").RECIPE
    assert fine_tuning.training_of(CompressionConfig(training=training)) == training
    config = CompressionConfig(training=training, finetune_windows="wide")
    wide = fine_tuning.training_of(config)
    sizes = wide.augmentation
    # The training recipe drops the signal of half the windows; WIDE leaves it.
    assert (sizes.signal_dropout, sizes.wander, sizes.rhythm_jitter) == (0.5, 0.6, 0.5)
    assert wide.mixup == 1.0
    kept = {"augmentation": training.augmentation, "mixup": training.mixup}
    assert wide.model_copy(update=kept) == training


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"model": "cnn1d"}, (1.0, "wide", 4)),
        ({"model": "cnn1d", "finetune_epochs": 2}, (1.0, "wide", 2)),
        ({"model": "cnn1d", "finetune_windows": "training"}, (1.0, "training", 4)),
        # Without the dense model only the annotations are left.
        ({"model": "cnn1d", "distill": False}, (0.9, "training", 2)),
        ({"model": "resnet1d_se_attn"}, (0.9, "training", 2)),
    ],
)
def test_beats_are_fine_tuned_on_wide_windows_by_default(
    given: dict[str, object], expected: tuple[float, str, int]
) -> None:
    config, _ = run_start.configuration(run_start.sorted_options(given))
    found = (config.distill_alpha, config.finetune_windows, config.finetune_epochs)
    assert found == expected


def test_a_document_that_does_not_name_the_windows_is_of_an_earlier_version() -> None:
    document = CompressionConfig().to_document()
    del document["finetune_windows"]
    config = CompressionConfig.from_document(document, "config.json")
    assert config.finetune_windows == "training"


def test_dropout_is_off_on_wide_windows_and_back_afterwards() -> None:
    model = build("cnn1d")
    training = architecture("cnn1d").RECIPE

    def probabilities() -> list[float]:
        return [layer.p for layer in model.modules() if isinstance(layer, torch.nn.Dropout)]

    with fine_tuning.without_dropout(model, CompressionConfig(training=training)):
        assert probabilities() == [0.3]
    wide = CompressionConfig(training=training, finetune_windows="wide")
    with fine_tuning.without_dropout(model, wide):
        assert probabilities() == [0.0]
    assert probabilities() == [0.3]


def test_only_the_dense_model_counts_where_all_of_the_loss_is_distillation(
    toy_dataset: Dataset, start: RunFolder, tmp_path: Path
) -> None:
    job = small_run(toy_dataset, start, tmp_path / "run", distill_alpha=1.0)
    dense = build("cnn1d").eval()
    x = torch.from_numpy(np.array(toy_dataset.train.x[:8]))
    objective = objective_of(job, dense)
    with torch.no_grad():
        logits = dense(x) + torch.tensor([1.0, 0.0, -1.0])
        losses = {float(objective(logits, x, torch.eye(3)[[k] * 8])) for k in range(3)}
        assert len(losses) == 1
        assert float(objective(dense(x), x, torch.eye(3)[[0] * 8])) == pytest.approx(0, abs=1e-6)


def test_features_are_compared_and_the_hooks_are_removed(
    toy_dataset: Dataset, start: RunFolder, tmp_path: Path
) -> None:
    job = small_run(toy_dataset, start, tmp_path / "run", distill_features=2.0)
    dense, student = build("cnn1d").eval(), build("cnn1d").eval()
    x = torch.from_numpy(np.array(toy_dataset.train.x[:8]))
    target = torch.eye(3)[torch.arange(8) % 3]
    plain = objective_of(job, dense)
    with torch.no_grad(), with_features(job, plain, dense, student) as objective:
        assert float(objective(student(x), x, target)) > float(plain(student(x), x, target))
    with torch.no_grad(), with_features(job, plain, dense, dense) as objective:
        # A model is like itself.
        alone = float(plain(dense(x), x, target))
        assert float(objective(dense(x), x, target)) == pytest.approx(alone, abs=1e-5)
    hooks = [getattr(layer, "_forward_pre_hooks") for layer in dense.modules()]  # noqa: B009
    assert not any(hooks)


def test_a_teacher_of_other_classes_is_refused(
    toy_dataset: Dataset, start: RunFolder, tmp_path: Path
) -> None:
    other = RunFolder(tmp_path / "other")
    card = val_of(start).model_copy(update={"classes": ("N", "V", "S")})
    other.path.mkdir()
    other.baseline_weights.write_bytes(start.baseline_weights.read_bytes())
    other.baseline_card.write_text(card.to_json())
    with pytest.raises(UsageError, match="classes N, V, S, and the records have N, S, V"):
        compress(small_run(toy_dataset, other, tmp_path / "run"))


def test_requests_that_cannot_work_are_refused(
    toy_dataset: Dataset, start: RunFolder, tmp_path: Path
) -> None:
    with pytest.raises(UnknownNameError, match="known classes are: N, S, V"):
        planned(CompressionConfig(class_weight="X=2"))
    train = toy_dataset.train
    alone = replace(toy_dataset, train=replace(train, y=np.zeros_like(train.y)))
    with pytest.raises(UsageError, match="of one class, N"):
        compress(small_run(alone, start, tmp_path / "one"))
