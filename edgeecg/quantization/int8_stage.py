"""The last stage of a compression: the pruned model is prepared for int8.

``ptq`` does not change the weights; ``qat`` first trains them with int8's rounding on. Then both
find the layers that lose accuracy in int8 and list them in ``quantization.json``, so that export
keeps them in float32. Zeroed weights stay zero and removed channels stay removed: pruning and
quantisation-aware training are one run.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from torch import nn

from edgeecg import resources
from edgeecg.data import Dataset
from edgeecg.errors import EdgeECGError
from edgeecg.evaluation.inference import evaluate
from edgeecg.models import weighted_layers
from edgeecg.progress import ProgressCallback
from edgeecg.pruning import masks
from edgeecg.quantization import sensitivity
from edgeecg.quantization.fake_quantized import FakeQuantized, prepare
from edgeecg.quantization.graph import is_quantizable
from edgeecg.schema import Fidelity, QuantizationLog, Quantize, TrainingConfig
from edgeecg.training.device import open_accelerator
from edgeecg.training.loop import (
    Objective,
    Stage,
    Trainer,
    batch_norms,
    make_optimizer,
    training_data,
)
from edgeecg.training.sampling import balanced_subset

TARGET = "tflite-int8"
"""The export target whose arithmetic is simulated."""

_RATE_FACTOR = 0.1


@dataclass(frozen=True)
class FineTuning:
    """How the weights are trained with rounding on.

    Attributes:
        number: Number of the stage, counted on from the pruning steps; part of the seed.
        epochs: Number of epochs.
        rate: Peak learning rate of the pruning steps; a tenth of it is used, since only small
            changes of the weights are needed (Krishnamoorthi 2018, arXiv:1806.08342, section 3.2).
        objective: The loss of the pruning steps for the module that is trained, as a context.
        teacher: The model that ``objective`` evaluates, if any.
        freeze_norms: Batch norms that are not folded into a layer divide by what they did before.
            Those that are folded always do.
    """

    number: int
    epochs: int
    rate: float
    objective: Callable[[nn.Module], AbstractContextManager[Objective]]
    teacher: nn.Module
    freeze_norms: bool = False


@dataclass(frozen=True)
class Int8Stage:
    """What the stage works on.

    Attributes:
        mode: ``"ptq"`` or ``"qat"``.
        sample_shape: ``(leads, samples)`` of a window.
        training: Seed, threads, draws.
        dataset: ``train`` calibrates and trains, ``val`` scores; ``test`` is not used.
        fine_tuning: Only used by ``"qat"``.
        progress: Called after every batch and every layer.
        fidelity: Measures the agreement of a model with the dense one, or None.
    """

    mode: Quantize
    sample_shape: tuple[int, int]
    training: TrainingConfig
    dataset: Dataset
    fine_tuning: FineTuning
    progress: ProgressCallback | None = None
    fidelity: Callable[[nn.Module], Fidelity] | None = None


def check_quantizable(model: nn.Module, sample_shape: tuple[int, int]) -> None:
    """Check before any training that a model can be prepared for int8.

    Args:
        model: The dense model; not changed.
        sample_shape: ``(leads, samples)`` of a window.

    Raises:
        EdgeECGError: The rounding of a layer's weights is not simulated, or the model cannot be
            traced.
    """
    for cost, _ in weighted_layers(model, sample_shape):
        layer = model.get_submodule(cost.name)
        if not is_quantizable(layer) and not isinstance(layer, nn.LSTM):
            what = f"layer '{cost.name}'" if cost.name else "module"
            raise EdgeECGError(
                f"The {what} of the type {cost.op} cannot be prepared for int8.",
                "Rounding of weights is simulated for convolutions that are padded with zeros and "
                "for linear layers only.",
                "Leave out --quantize, or build the module from such layers.",
            )
    quantized = prepare(model, resources.load_target(TARGET), sample_shape)
    if not quantized.equals(model, sample_shape):
        raise EdgeECGError(
            f"The model {type(model).__name__} cannot be prepared for int8.",
            "Without any rounding, its fake-quantised copy gives other outputs.",
            "Leave out --quantize, and report this as a bug of edgeecg.",
        )


def prepare_int8(model: nn.Module, stage: Int8Stage) -> QuantizationLog:
    """Train the model with rounding on if requested, and find the layers that must stay float32.

    The ranges are those of 256 training windows, balanced over classes. They are measured again at
    the start of every epoch and at the end; export measures those of the final weights on the same
    windows.

    Args:
        model: The pruned model, on the CPU; with ``"qat"`` its weights change, in place.
        stage: What to work on.

    Returns:
        What was done.

    Raises:
        EdgeECGError: The loss is not finite, a training window is damaged, or the model cannot be
            traced.
    """
    recipe = resources.load_target(TARGET)
    train = stage.dataset.train
    windows = train.x[np.sort(balanced_subset(train.y, recipe.calibration_windows))]
    trained = ()
    if stage.mode == "qat":
        trained = _train(model, prepare(model, recipe, stage.sample_shape), windows, stage)
    every_layer = prepare(model, recipe, stage.sample_shape)
    every_layer.calibrate(windows)
    dataset = sensitivity.thinned(stage.dataset)
    metric, float32 = evaluate(model, dataset, "val").headline
    lost = sensitivity.score_losses(every_layer, dataset, float32, stage.progress)
    kept = sensitivity.layers_to_keep(lost)
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
        most=sensitivity.max_float_layers(len(lost)),
        float_layers=kept,
        val=evaluate(final.module, stage.dataset, "val"),
        fidelity=None if stage.fidelity is None else stage.fidelity(final.module),
        ranges=final.ranges,
    )


def _train(
    model: nn.Module, quantized: FakeQuantized, windows: NDArray[np.float32], stage: Int8Stage
) -> tuple[float, ...]:
    """Train the model through its fake-quantised copy; return the loss of each epoch."""
    tuning = stage.fine_tuning
    with tuning.objective(quantized.module) as objective:
        settings = Stage(
            "quantisation-aware training",
            tuning.number,
            tuning.epochs,
            _RATE_FACTOR * tuning.rate,
            objective,
            after_update=_keep_zeros(model, stage.sample_shape),
            frozen=batch_norms(quantized.module) if tuning.freeze_norms else (),
        )
        accelerator = open_accelerator(stage.training.threads)
        tuning.teacher.to(accelerator.device)
        optimizer = make_optimizer(quantized.module, stage.training, settings)
        data = training_data(stage.dataset, stage.training)
        trainer = Trainer.prepare(accelerator, quantized.module, optimizer, data, stage.progress)
        lost: list[float] = []
        for epoch in range(tuning.epochs):
            quantized.calibrate(windows)
            lost.append(trainer.train_epoch(settings, epoch))
    quantized.module.cpu()
    tuning.teacher.cpu()
    return tuple(lost)


def _keep_zeros(model: nn.Module, sample_shape: tuple[int, int]) -> Callable[[], None]:
    kept = masks.nonzero_masks(model, sample_shape)
    return lambda: masks.apply_masks(model, kept)
