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

_VECTOR_PRODUCTS = {torch.ops.aten.mv: 0, torch.ops.aten.addmv: 1, torch.ops.aten.dot: 0}
"""Products with a vector, which the registry lacks, and the position of their first factor."""


@dataclass(frozen=True)
class Product:
    """One matrix product or convolution.

    Attributes:
        macs: Its multiply-accumulates.
        weights: Names of the parameters among its factors, biases left out.
        computed_weights: Whether a factor is computed from parameters and not from the model's
            input, e.g. a normalised weight.
        moved: Values of activations read and written.
    """

    macs: int
    weights: tuple[str, ...]
    computed_weights: bool
    moved: int


class ProductCounter(TorchDispatchMode):
    """Calls back for every matrix product and convolution that is executed while it is active.

    The formulas are those of :class:`torch.utils.flop_counter.FlopCounterMode`, which counts 2
    FLOPs for a multiply-accumulate.
    """

    def __init__(self, model: nn.Module, x: Tensor, on_product: Callable[[Product], None]) -> None:
        """Prepare the counter.

        Args:
            model: The model that will be run.
            x: Its input.
            on_product: Called for every product.
        """
        super().__init__()
        self._weights = {
            _storage(parameter): name
            for name, parameter in model.named_parameters()
            if parameter.ndim > 1
        }
        # Tensors are kept, so that their storages are not reused for something else.
        self._activations = {_storage(x): x}
        self._computed: dict[int, Tensor] = {_storage(each): each for each in model.parameters()}
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
        operation = func.overloadpacket
        if operation not in flop_registry and operation not in _VECTOR_PRODUCTS:
            with self:
                decomposed = func.decompose(*args, **kwargs)
            if decomposed is not NotImplemented:
                return decomposed
        output = func(*args, **kwargs)
        factors = [each for each in tree_leaves((args, kwargs)) if isinstance(each, Tensor)]
        results = [each for each in tree_leaves(output) if isinstance(each, Tensor)]
        if any(_storage(each) in self._activations for each in factors):
            self._activations.update({_storage(each): each for each in results})
        elif any(_storage(each) in self._computed for each in factors):
            self._computed.update({_storage(each): each for each in results})
        if operation in flop_registry:
            macs = int(flop_registry[operation](*args, **kwargs, out_val=output)) // 2
            self._on_product(self._product(macs, factors, results))
        elif operation in _VECTOR_PRODUCTS:
            macs = args[_VECTOR_PRODUCTS[operation]].numel()
            self._on_product(self._product(macs, factors, results))
        return output

    def _product(self, macs: int, factors: Sequence[Tensor], results: Sequence[Tensor]) -> Product:
        # A bias is added and not multiplied: only matrices and kernels are factors.
        matrices = [each for each in factors if each.ndim > 1]
        weights = [self._weights[_storage(e)] for e in matrices if _storage(e) in self._weights]
        computed = [
            each
            for each in matrices
            if _storage(each) in self._computed and _storage(each) not in self._weights
        ]
        moved = [each for each in factors if _storage(each) in self._activations]
        values = sum(each.numel() for each in (*moved, *results))
        return Product(macs, tuple(weights), bool(computed), values)


def _storage(tensor: Tensor) -> int:
    """Return the address of a tensor's memory, which is that of its views, too."""
    return tensor.untyped_storage().data_ptr()


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
