"""Losses on logits; targets are class probabilities, so that mixup needs no special case."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from edgeecg.schema import Task


def supervised(logits: Tensor, target: Tensor, task: Task) -> Tensor:
    """Return the cross-entropy over the classes, or the mean binary cross-entropy of the labels.

    Args:
        logits: ``(batch, classes)``.
        target: Probability of each class, ``(batch, classes)``.
        task: ``"beats"`` has one class per window, ``"records"`` any number.

    Returns:
        The mean loss over the batch, a scalar.
    """
    if task == "records":
        return F.binary_cross_entropy_with_logits(logits, target)
    return F.cross_entropy(logits, target)


def distillation(student: Tensor, teacher: Tensor, temperature: float, task: Task) -> Tensor:
    """Return the distillation loss T^2 KL(softmax(t / T) || softmax(s / T)).

    This is the formula of the reference study (Hinton et al. 2015, arXiv:1503.02531). The factor
    T^2 makes the size of the gradients independent of T. With several labels each label is a
    Bernoulli variable, and the mean is over labels.

    Args:
        student: Logits ``(batch, classes)`` of the model that is trained.
        teacher: Logits ``(batch, classes)`` of the dense model.
        temperature: T, above 0.
        task: One class per window, or any number.

    Returns:
        The mean over the batch, a scalar; 0 when both agree.
    """
    student, teacher = student / temperature, teacher / temperature
    if task == "records":
        probability = torch.sigmoid(teacher)
        cross_entropy = F.binary_cross_entropy_with_logits(student, probability)
        entropy = F.binary_cross_entropy_with_logits(teacher, probability)
        return temperature**2 * (cross_entropy - entropy)
    divergence = F.kl_div(
        F.log_softmax(student, dim=1),
        F.log_softmax(teacher, dim=1),
        reduction="batchmean",
        log_target=True,
    )
    return temperature**2 * divergence
