"""Losses on logits; targets are class probabilities, so that mixup needs no special case."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from edgeecg.schema import Task


def supervised(
    logits: Tensor, target: Tensor, task: Task, class_weight: Tensor | None = None
) -> Tensor:
    """Return the cross-entropy over the classes, or the mean binary cross-entropy of the labels.

    Args:
        logits: ``(batch, classes)``.
        target: Probability of each class, ``(batch, classes)``.
        task: ``"beats"`` has one class per window, ``"records"`` any number.
        class_weight: How much each class counts, ``(classes,)``; None: all alike. A window counts
            as much as its target's mean of the weights; of records, each label counts so.

    Returns:
        The (weighted) mean loss over the batch, a scalar.
    """
    if task == "records":
        if class_weight is None:
            return F.binary_cross_entropy_with_logits(logits, target)
        each = F.binary_cross_entropy_with_logits(logits, target, reduction="none")
        return _mean_of_labels(each, class_weight)
    if class_weight is None:
        return F.cross_entropy(logits, target)
    each = F.cross_entropy(logits, target, reduction="none")
    return _mean_of_windows(each, target, class_weight)


def _mean_of_windows(losses: Tensor, target: Tensor, class_weight: Tensor) -> Tensor:
    weight = target @ class_weight.to(target)
    return (losses * weight).sum() / weight.sum()


def _mean_of_labels(losses: Tensor, class_weight: Tensor) -> Tensor:
    weight = class_weight.to(losses)
    return (losses * weight).mean() / weight.mean()


def distillation(
    student: Tensor,
    teacher: Tensor,
    temperature: float,
    task: Task,
    weighted_by: tuple[Tensor, Tensor] | None = None,
) -> Tensor:
    """Return the distillation loss T^2 KL(softmax(t / T) || softmax(s / T)).

    This is the formula of the reference study (Hinton et al. 2015, arXiv:1503.02531). The factor
    T^2 makes the size of the gradients independent of T. With several labels each label is a
    Bernoulli variable, and the mean is over labels.

    Args:
        student: Logits ``(batch, classes)`` of the model that is trained.
        teacher: Logits ``(batch, classes)`` of the dense model.
        temperature: T, above 0.
        task: One class per window, or any number.
        weighted_by: Targets and class weights as in :func:`supervised`; None: all windows and
            labels count alike.

    Returns:
        The (weighted) mean over the batch, a scalar; 0 when both agree.
    """
    student, teacher = student / temperature, teacher / temperature
    if weighted_by is not None:
        return temperature**2 * _weighted_divergence(student, teacher, task, *weighted_by)
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


def _weighted_divergence(
    student: Tensor, teacher: Tensor, task: Task, target: Tensor, class_weight: Tensor
) -> Tensor:
    """Return the weighted mean of KL(teacher || student); logits are divided by T already."""
    if task == "records":
        probability = torch.sigmoid(teacher)
        each = F.binary_cross_entropy_with_logits(student, probability, reduction="none")
        each = each - F.binary_cross_entropy_with_logits(teacher, probability, reduction="none")
        return _mean_of_labels(each, class_weight)
    divergence = F.kl_div(
        F.log_softmax(student, dim=1),
        F.log_softmax(teacher, dim=1),
        reduction="none",
        log_target=True,
    ).sum(dim=1)
    return _mean_of_windows(divergence, target, class_weight)


def feature_similarity(student: Tensor, teacher: Tensor) -> Tensor:
    """Return how much two models differ in which windows of a batch they find alike.

    The features may have different widths, as those of a pruned model have (Tung and Mori 2019,
    arXiv:1907.09682, eq. 4): both are compared by the similarity of each pair of windows.

    Args:
        student: Features ``(batch, width)`` of the model that is trained.
        teacher: Features ``(batch, other width)`` of the dense model.

    Returns:
        The mean squared difference of the row-normalised similarities times the size of the batch,
        a scalar; 0 when both find the same windows alike.
    """
    first, second = (
        F.normalize(each.flatten(1) @ each.flatten(1).T, dim=1) for each in (student, teacher)
    )
    return len(student) * F.mse_loss(first, second)
