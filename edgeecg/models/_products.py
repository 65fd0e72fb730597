"""Counts the matrix products and convolutions that PyTorch executes, whatever computes them."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.flop_counter import flop_registry


@dataclass(frozen=True)
class Product:
    """One matrix product or convolution.

    Attributes:
        macs: Its multiply-accumulates.
        weights: Names of the parameters among its factors.
        computed_weights: Whether a factor depends on parameters and not on the model's input, but is
            no parameter itself, e.g. a normalised weight.
        moved: Values of activations read and written.
    """

    macs: int
    weights: tuple[str, ...]
    computed_weights: bool
    moved: int


class ProductCounter(TorchDispatchMode):
    """Calls back for every matrix product and convolution that is executed while it is active.

    The formulas are those of :class:`torch.utils.flop_counter.FlopCounterMode`, which counts 2 FLOPs
    for a multiply-accumulate.
    """

    def __init__(self, model: nn.Module, x: Tensor, on_product: Callable[[Product], None]) -> None:
        """Prepare the counter.

        Args:
            model: The model that will be run.
            x: Its input.
            on_product: Called for every product.
        """
        super().__init__()
        self._parameters = {
            parameter.untyped_storage().data_ptr(): name
            for name, parameter in model.named_parameters()
        }
        self._constants = {
            buffer.untyped_storage().data_ptr(): name for name, buffer in model.named_buffers()
        }
        # Activations are kept, so that their storages are not reused for something else.
        self._activations = {x.untyped_storage().data_ptr(): x}
        self._on_product = on_product

    def __torch_dispatch__(
        self,
        func: Any,
        types: Any,
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        """Execute one operation of PyTorch and report it if it is a product."""
        kwargs = kwargs or {}
        counted = func.overloadpacket in flop_registry
        if not counted:
            with self:
                decomposed = func.decompose(*args, **kwargs)
            if decomposed is not NotImplemented:
                return decomposed
        output = func(*args, **kwargs)
        factors = [each for each in tree_leaves((args, kwargs)) if isinstance(each, Tensor)]
        results = [each for each in tree_leaves(output) if isinstance(each, Tensor)]
        if any(self._is_activation(each) for each in factors):
            self._activations.update({e.untyped_storage().data_ptr(): e for e in results})
        if counted:
            flops = int(flop_registry[func.overloadpacket](*args, **kwargs, out_val=output))
            self._on_product(self._product(flops, factors, results))
        return output

    def _product(self, flops: int, factors: Sequence[Tensor], results: Sequence[Tensor]) -> Product:
        pointers = [each.untyped_storage().data_ptr() for each in factors]
        weights = dict.fromkeys(self._parameters[p] for p in pointers if p in self._parameters)
        # A bias is added and not multiplied; only matrices and kernels are factors.
        unknown = [
            each
            for each, pointer in zip(factors, pointers, strict=True)
            if each.ndim > 1
            and pointer not in self._parameters
            and pointer not in self._constants
            and not self._is_activation(each)
        ]
        moved = [each for each in factors if self._is_activation(each)]
        return Product(
            flops // 2,
            tuple(weights),
            bool(unknown),
            sum(each.numel() for each in (*moved, *results)),
        )

    def _is_activation(self, tensor: Tensor) -> bool:
        return tensor.untyped_storage().data_ptr() in self._activations


@contextlib.contextmanager
def plain_kernels() -> Generator[None]:
    """Let PyTorch execute attention as single products, where it would call one fused kernel."""
    fast = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        with sdpa_kernel(SDPBackend.MATH):
            yield
    finally:
        torch.backends.mha.set_fastpath_enabled(fast)
