"""The last stage of a compression: the pruned model is made ready for int8.

``ptq`` leaves the weights as they are; ``qat`` first trains them with int8's rounding on. Then both
look for layers that int8 hurts, and name them in ``quantization.json`` for export to keep in
float32. What is zero stays zero, and removed channels stay removed: pruning and quantisation-aware
training are one run.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from torch import nn

from edgeecg import resources
from edgeecg.data import Dataset
from edgeecg.evaluation.inference import evaluate
from edgeecg.pruning import masks
from edgeecg.quantization import sensitivity
from edgeecg.quantization.fake_quantized import FakeQuantized, prepare
from edgeecg.schema import QuantizationLog, Quantize, TrainingConfig
from edgeecg.training.device import open_accelerator
from edgeecg.training.loop import Objective, Progress, Stage, make_optimizer, material, train_epoch
from edgeecg.training.sampling import balanced

TARGET = "tflite-int8"
"""The export target whose arithmetic is followed."""

_SLOWER = 0.1


@dataclass(frozen=True)
class FineTuning:
    """How the weights are trained with rounding on.

    Attributes:
        number: Of the stage, behind all pruning steps; part of the seed.
        epochs: How many.
        rate: Peak learning rate of the pruning steps; a tenth of it is used, since the weights only
            have to find the nearest place where rounding does no harm (Krishnamoorthi 2018,
            arXiv:1806.08342, section 3.2).
        objective: The loss of the pruning steps.
        teacher: The model that ``objective`` asks, if any.
    """

    number: int
    epochs: int
    rate: float
    objective: Objective
    teacher: nn.Module


@dataclass(frozen=True)
class Int8Stage:
    """What the stage is given.

    Attributes:
        mode: ``"ptq"`` or ``"qat"``.
        sample_shape: ``(leads, samples)`` of a window.
        training: Seed, threads, draws.
        dataset: ``train`` calibrates and trains, ``val`` scores; ``test`` is not looked at.
        fine_tuning: Used by ``"qat"`` alone.
        progress: Called after every batch and every layer.
    """

    mode: Quantize
    sample_shape: tuple[int, int]
    training: TrainingConfig
    dataset: Dataset
    fine_tuning: FineTuning
    progress: Progress | None = None


def refuse_unprepared(model: nn.Module, sample_shape: tuple[int, int]) -> None:
    """Refuse a model that could not be made ready for int8, before anything is trained.

    Raises:
        EdgeECGError: It cannot be traced.
    """
    prepare(model, resources.load_target(TARGET), sample_shape)


def make_ready(model: nn.Module, stage: Int8Stage) -> QuantizationLog:
    """Train the model with rounding on if asked to, and find the layers that have to stay float32.

    The ranges are those of 256 training windows, all classes alike, and measured anew at the start
    of every epoch and at the end; export measures the final weights' again on the same windows.

    Args:
        model: The pruned model, on the CPU; with ``"qat"`` its weights change, in place.
        stage: What to do it with.

    Returns:
        What was done.

    Raises:
        EdgeECGError: The loss is not finite, a training window is damaged, or the model cannot be
            traced.
    """
    recipe = resources.load_target(TARGET)
    train = stage.dataset.train
    windows = train.x[np.sort(balanced(train.y, recipe.calibration_windows))]
    trained = ()
    if stage.mode == "qat":
        trained = _train(model, prepare(model, recipe, stage.sample_shape), windows, stage)
    twin = prepare(model, recipe, stage.sample_shape)
    twin.calibrate(windows)
    dataset = sensitivity.looked_at(stage.dataset)
    metric, float32 = evaluate(model, dataset, "val").headline
    lost = sensitivity.losses(twin, dataset, float32, stage.progress)
    kept = sensitivity.suffering(lost)
    final = prepare(model, recipe.model_copy(update={"float_layers": kept}), stage.sample_shape)
    final.calibrate(windows)
    return QuantizationLog(
        mode=stage.mode,
        kept=stage.mode,
        target=TARGET,
        calibration_windows=len(windows),
        train_loss=trained,
        metric=metric,
        val_float32=float32,
        val_int8=evaluate(final.module, dataset, "val").headline[1],
        lost=lost,
        threshold=sensitivity.THRESHOLD,
        most=sensitivity.most(len(lost)),
        float_layers=kept,
        val=evaluate(final.module, stage.dataset, "val"),
        ranges=final.ranges,
    )


def _train(
    model: nn.Module, twin: FakeQuantized, windows: NDArray[np.float32], stage: Int8Stage
) -> tuple[float, ...]:
    """Train the model through its twin; return the loss of each epoch."""
    tuning = stage.fine_tuning
    course = Stage(
        "quantisation-aware training",
        tuning.number,
        tuning.epochs,
        _SLOWER * tuning.rate,
        tuning.objective,
        after_update=_keep_zeros(model),
    )
    accelerator = open_accelerator(stage.training.threads)
    tuning.teacher.to(accelerator.device)
    optimizer = make_optimizer(twin.module, stage.training, course)
    prepared, optimizer = accelerator.prepare(twin.module, optimizer)
    learned = material(stage.dataset, stage.training)
    lost: list[float] = []
    for epoch in range(tuning.epochs):
        twin.calibrate(windows)
        lost.append(
            train_epoch(prepared, optimizer, learned, course, epoch, accelerator, stage.progress)
        )
    twin.module.cpu()
    tuning.teacher.cpu()
    return tuple(lost)


def _keep_zeros(model: nn.Module) -> Callable[[], None]:
    alive = masks.masks(model)
    return lambda: masks.apply(model, alive)
