"""Measured layer costs: the seconds of every layer of a dense model on a board."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from edgeecg.schema.value import Seconds, Sha256, Value


class LayerSeconds(Value):
    """Time of one layer of the dense model per inference.

    Attributes:
        own_s: Seconds of the layer's multiplications.
        after_s: Seconds of the operations between it and the next layer: activations, norms,
            additions, softmax, transpositions.
        macs: Multiply-accumulates of the layer; ``own_s`` is proportional to them.
        activation_bytes: Bytes of activations that the layer reads and writes; ``after_s`` is
            proportional to them.
    """

    own_s: Seconds
    after_s: Seconds
    macs: Annotated[int, Field(ge=1)]
    activation_bytes: Annotated[int, Field(ge=1)]


class MeasuredCosts(Value):
    """Seconds of the layers of a dense model on one device.

    :mod:`edgeecg.costs.measured` predicts the seconds of a pruned model from them.

    Attributes:
        model: Architecture.
        device: Device profile.
        emulated: Whether the device is emulated. Such times are not those of the board.
        runtime: Runtime name and version.
        threads: Number of threads of the runtime.
        layers: Seconds by the layer's name in the PyTorch model.
        fixed_s: Seconds that do not depend on pruning: the call of the runtime, and the operations
            before the first layer.
        artifact_sha256: Hash of the exported file that was measured, or of the device profile whose
            calibration predicted the seconds.
        bench_sha256: Hash of the bench report or device profile that the seconds were read from.
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
