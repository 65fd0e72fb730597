"""Convolutions with ``padding="same"``, which litert-torch cannot convert in one dimension."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch.nn import functional as F
from torch.overrides import TorchFunctionMode

_ARGUMENTS = ("input", "weight", "bias", "stride", "padding", "dilation", "groups")


class ExplicitPadding(TorchFunctionMode):
    """Replaces ``padding="same"`` of 1-D convolutions by numbers while a model is converted.

    Where the two sides differ (an even kernel), the input is padded by an operation before it; the
    longer side is the right one, as in PyTorch.
    """

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Any,
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        """Call a function of PyTorch, with other arguments where it is such a convolution."""
        given = dict(zip(_ARGUMENTS, args, strict=False)) | dict(kwargs or {})
        if func is not torch.conv1d or given.get("padding") != "same":
            return func(*args, **(kwargs or {}))
        dilation = given.get("dilation", 1)
        step = dilation if isinstance(dilation, int) else dilation[0]
        total = step * (given["weight"].shape[2] - 1)
        left = total // 2
        given["padding"] = left
        if total % 2:
            given["input"] = F.pad(given["input"], (left, total - left))
            given["padding"] = 0
        return func(**given)
