"""Losses on logits; targets are shares of classes, so that mixed windows need nothing special."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from edgeecg.schema import Task


def supervised(logits: Tensor, target: Tensor, task: Task) -> Tensor:
    """Cross-entropy over one class per window, or the mean of one per label.

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
    """How far a student's answers are from its teacher's.

    T^2 KL(softmax(t / T) || softmax(s / T)), the seed document's formula (Hinton et al. 2015,
    arXiv:1503.02531); T^2 keeps the gradients' size independent of T. With several labels each is a
    Bernoulli variable of its own, and the mean is over labels.

    Args:
        student: Logits ``(batch, classes)`` of the model that learns.
        teacher: Logits ``(batch, classes)`` of the dense model.
        temperature: T, above 0.
        task: One class per window, or any number.

    Returns:
        The mean over the batch, a scalar; 0 when both agree.
    """
    student, teacher = student / temperature, teacher / temperature
    if task == "records":
        share = torch.sigmoid(teacher)
        crossed = F.binary_cross_entropy_with_logits(student, share)
        own = F.binary_cross_entropy_with_logits(teacher, share)
        return temperature**2 * (crossed - own)
    divergence = F.kl_div(
        F.log_softmax(student, dim=1),
        F.log_softmax(teacher, dim=1),
        reduction="batchmean",
        log_target=True,
    )
    return temperature**2 * divergence
