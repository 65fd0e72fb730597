"""Which window a beat is best seen through: tried on DS1 patients alone.

Patient-wise cross-validation: the 22 records of DS1 in five groups, each with one patient of many S
beats; ``cnn1d`` is trained briefly on four and predicts the fifth. The running mean of the last
epoch is scored, so that nothing is chosen on the group that is predicted. DS2 is never looked at.
Windows that are tried already are kept, so the script can be killed and restarted::

    EDGEECG_DATA=../shared/data python benchmarks/window_choice.py
"""

from __future__ import annotations

import dataclasses
import json
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from run_provenance import machine, versions
from sklearn.metrics import confusion_matrix

from edgeecg.data import DataRequest, Dataset, Windows, load_dataset
from edgeecg.data.windows.annotated import BEATS
from edgeecg.evaluation.inference import predict
from edgeecg.files import write_text
from edgeecg.models import build
from edgeecg.models._recipes import BEATS as RECIPE
from edgeecg.runs import git_revision
from edgeecg.schema import Preprocessing, Rhythm, TrainingConfig
from edgeecg.statistics.confusion import f1
from edgeecg.training.baseline import train
from edgeecg.training.checkpoint import load_checkpoint, unprefixed

RESULT = Path(__file__).resolve().parent / "results" / "window_choice.json"
GROUPS = (
    ("209", "114", "101", "122", "205"),
    ("207", "112", "106", "115", "230"),
    ("118", "108", "116", "215", "109"),
    ("220", "124", "119", "208"),
    ("223", "201", "203"),
)
SEEDS = (0, 1)
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


def fold(whole: Dataset, names: tuple[str, ...], config: TrainingConfig) -> NDArray[np.int64]:
    """Train on the other records and return the confusion matrix of these."""
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
    called = predict(model.eval(), held.x).argmax(axis=1)
    return confusion_matrix(held.y, called, labels=range(3))


def row(name: str, preprocessing: Preprocessing) -> dict[str, Any]:
    """Cross-validate one window."""
    sizes = RECIPE.augmentation
    if preprocessing.rhythm is None and preprocessing.reference is None:
        # Without another part a window cannot do without its signal.
        sizes = sizes.model_copy(update={"signal_dropout": 0.0})
    config = RECIPE.model_copy(
        update={"model": "cnn1d", "epochs": 3, "epoch_windows": 5000, "augmentation": sizes}
    )
    whole = ds1(preprocessing)
    # One matrix per seed and group.
    matrices = [
        [fold(whole, names, config.model_copy(update={"seed": seed})) for names in GROUPS]
        for seed in SEEDS
    ]
    groups = np.sum(matrices, axis=0)
    pooled = f1(np.sum(groups, axis=0)).tolist()
    of_groups = [
        float(np.mean([np.mean(f1(each[g])) for each in matrices])) for g in range(len(GROUPS))
    ]
    return {
        "window": name,
        "preprocessing": preprocessing.model_dump(mode="json"),
        "macro_f1_pooled": float(np.mean(pooled)),
        "macro_f1_mean_of_groups": float(np.mean(of_groups)),
        "macro_f1_std_of_groups": float(np.std(of_groups, ddof=1)),
        "f1_pooled": dict(zip(("N", "S", "V"), pooled, strict=True)),
        "s_f1_of_groups": [float(f1(m)[1]) for m in groups],
        "confusions": [[m.tolist() for m in each] for each in matrices],
        "seeds": SEEDS,
        "training": config.model_dump(mode="json", exclude={"seed"}),
        "git_revision": git_revision(),
    }


def main() -> None:
    """Try what was not tried yet, writing after each window."""
    rows: list[dict[str, Any]] = []
    if RESULT.is_file():
        found = json.loads(RESULT.read_text(encoding="utf-8"))["rows"]
        rows = [row for row in found if row.get("seeds") == list(SEEDS)]
    for name, preprocessing in TRIED.items():
        done = [r for r in rows if r["preprocessing"] == preprocessing.model_dump(mode="json")]
        if done:
            continue
        rows.append(row(name, preprocessing))
        print(name, round(rows[-1]["macro_f1_mean_of_groups"], 3), flush=True)
        document = {
            "title": "Windows tried on DS1, patient-wise cross-validation, cnn1d, seeds 0 and 1",
            "groups": GROUPS,
            "rows": rows,
            "machine": machine(),
            "versions": versions(("torch", "numpy", "scipy")),
        }
        write_text(RESULT, json.dumps(document, indent=1) + "\n")


if __name__ == "__main__":
    main()
