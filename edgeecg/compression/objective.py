"""The loss of fine-tuning: the annotations, the dense model's logits, and its features."""

from __future__ import annotations

import contextlib
from collections.abc import Generator

import torch
from torch import Tensor, nn

from edgeecg.compression.job import Job
from edgeecg.models import weighted_layers
from edgeecg.training.class_weights import class_weights
from edgeecg.training.loop import Objective, supervised_objective
from edgeecg.training.losses import distillation, feature_similarity, supervised


def objective_of(job: Job, dense: nn.Module) -> Objective:
    """Return the fine-tuning loss: on the annotations alone, or also on the dense model's logits.

    L = (1 - alpha) CE(y, s) + alpha T^2 KL(t || s): the formula of the reference study. With class
    weights, both terms are weighted means over the windows.
    """
    config, task = job.config, job.dataset.task
    weight = class_weights(config.class_weight, job.dataset, config.training.epoch_windows)
    if not config.distill:
        return supervised_objective(task, weight)

    def distilled(logits: Tensor, windows: Tensor, target: Tensor) -> Tensor:
        with torch.no_grad():
            teacher = dense(windows)
        hard = supervised(logits, target, task, weight)
        weighted_by = None if weight is None else (target, weight)
        soft = distillation(logits, teacher, config.temperature, task, weighted_by)
        return (1 - config.distill_alpha) * hard + config.distill_alpha * soft

    return distilled


@contextlib.contextmanager
def with_features(
    job: Job, objective: Objective, dense: nn.Module, student: nn.Module
) -> Generator[Objective]:
    """Yield the loss with the term that compares features, where the configuration asks for it.

    The features are the inputs of the last layer. They are caught by hooks on both models, which
    are removed at the end.

    Args:
        job: The run.
        objective: The loss without the term; it runs the dense model on the windows.
        dense: The dense model.
        student: The model that is fine-tuned, or its copy that rounds as int8 does.
    """
    factor = job.config.distill_features
    if not factor or not job.config.distill:
        yield objective
        return
    caught: dict[str, Tensor] = {}
    # Compression keeps the last layer, and its name.
    last, _ = weighted_layers(dense, job.architecture.INPUT_SHAPE)[-1]

    def watched(name: str, model: nn.Module) -> torch.utils.hooks.RemovableHandle:
        def catch(_: nn.Module, inputs: tuple[Tensor, ...]) -> None:
            caught[name] = inputs[0]

        return model.get_submodule(last.name).register_forward_pre_hook(catch)

    def with_term(logits: Tensor, windows: Tensor, target: Tensor) -> Tensor:
        loss = objective(logits, windows, target)
        return loss + factor * feature_similarity(caught["student"], caught["dense"])

    handles = [watched("student", student), watched("dense", dense)]
    try:
        yield with_term
    finally:
        for handle in handles:
            handle.remove()
