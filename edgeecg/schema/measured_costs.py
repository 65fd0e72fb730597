"""What each layer of a dense model costs on a board: seconds, measured."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from edgeecg.schema.value import Seconds, Sha256, Value


class LayerSeconds(Value):
    """What one layer of the dense model takes per inference.

    Attributes:
        own_s: Seconds of its multiplications.
        after_s: Seconds of everything that runs between it and the next layer: activations, norms,
            additions, softmax, transpositions.
        macs: Its multiply-accumulates, which ``own_s`` belongs to.
        activation_bytes: Bytes of activations it reads and writes, which ``after_s`` belongs to.
    """

    own_s: Seconds
    after_s: Seconds
    macs: Annotated[int, Field(ge=1)]
    activation_bytes: Annotated[int, Field(ge=1)]


class MeasuredCosts(Value):
    """Seconds of a dense model's layers on one device.

    How they change when the model is cut is in :mod:`edgeecg.costs.measured`.

    Attributes:
        model: Architecture.
        device: Device profile.
        emulated: True for an emulator, whose times are not the board's.
        runtime: Runtime name and version.
        threads: Threads of the runtime.
        layers: By the layer's name in the PyTorch model.
        fixed_s: Seconds that stay whatever is cut: the call itself, and what runs before the first
            layer.
        artifact_sha256: Hash of the exported file that was measured.
        bench_sha256: Hash of the JSON that these were read from.
    """

    model: str
    device: str
    emulated: bool
    runtime: str
    threads: Annotated[int, Field(ge=1)]
    layers: dict[str, LayerSeconds]
    fixed_s: Seconds
    artifact_sha256: Sha256
    bench_sha256: Sha256
