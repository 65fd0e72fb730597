"""Losses on logits."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional as F


def distillation(
    student: Tensor, teacher: Tensor, target: Tensor, alpha: float, temperature: float
) -> Tensor:
    """Knowledge distillation for one label per window.

    L = (1 - alpha) CE(y, s) + alpha T^2 KL(softmax(t / T) || softmax(s / T)), the seed document's
    formula (Hinton et al. 2015, arXiv:1503.02531); T^2 keeps the gradients' size independent of T.

    Args:
        student: Logits ``(batch, classes)`` of the model that learns.
        teacher: Logits ``(batch, classes)`` of the dense model.
        target: Class indices ``(batch,)``.
        alpha: Share of the distillation term, 0..1.
        temperature: T, above 0.

    Returns:
        The mean loss over the batch, a scalar.
    """
    hard = F.cross_entropy(student, target)
    soft = F.kl_div(
        F.log_softmax(student / temperature, dim=1),
        F.log_softmax(teacher / temperature, dim=1),
        reduction="batchmean",
        log_target=True,
    )
    return (1 - alpha) * hard + alpha * temperature**2 * soft
