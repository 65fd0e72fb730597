"""Where training runs: the CPU, one GPU, or several (Hugging Face Accelerate)."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar, cast

import torch
from accelerate import Accelerator, PartialState
from accelerate.utils import broadcast_object_list

from edgeecg.errors import EdgeECGError
from edgeecg.evaluation.freed_memory import keep_freed_memory

_T = TypeVar("_T")


def is_main_process() -> bool:
    """Return whether this process writes the files: of several that train one model, the first."""
    return PartialState(cpu=not torch.cuda.is_available()).is_main_process


def of_main_process(made: Callable[[], _T]) -> _T:
    """Return what the main process makes, in every process that trains the same model.

    Args:
        made: Called in the main process alone.

    Raises:
        EdgeECGError: It was raised there.
    """
    state = PartialState(cpu=not torch.cuda.is_available())
    found: list[_T | EdgeECGError | None] = [None]
    if state.is_main_process:
        try:
            found = [made()]
        except EdgeECGError as error:
            found = [error]
    (result,) = broadcast_object_list(found)
    if isinstance(result, EdgeECGError):
        raise result
    return cast(_T, result)


def open_accelerator(threads: int) -> Accelerator:
    """Return the accelerator that places the model and averages gradients.

    One GPU is used when there is one; several when the program was started by
    ``accelerate launch``. On a GPU with bfloat16 training runs in mixed precision. On the CPU
    everything is float32 and deterministic. The process keeps memory that tensors free.

    Args:
        threads: Threads of torch on the CPU.
    """
    keep_freed_memory()
    torch.set_num_threads(threads)
    gpu = torch.cuda.is_available()
    if not gpu:
        torch.use_deterministic_algorithms(True)
    mixed = "bf16" if gpu and torch.cuda.is_bf16_supported() else "no"
    return Accelerator(cpu=not gpu, mixed_precision=mixed)
