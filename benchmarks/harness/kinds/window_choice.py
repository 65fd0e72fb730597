"""Cross-validates ways of cutting a window around a beat, on DS1 patients alone.

Patient-wise: the 22 records of DS1 in five groups, each with one patient of many S beats; ``cnn1d``
is trained briefly on four and predicts the fifth. The running mean of the last epoch is scored, so
that nothing is chosen on the group that is predicted. No DS2 record is read for a decision or a
score.
"""

from __future__ import annotations

import dataclasses
import tempfile
from collections.abc import Iterable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import confusion_matrix
from torch import nn

from edgeecg.data import DataRequest, Dataset, Windows, load_dataset
from edgeecg.data.windows.annotated import BEATS
from edgeecg.errors import UnknownNameError
from edgeecg.evaluation.inference import predict
from edgeecg.models import build
from edgeecg.models._recipes import BEATS as RECIPE
from edgeecg.schema import Preprocessing, Rhythm, TrainingConfig
from edgeecg.statistics.confusion import f1
from edgeecg.training.baseline import train
from edgeecg.training.checkpoint import load_checkpoint, unprefixed

from ..experiment import Context, Experiment
from ..tasks import Task

PACKAGES = ("torch", "numpy", "scipy")
GROUPS = (
    ("209", "114", "101", "122", "205"),
    ("207", "112", "106", "115", "230"),
    ("118", "108", "116", "215", "109"),
    ("220", "124", "119", "208"),
    ("223", "201", "203"),
)
PLAIN = BEATS.model_copy(update={"rhythm": None, "reference": None})


def strip(rhythm: Rhythm) -> Preprocessing:
    """Return the default window with another strip; the R peak stays 50 samples into the signal."""
    return BEATS.model_copy(update={"rhythm": rhythm, "r_index": rhythm.samples + 50})


TRIED: dict[str, Preprocessing] = {
    "360 Hz, 0.71 s": PLAIN.model_copy(update={"fs_hz": 360.0, "r_index": 128}),
    "128 Hz, 2 s": PLAIN.model_copy(update={"r_index": 160}),
    "128 Hz, 1.5 s, rhythm": BEATS.model_copy(update={"reference": None, "r_index": 179}),
    "128 Hz, 1 s, mean beat": BEATS.model_copy(update={"rhythm": None, "r_index": 58}),
    "128 Hz, 0.75 s, rhythm, mean beat": BEATS,
    "the same, high-pass 1 Hz": BEATS.model_copy(update={"highpass_hz": 1.0}),
    "the same, 0.875 s, half the strip": strip(Rhythm(hold=16)),
    "the same, 0.875 s, 4 beats in half the strip": strip(Rhythm(beats=4, hold=8)),
    "the same, 0.875 s, 8 beats over their deviation": strip(
        Rhythm(beats=8, hold=4, gain=1.0, over_deviation=True)
    ),
}


def tasks(experiment: Experiment, context: Context) -> Iterable[Task]:
    """Return a task for each window; its row holds all seeds."""
    for run in experiment.runs:
        if run.label not in TRIED:
            raise UnknownNameError("window", run.label, TRIED)
        made = partial(_row, run.label, experiment.seeds, experiment.settings)
        yield Task({"window": run.label}, made)


def ds1(preprocessing: Preprocessing) -> Dataset:
    """Return DS1 as one training split; the others are what the program makes of them."""
    found = load_dataset(DataRequest(source="mitdb", preprocessing=preprocessing))
    fields = ("x", "y", "record", "patient", "sample")
    both = [
        np.concatenate([getattr(part, field) for part in (found.train, found.val)])
        for field in fields
    ]
    return dataclasses.replace(found, train=Windows(*both), outside={})


def chosen(windows: Windows, mask: NDArray[np.bool_]) -> Windows:
    """Return the windows of some records."""
    return Windows(
        windows.x[mask],
        windows.y[mask],
        windows.record[mask],
        windows.patient[mask],
        windows.sample[mask],
    )


def fitted(whole: Dataset, names: tuple[str, ...], config: TrainingConfig) -> nn.Module:
    """Train on the other records, and return the running mean of the last epoch.

    Args:
        whole: DS1 as one training split.
        names: The records to leave out.
        config: How to train.

    Returns:
        The model, in evaluation mode.
    """
    left_out = np.isin(whole.train.record, names)
    held = chosen(whole.train, left_out)
    # Nothing is chosen on `val`, so that a few windows will do there.
    few = chosen(held, np.arange(len(held.y)) % 50 == 0)
    dataset = dataclasses.replace(whole, train=chosen(whole.train, ~left_out), val=few)
    model = build(config.model)
    with tempfile.TemporaryDirectory() as folder:
        checkpoint = Path(folder) / "state"
        train(dataset, config, checkpoint)
        averaged = unprefixed("averaged", load_checkpoint(checkpoint)[0])
    model.load_state_dict(
        {k.removeprefix("module."): v for k, v in averaged.items() if k.startswith("module.")}
    )
    return model.eval()


def fold(whole: Dataset, names: tuple[str, ...], config: TrainingConfig) -> NDArray[np.int64]:
    """Train on the other records and return the confusion matrix of these."""
    held = chosen(whole.train, np.isin(whole.train.record, names))
    called = predict(fitted(whole, names, config), held.x).argmax(axis=1)
    return confusion_matrix(held.y, called, labels=range(3))


def _row(name: str, seeds: Sequence[int], settings: dict[str, Any]) -> list[dict[str, Any]]:
    """Cross-validate one window."""
    preprocessing = TRIED[name]
    sizes = RECIPE.augmentation
    if preprocessing.rhythm is None and preprocessing.reference is None:
        # Without another part a window cannot do without its signal.
        sizes = sizes.model_copy(update={"signal_dropout": 0.0})
    config = RECIPE.model_copy(update={"model": "cnn1d", "augmentation": sizes, **settings})
    whole = ds1(preprocessing)
    # One matrix per seed and group.
    matrices = [
        [fold(whole, names, config.model_copy(update={"seed": seed})) for names in GROUPS]
        for seed in seeds
    ]
    groups = np.sum(matrices, axis=0)
    pooled = f1(np.sum(groups, axis=0)).tolist()
    of_groups = [
        float(np.mean([np.mean(f1(each[g])) for each in matrices])) for g in range(len(GROUPS))
    ]
    return [
        {
            "preprocessing": preprocessing.model_dump(mode="json"),
            "macro_f1_pooled": float(np.mean(pooled)),
            "macro_f1_mean_of_groups": float(np.mean(of_groups)),
            "macro_f1_std_of_groups": float(np.std(of_groups, ddof=1)),
            "f1_pooled": dict(zip(("N", "S", "V"), pooled, strict=True)),
            "s_f1_of_groups": [float(f1(m)[1]) for m in groups],
            "confusions": [[m.tolist() for m in each] for each in matrices],
            "seeds": list(seeds),
            "training": config.model_dump(mode="json", exclude={"seed"}),
        }
    ]
