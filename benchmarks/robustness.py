"""Robustness of the shipped beat models to noise: DS2 with muscle artefact and baseline wander.

Noise of the test halves of the noise records (training may use the other halves) is added to the
raw signal at 24, 18, 12, 6 and 0 dB as PhysioNet's ``nst`` defines the ratio; then everything runs
as on a clean record. Every fourth beat is scored, to keep it to minutes::

    EDGEECG_DATA=../shared/data python benchmarks/robustness.py
"""

from __future__ import annotations

import dataclasses
import json
import os
import sys
from pathlib import Path
from typing import Any

import numpy as np
import torch
from run_provenance import machine, versions

from edgeecg.data import Windows
from edgeecg.data.locations import place
from edgeecg.data.records import reader
from edgeecg.data.records.beat_classes import BEAT_SYMBOLS, CLASSES, group_of
from edgeecg.data.sources.mitdb import DS2
from edgeecg.data.windows import noise
from edgeecg.data.windows.beats import beat_windows
from edgeecg.evaluation.metrics import Truth, score_truth
from edgeecg.evaluation.predictors import load_predictor
from edgeecg.files import write_text
from edgeecg.models import architecture, names
from edgeecg.runs import git_revision
from edgeecg.schema import Preprocessing

RESULT = Path(__file__).resolve().parent / "results" / "robustness.json"
LEVELS_DB = (None, 24, 18, 12, 6, 0)
EVERY = 4


def record_windows(
    name: str, preprocessing: Preprocessing, kind: noise.Kind, snr_db: float | None
) -> Windows:
    """Return every fourth beat of a record, clean or with noise on the raw signal."""
    record = reader.read(place("mitdb"), name, preprocessing.leads)
    is_beat = np.array([symbol in BEAT_SYMBOLS for symbol in record.symbols])
    groups = np.array([group_of(s, "aami") for s in record.symbols if s in BEAT_SYMBOLS], np.str_)
    beats = record.samples[is_beat]
    if snr_db is not None:
        recorded = noise.half(kind, "test")
        normal = beats[groups == "N"]
        noisy = noise.add(record.signal_mv, normal, recorded.signal_mv, snr_db, record.fs_hz)
        record = dataclasses.replace(record, signal_mv=noisy)
    made = beat_windows(record, beats, preprocessing)
    whole = made.reason == ""
    wanted = whole & np.isin(groups, CLASSES)
    wanted &= np.arange(len(groups)) % EVERY == 0
    labels = np.array([CLASSES.index(group) for group in groups[wanted]], np.int64)
    owner = np.full(len(labels), name)
    return Windows(made.x[wanted[whole]], labels, owner, owner, beats[wanted])


def ds2(preprocessing: Preprocessing, kind: noise.Kind, snr_db: float | None) -> Windows:
    """Return DS2 at one level of noise."""
    parts = [record_windows(name, preprocessing, kind, snr_db) for name in DS2]
    fields = ("x", "y", "record", "patient", "sample")
    return Windows(*(np.concatenate([getattr(p, field) for p in parts]) for field in fields))


def main() -> None:
    """Score every beat model of the package, or those named, at every level."""
    torch.set_num_threads(os.cpu_count() or 1)
    chosen = sys.argv[1:] or [name for name in names() if architecture(name).TASK == "beats"]
    predictors = {name: load_predictor(name) for name in chosen}
    preprocessing = next(iter(predictors.values())).preprocessing
    rows: list[dict[str, Any]] = []
    for kind in ("ma", "bw"):
        for level in LEVELS_DB:
            windows = ds2(preprocessing, kind, level)
            truth = Truth(windows, CLASSES, "beats", "test", "mitdb")
            for name, predictor in predictors.items():
                found = score_truth(predictor.predict(windows.x), truth)
                rows.append(
                    {
                        "model": name,
                        "noise": kind,
                        "snr_db": level,
                        **found.model_dump(mode="json", exclude={"records"}),
                    }
                )
                print(kind, level, name, found.described, flush=True)
    document = {
        "title": f"DS2 with recorded noise, every {EVERY}th beat, class map aami",
        "rows": rows,
        "weights_sha256": {n: s.card.weights_sha256 for n, s in predictors.items() if s.card},
        "git_revision": git_revision(),
        "machine": machine(),
        "versions": versions(("torch", "numpy", "scipy", "wfdb")),
    }
    write_text(RESULT, json.dumps(document, indent=1) + "\n")


if __name__ == "__main__":
    main()
