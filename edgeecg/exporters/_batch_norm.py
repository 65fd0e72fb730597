"""Batch normalisation of a trained model is an affine map per channel: fold it into the weights."""

from __future__ import annotations

from torch import nn

from edgeecg.exporters._native_output import quiet

_BATCH_NORMS = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d)


def fold_batch_norm(model: nn.Module) -> nn.Module:
    """Return a copy whose batch normalisations are folded into the convolutions before them.

    w' = w * gamma / sqrt(var + eps), b' = (b - mean) * gamma / sqrt(var + eps) + beta (Jacob et
    al., CVPR 2018, eq. 14). Without it, the converters keep every normalisation as a
    multiplication and an addition of its own, and with them two transpositions around each
    convolution.

    Args:
        model: A module in evaluation mode, left as it is.

    Returns:
        A module with the same outputs up to float32 rounding; the given one when there is nothing
        to fold.

    Raises:
        torch.fx.proxy.TraceError: The control flow of ``forward`` depends on the data.
    """
    if not any(isinstance(layer, _BATCH_NORMS) for layer in model.modules()):
        return model
    # Imported late: the module defines TorchScript classes, which costs time and warns.
    with quiet():
        from torch.fx.experimental.optimization import fuse

    return fuse(model).eval()
