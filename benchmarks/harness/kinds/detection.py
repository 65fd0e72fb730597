"""Scores QRS detectors on MIT-BIH, and a model's classes on the beats that they find.

Detection: sensitivity, positive predictivity and offset of the R peak, within 150 ms as in AAMI
EC57, by the comparison of wfdb. Ventricular flutter (record 207) is left out; unlike in EC57, the
first five minutes are scored. Each detector's peaks are scored as they are and after re-centring by
``edgeecg.signal.r_peaks``; edgeecg's detector re-centres its peaks itself.

Classification: a shipped model on the beats of DS2 that a detector found. A beat that was not found
counts against the recall of its class, a false one against the precision of the class that it was
given.

sleepecg and neurokit2 are compared where they are installed. neurokit2 requires pandas 2, which is
older than what edgeecg is tested with: ``pip install --no-deps neurokit2 PyWavelets``.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cache, partial
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import numpy as np
from numpy.typing import NDArray
from wfdb import processing

from edgeecg.data.locations import place
from edgeecg.data.records import reader
from edgeecg.data.records.beat_classes import BEAT_SYMBOLS, CLASSES, group_of
from edgeecg.data.records.reader import Record
from edgeecg.data.sources.mitdb import DS1, DS2, PACED
from edgeecg.data.windows.beats import beat_windows
from edgeecg.evaluation.predictors import Predictor, load_predictor
from edgeecg.evaluation.threads import limited_threads
from edgeecg.signal import qrs
from edgeecg.signal.r_peaks import recentre
from edgeecg.statistics import confusion

from ..experiment import Context, Experiment
from ..tasks import Task

PACKAGES = ("torch", "numpy", "scipy", "wfdb")
WINDOW_S = 0.15
FAR_MS = 20.0
Positions = NDArray[np.int64]
Detector = Callable[[NDArray[np.float64], float], Any]


def xqrs(lead_mv: NDArray[np.float64], fs_hz: float) -> Any:
    """Detect with wfdb's XQRS."""
    return processing.xqrs_detect(sig=lead_mv, fs=fs_hz, verbose=False)


def gqrs(lead_mv: NDArray[np.float64], fs_hz: float) -> Any:
    """Detect with wfdb's GQRS."""
    return processing.gqrs_detect(sig=lead_mv, fs=fs_hz)


def sleepecg(lead_mv: NDArray[np.float64], fs_hz: float) -> Any:
    """Detect with sleepecg."""
    import sleepecg  # pyright: ignore[reportMissingImports]

    return sleepecg.detect_heartbeats(lead_mv, fs_hz)


def neurokit2(lead_mv: NDArray[np.float64], fs_hz: float) -> Any:
    """Detect with neurokit2's default method."""
    import neurokit2  # pyright: ignore[reportMissingImports]

    clean = neurokit2.ecg_clean(lead_mv, round(fs_hz))
    return neurokit2.ecg_findpeaks(clean, round(fs_hz))["ECG_R_Peaks"]


DETECTORS: dict[str, tuple[str, Detector]] = {
    "edgeecg": ("edgeecg", qrs.detect),
    "wfdb XQRS": ("wfdb", xqrs),
    "wfdb GQRS": ("wfdb", gqrs),
    "sleepecg": ("sleepecg", sleepecg),
    "neurokit2": ("neurokit2", neurokit2),
}
"""By title: the distribution, and the function."""


ANNOTATIONS = "annotations"


def tasks(experiment: Experiment, context: Context) -> Iterable[Task]:
    """Return a task for each detector that is installed, and for each row of classes."""
    records = tuple(experiment.settings["records"]) or ALL
    for run in experiment.runs:
        title = run.label
        if title != ANNOTATIONS:
            package = DETECTORS[title][0]
            if package_version(package) is None:
                print(f"{title} is not installed and is left out", flush=True)
                continue
            ways = (True,) if title == "edgeecg" else (False, True)
            yield Task(
                {"what": "detection", "detector": title},
                partial(_detection, title, ways, records),
                rows=len(ways) * len(SETS),
            )
        if run.model is None:
            continue
        for moved in (True,) if title == "edgeecg" else (False, True):
            key = {"what": "classes", "peaks": title, "recentred": moved, "model": run.model}
            yield Task(key, partial(_classes, run.model, title, moved, records))


ALL = tuple(sorted((*DS1, *DS2, *PACED)))
SETS = {"DS1": DS1, "DS2": DS2, "all 48": ALL}


def package_version(package: str) -> str | None:
    """Return the version of a detector's package, or None when it is not installed."""
    if package == "edgeecg":
        return "this revision"
    try:
        return version(package)
    except PackageNotFoundError:
        return None


@cache
def loaded(names: tuple[str, ...]) -> dict[str, Annotated]:
    """Return some records, read once."""
    return {name: load(name) for name in names}


@cache
def detected(title: str, moved: bool, names: tuple[str, ...]) -> tuple[dict[str, Positions], float]:
    """Return the peaks of some records, and the processor seconds that finding them took."""
    records = loaded(names)
    if title == ANNOTATIONS:
        peaks, seconds = {name: each.beats for name, each in records.items()}, 0.0
    elif moved and title != "edgeecg":
        peaks, seconds = detected(title, False, names)
    else:
        detect, began = DETECTORS[title][1], time.process_time()
        peaks = {
            name: np.unique(np.asarray(detect(each.record.signal_mv[0], each.record.fs_hz), int))
            for name, each in records.items()
        }
        return peaks, time.process_time() - began
    if moved:
        peaks = {name: moved_peaks(records[name].record, each) for name, each in peaks.items()}
    return peaks, seconds


def _detection(title: str, ways: Iterable[bool], names: tuple[str, ...]) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    for moved in ways:
        peaks, seconds = detected(title, moved, names)
        for label, chosen in SETS.items():
            here = tuple(name for name in chosen if name in names)
            row = detection_row(loaded(names), peaks, here)
            rows.append(
                {
                    "recentred": moved,
                    "records": label,
                    **row,
                    "cpu_seconds_all_48": seconds,
                    "package": [DETECTORS[title][0], package_version(DETECTORS[title][0])],
                }
            )
    return rows


def _classes(model: str, title: str, moved: bool, names: tuple[str, ...]) -> list[dict[str, Any]]:
    predictor = load_predictor(model)
    with limited_threads(os.cpu_count() or 1):
        row = classified(predictor, loaded(names), detected(title, moved, names)[0])
    return [row | {"weights_sha256": predictor.card.weights_sha256 if predictor.card else None}]


@dataclass(frozen=True)
class Annotated:
    """One record with the beats that are scored.

    Attributes:
        record: The signal.
        beats: Annotated R peaks, ``(beats,)``.
        groups: AAMI class of each, ``(beats,)``.
        flutter: Start and stop of each stretch of ventricular flutter, ``(stretches, 2)``.
    """

    record: Record
    beats: Positions
    groups: NDArray[np.str_]
    flutter: Positions

    def outside_flutter(self, peaks: Positions) -> Positions:
        """Return the peaks that are scored."""
        inside = (peaks[:, None] >= self.flutter[:, 0]) & (peaks[:, None] <= self.flutter[:, 1])
        return peaks[~inside.any(axis=1)]


def load(name: str) -> Annotated:
    """Read one record of MIT-BIH, lead MLII or the first one where there is none."""
    folder = place("mitdb")
    leads = reader.describe(folder, name).leads
    record = reader.read(folder, name, ("MLII" if "MLII" in leads else leads[0],))
    symbols = np.array(record.symbols)
    is_beat = np.isin(symbols, sorted(BEAT_SYMBOLS))
    groups = np.array([group_of(symbol, "aami") for symbol in symbols[is_beat]])
    flutter = [record.samples[symbols == mark] for mark in ("[", "]")]
    stretches = np.stack(flutter, axis=1)
    return Annotated(record, record.samples[is_beat], groups, stretches)


def matches(known: Positions, peaks: Positions, fs_hz: float) -> Positions:
    """Return for each annotated beat the index of its peak, or -1."""
    result = processing.compare_annotations(known, peaks, round(WINDOW_S * fs_hz))
    found = np.full(len(known), -1)
    matched = np.asarray(result.matching_sample_nums)
    found[: len(matched)] = matched
    return found


def detection_row(
    records: dict[str, Annotated], peaks: dict[str, Positions], names: tuple[str, ...]
) -> dict[str, Any]:
    """Score the peaks of some records."""
    hits = missed = false = 0
    offsets: list[float] = []
    for name in names:
        each = records[name]
        known, found = each.outside_flutter(each.beats), each.outside_flutter(peaks[name])
        index = matches(known, found, each.record.fs_hz)
        hit = index >= 0
        hits += int(hit.sum())
        missed += int((~hit).sum())
        false += len(found) - int(hit.sum())
        offsets += ((found[index[hit]] - known[hit]) / each.record.fs_hz * 1000).tolist()
    return {
        "beats": hits + missed,
        "missed": missed,
        "false": false,
        "sensitivity": hits / (hits + missed),
        "positive_predictivity": hits / (hits + false),
        "offset_mean_ms": float(np.mean(offsets)),
        "offset_std_ms": float(np.std(offsets)),
        "fraction_beyond_20_ms": float(np.mean(np.abs(offsets) > FAR_MS)),
    }


def classified(
    predictor: Predictor, records: dict[str, Annotated], peaks: dict[str, Positions]
) -> dict[str, Any]:
    """Score a model's classes on the peaks of DS2; see the module's docstring."""
    of_ds2 = {name: records[name] for name in DS2 if name in records}
    matrix = scored_on(predictor, of_ds2, peaks)
    scores = {name: confusion.class_score(matrix, k) for k, name in enumerate(CLASSES)}
    return {
        "confusion": matrix.tolist(),
        "macro_f1": float(np.mean([score.f1 for score in scores.values()])),
        "per_class": {name: score.model_dump(mode="json") for name, score in scores.items()},
    }


def scored_on(
    predictor: Predictor, records: dict[str, Annotated], peaks: dict[str, Positions]
) -> NDArray[np.int64]:
    """Classify the peaks of some records and compare with their annotations.

    Returns:
        Counts ``(classes + 1, classes + 1)``: annotated class, and the class that the model gave.
        The last row and column are no annotated beat and no detected one.
    """
    nothing = len(CLASSES)
    matrix = np.zeros((nothing + 1, nothing + 1), np.int64)
    for name, each in records.items():
        # Beats too near the ends for a window are left out, whoever finds them.
        has_window = beat_windows(each.record, each.beats, predictor.preprocessing).reason == ""
        windows = beat_windows(each.record, peaks[name], predictor.preprocessing)
        called = np.full(len(peaks[name]), -1)
        called[windows.reason == ""] = predictor.predict(windows.x).argmax(axis=1)
        index = matches(each.beats, peaks[name], each.record.fs_hz)
        for group, at, counts in zip(each.groups, index, has_window, strict=True):
            if counts and group in CLASSES:
                column = called[at] if at >= 0 and called[at] >= 0 else nothing
                matrix[CLASSES.index(group), column] += 1
        false = called[np.setdiff1d(np.arange(len(called)), index)]
        matrix[nothing, : len(CLASSES)] += np.bincount(false[false >= 0], minlength=len(CLASSES))
    return matrix


def moved_peaks(record: Record, peaks: Positions) -> Positions:
    """Return peaks after re-centring."""
    return np.unique(recentre(record.signal_mv[0], peaks, record.fs_hz))
