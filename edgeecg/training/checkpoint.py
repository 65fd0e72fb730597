"""Checkpoints: tensors and JSON state in one safetensors file, which runs no code when loaded."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor, nn

from edgeecg.errors import EdgeECGError
from edgeecg.files import write_bytes

_KEY = "edgeecg.state"


def save_checkpoint(path: Path, tensors: Mapping[str, Tensor], state: Mapping[str, Any]) -> None:
    """Write tensors and JSON state atomically.

    Args:
        path: The file to create or replace.
        tensors: Tensors by name.
        state: Values that JSON can represent.

    Raises:
        EdgeECGError: The disk is full or not writable; the previous checkpoint is unchanged.
    """
    plain = {name: tensor.detach().contiguous().clone() for name, tensor in tensors.items()}
    write_bytes(path, save(plain, metadata={_KEY: json.dumps(state)}))


def load_checkpoint(path: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Read what :func:`save_checkpoint` wrote.

    Returns:
        Tensors by name, and the JSON state.

    Raises:
        EdgeECGError: The file is missing, damaged or no checkpoint.
    """
    try:
        with safe_open(path, framework="pt") as opened:  # pyright: ignore[reportUnknownVariableType]
            state = json.loads((opened.metadata() or {})[_KEY])
            return {name: opened.get_tensor(name) for name in opened.keys()}, state  # noqa: SIM118
    except (OSError, SafetensorError, KeyError, ValueError) as error:
        raise EdgeECGError(
            f"The checkpoint '{path}' cannot be read.",
            f"{type(error).__name__}: {error}.",
            "Delete the file; with --resume, the run then starts from its beginning.",
        ) from error


def prefixed(prefix: str, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return the tensors with ``prefix/`` before each name."""
    return {f"{prefix}/{name}": tensor for name, tensor in tensors.items()}


def unprefixed(prefix: str, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return the tensors named ``prefix/...``, without the prefix."""
    start = f"{prefix}/"
    return {k.removeprefix(start): v for k, v in tensors.items() if k.startswith(start)}


def weights(model: nn.Module) -> dict[str, Tensor]:
    """Return a copy of the module's parameters and buffers."""
    return {name: tensor.detach().clone() for name, tensor in model.state_dict().items()}
