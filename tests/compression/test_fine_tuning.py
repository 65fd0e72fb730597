"""Fine-tuning in small runs: its loss, its windows, its length and the weights of the classes."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from small_runs import fidelity_to_dense, small_run

from edgeecg.compression import fine_tuning, settings
from edgeecg.compression.fidelity import Probe
from edgeecg.compression.job import Job
from edgeecg.compression.objective import objective_of, with_features
from edgeecg.compression.pipeline import compress, planned
from edgeecg.data import Dataset
from edgeecg.errors import UnknownNameError, UsageError
from edgeecg.files import sha256
from edgeecg.models import architecture, build
from edgeecg.runs import RunFolder
from edgeecg.schema import CompressionConfig, Fidelity, ModelCard


def test_fine_tuning_goes_on_until_the_fidelity_is_reached(
    toy_dataset: Dataset, start: RunFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = iter([0.5, 0.9])

    def rises(probe: Probe, model: object) -> Fidelity:
        return fidelity_to_dense(next(found, 0.95))

    monkeypatch.setattr(Probe, "measured", rises)
    job = small_run(
        toy_dataset, start, tmp_path / "run", steps=1, finetune_fidelity=0.8, finetune_most=5
    )
    probe = Probe.of_split(build("cnn1d").eval(), toy_dataset, "val")
    dense, model = build("cnn1d").eval(), build("cnn1d")
    assert len(fine_tuning.fine_tune(job, dense, model, 1, "step", probe)) == 2
    found = iter([0.1] * 10)
    assert len(fine_tuning.fine_tune(job, dense, model, 1, "step", probe)) == 5


@pytest.mark.parametrize(("epochs", "most"), [(1, 8), (4, 8), (5, 10)])
def test_a_step_takes_twice_its_epochs_at_most_and_eight_at_least_where_nothing_is_said(
    epochs: int,
    most: int,
    toy_dataset: Dataset,
    start: RunFolder,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:

    def low(*_: object) -> Fidelity:
        return fidelity_to_dense(0.1)

    monkeypatch.setattr(Probe, "measured", low)
    job = small_run(
        toy_dataset, start, tmp_path / "run", finetune_fidelity=0.8, finetune_epochs=epochs
    )
    probe = Probe.of_split(build("cnn1d").eval(), toy_dataset, "val")
    losses = fine_tuning.fine_tune(job, build("cnn1d").eval(), build("cnn1d"), 1, "step", probe)
    assert len(losses) == most


def test_fewer_epochs_at_most_than_a_step_has_are_refused() -> None:
    steps = CompressionConfig(finetune_epochs=4, finetune_last_epochs=20, finetune_most=8)
    # Without a fidelity to be reached the number has no effect, and earlier documents hold it.
    assert planned(steps).finetune_most == 8
    with pytest.raises(UsageError, match=r"last step.*20 epochs.*at least 20"):
        planned(steps.model_copy(update={"finetune_fidelity": 0.9}))
    enough = {"finetune_fidelity": 0.9, "finetune_most": 20}
    assert planned(steps.model_copy(update=enough)).finetune_most == 20


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


def test_the_last_step_has_epochs_of_its_own(
    toy_dataset: Dataset, start: RunFolder, tmp_path: Path
) -> None:
    job = small_run(toy_dataset, start, tmp_path / "run", steps=2, finetune_last_epochs=3)
    log = compress(job)
    assert [len(step.train_loss) for step in log.steps] == [job.config.finetune_epochs, 3]


@pytest.mark.parametrize("norm", ["batch", "frozen"])
def test_frozen_norms_divide_by_what_they_did_in_the_dense_model(
    norm: str, toy_dataset: Dataset, start: RunFolder, tmp_path: Path
) -> None:
    job = small_run(toy_dataset, start, tmp_path / "run", finetune_norm=norm)
    # The learning rate of an epoch's last batch is 0.
    two_batches = job.config.training.model_copy(update={"epoch_windows": 128})
    job = replace(job, config=job.config.model_copy(update={"training": two_batches}))
    dense, model = build("cnn1d").eval(), build("cnn1d").eval()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    probe = Probe.of_split(dense, toy_dataset, "val")
    fine_tuning.fine_tune(job, dense, model, 1, "step", probe)
    after = model.state_dict()
    same = {name for name in before if torch.equal(before[name], after[name])}
    statistics = {name for name in before if "running_" in name}
    assert statistics
    assert same >= statistics if norm == "frozen" else not same & statistics
    # The factors and offsets of the norms are learned in both cases.
    assert "features.1.weight" not in same


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
        ({"model": "cnn1d"}, (1.0, "wide", "frozen", 4, 20)),
        ({"model": "cnn1d", "finetune_epochs": 2}, (1.0, "wide", "frozen", 2, None)),
        ({"model": "cnn1d", "finetune_last_epochs": None}, (1.0, "wide", "frozen", 4, None)),
        ({"model": "cnn1d", "finetune_windows": "training"}, (1.0, "training", "frozen", 4, 20)),
        # Without the dense model only the annotations are left.
        ({"model": "cnn1d", "distill": False}, (0.9, "training", "batch", 2, None)),
        ({"model": "resnet1d_se_attn"}, (0.9, "training", "batch", 2, None)),
    ],
)
def test_beats_are_fine_tuned_on_wide_windows_by_default(
    given: dict[str, object], expected: tuple[float, str, str, int, int | None]
) -> None:
    config, _ = settings.configuration(settings.sorted_options(given))
    assert expected == (
        config.distill_alpha,
        config.finetune_windows,
        config.finetune_norm,
        config.finetune_epochs,
        config.finetune_last_epochs,
    )


def test_a_document_that_does_not_name_the_windows_is_of_an_earlier_version() -> None:
    document = CompressionConfig().to_document()
    del document["finetune_windows"], document["finetune_norm"]
    config = CompressionConfig.from_document(document, "config.json")
    assert (config.finetune_windows, config.finetune_norm) == ("training", "batch")


def test_dropout_is_off_on_wide_windows_and_back_afterwards() -> None:
    model = build("cnn1d")
    training = architecture("cnn1d").RECIPE

    def probabilities() -> list[float]:
        return [layer.p for layer in model.modules() if isinstance(layer, torch.nn.Dropout)]

    with fine_tuning.dropout_of(model, CompressionConfig(training=training)):
        assert probabilities() == [0.3]
    wide = CompressionConfig(training=training, finetune_windows="wide")
    with fine_tuning.dropout_of(model, wide):
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
    card = ModelCard.from_file(start.baseline_card).model_copy(update={"classes": ("N", "V", "S")})
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
