"""Scores the shipped beat models on DS2 with recorded noise.

Noise of the test halves of the noise records (training may use the other halves) is added to the
raw signal; PhysioNet's ``nst`` defines the ratio. Then everything runs as on a clean record. Only
every n-th beat is scored, to keep it to minutes.
"""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Iterable
from functools import cache, lru_cache, partial
from typing import Any

import numpy as np
import torch

from edgeecg.data import Windows
from edgeecg.data.locations import place
from edgeecg.data.records import reader
from edgeecg.data.records.beat_classes import BEAT_SYMBOLS, CLASSES, group_of
from edgeecg.data.sources.mitdb import DS2
from edgeecg.data.windows import noise
from edgeecg.data.windows.beats import beat_windows
from edgeecg.evaluation.metrics import Truth, score_truth
from edgeecg.evaluation.predictors import Predictor, load_predictor
from edgeecg.schema import Preprocessing

from ..experiment import Context, Experiment
from ..tasks import Task

PACKAGES = ("torch", "numpy", "scipy", "wfdb")
CLEAN = "clean"
"""Stands for the level without noise: TOML has no null."""


def tasks(experiment: Experiment, context: Context) -> Iterable[Task]:
    """Return a task for each kind of noise, level and model."""
    settings = experiment.settings
    for kind in settings["noise"]:
        for level in settings["levels_db"]:
            snr_db = None if level == CLEAN else level
            for run in experiment.runs:
                key = {"model": run.model, "noise": kind, "snr_db": snr_db}
                made = partial(_row, run.model or "", kind, snr_db, settings["every"])
                yield Task(key, made)


@cache
def _predictor(model: str) -> Predictor:
    torch.set_num_threads(os.cpu_count() or 1)
    return load_predictor(model)


def _row(model: str, kind: noise.Kind, snr_db: float | None, every: int) -> list[dict[str, Any]]:
    predictor = _predictor(model)
    windows = _ds2(predictor.preprocessing.model_dump_json(), kind, snr_db, every)
    truth = Truth(windows, CLASSES, "beats", "test", "mitdb")
    found = score_truth(predictor.predict(windows.x), truth)
    return [
        {
            **found.model_dump(mode="json", exclude={"records"}),
            "every": every,
            "weights_sha256": predictor.card.weights_sha256 if predictor.card else None,
        }
    ]


@lru_cache(maxsize=1)
def _ds2(preprocessing: str, kind: noise.Kind, snr_db: float | None, every: int) -> Windows:
    """Return DS2 at one level of noise; the models that follow share it.

    Args:
        preprocessing: As JSON.
        kind: Baseline wander or muscle artefact.
        snr_db: Signal-to-noise ratio, or None without noise.
        every: Which share of the beats is kept.
    """
    parsed = Preprocessing.from_json(preprocessing, "the model's card")
    parts = [record_windows(name, parsed, kind, snr_db, every) for name in DS2]
    fields = ("x", "y", "record", "patient", "sample")
    return Windows(*(np.concatenate([getattr(p, field) for p in parts]) for field in fields))


def record_windows(
    name: str, preprocessing: Preprocessing, kind: noise.Kind, snr_db: float | None, every: int
) -> Windows:
    """Return every n-th beat of a record, clean or with noise on the raw signal."""
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
    wanted &= np.arange(len(groups)) % every == 0
    labels = np.array([CLASSES.index(group) for group in groups[wanted]], np.int64)
    owner = np.full(len(labels), name)
    return Windows(made.x[wanted[whole]], labels, owner, owner, beats[wanted])
