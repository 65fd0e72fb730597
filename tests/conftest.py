"""Fixtures and rules shared by all tests."""

from __future__ import annotations

import os
import signal

import numpy as np
import pytest
import toy_records
from hypothesis import settings

from edgeecg.data import Dataset, Windows
from edgeecg.schema import (
    ClassScore,
    CompressionConfig,
    DataSummary,
    ModelCard,
    Preprocessing,
    Scores,
    TrainingConfig,
)

# A test that is right is right on a busy machine too.
settings.register_profile("edgeecg", deadline=None)
settings.load_profile("edgeecg")

_SKIPPED: list[str] = []


def pytest_configure() -> None:
    """Make Ctrl-C work in the programs that tests start: a background job is born without it."""
    if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Remember every skipped test."""
    if report.skipped and not hasattr(report, "wasxfail"):
        _SKIPPED.append(report.nodeid)


def pytest_sessionfinish(session: pytest.Session) -> None:
    """In CI a skip is a failure, unless nothing on that machine could have run the test."""
    if os.environ.get("CI") == "true" and _SKIPPED and os.environ.get("EDGEECG_DATA"):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
        print("\nSkipped in CI, and so failed:", *_SKIPPED, sep="\n  ")


@pytest.fixture(scope="session")
def toy_dataset() -> Dataset:
    """A few hundred learnable windows with the interface of real ones."""
    return toy_records.dataset()


@pytest.fixture(scope="session")
def toy_config() -> CompressionConfig:
    """A whole run in a second or two."""
    training = TrainingConfig(
        model="cnn1d", epochs=2, epoch_windows=128, batch_size=32, average=0.5, seed=3
    )
    return CompressionConfig(training=training, steps=2, finetune_epochs=1, sparsity=0.6)


@pytest.fixture(scope="session")
def records_dataset() -> Dataset:
    """A few dozen learnable 12-lead records: each class raises two leads of its own."""
    parts = {name: _toy_records(n, seed) for name, n, seed in (("train", 64, 1), ("val", 24, 2))}
    parts["test"] = _toy_records(24, 3)
    classes = ("NORM", "MI", "STTC", "CD", "HYP")
    summary = DataSummary(
        source="synthetic",
        class_map="superclasses",
        classes=classes,
        train_records=("fold 1",),
        val_records=("fold 9",),
        test_records=("fold 10",),
        beats={
            name: dict(zip(classes, map(int, part.y.sum(axis=0)), strict=True))
            for name, part in parts.items()
        },
        skipped={},
        content_sha256="1" * 64,
        licence="made for tests",
    )
    preprocessing = Preprocessing(
        fs_hz=100,
        window=1000,
        r_index=None,
        highpass_hz=None,
        normalisation="global-zscore",
        mean_mv=0.0,
        deviation_mv=0.2,
        leads=("I", "II", "III", "AVR", "AVL", "AVF", "V1", "V2", "V3", "V4", "V5", "V6"),
    )
    return Dataset(
        parts["train"], parts["val"], parts["test"], summary, preprocessing, task="records"
    )


def _toy_records(count: int, seed: int) -> Windows:
    rng = np.random.default_rng(seed)
    y = rng.random((count, 5)) < 0.4
    x = 0.3 * rng.standard_normal((count, 12, 1000))
    x[:, :10] += np.repeat(y, 2, axis=1)[:, :, None]
    names = np.array([f"{seed}-{number}" for number in range(count)])
    return Windows(
        x=x.astype(np.float32),
        y=y.astype(np.float32),
        record=names,
        patient=names,
        sample=np.zeros(count, np.int64),
    )


@pytest.fixture(scope="session")
def model_card(toy_dataset: Dataset) -> ModelCard:
    """The card of a dense ``cnn1d``."""
    perfect = Scores(
        data="synthetic",
        split="val",
        n=3,
        accuracy=1.0,
        macro_f1=1.0,
        per_class={
            c: ClassScore(recall=1, precision=1, f1=1, support=1) for c in toy_records.CLASSES
        },
        confusion=((1, 0, 0), (0, 1, 0), (0, 0, 1)),
    )
    return ModelCard(
        name="cnn1d",
        role="baseline",
        widths={"conv": (32, 64, 128), "dense": (128,)},
        parameters=188_035,
        nonzero_parameters=188_035,
        macs=4_710_784,
        classes=toy_records.CLASSES,
        preprocessing=Preprocessing(),
        data=toy_dataset.summary,
        training=TrainingConfig(model="cnn1d"),
        seed=0,
        val=perfect,
        test=perfect.model_copy(update={"split": "test"}),
        weights_sha256="0" * 64,
        parent_sha256=None,
        epochs=1,
        git_revision=None,
        edgeecg_version="0",
    )
