"""Which of the exported files to take on which kind of device."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from edgeecg.devices import cpu
from edgeecg.schema import Artifact

# The first target that was exported is the one to take. Instructions of an inference in int8,
# relative to float32, were 0.8 to 1.15 on an emulated Cortex-A72 and 0.26 to 0.44 on a Cortex-A76
# for models without LSTM layers (benchmarks/results/instructions.jsonl).
_ORDER = (
    ("Raspberry Pi 4, Cortex-A72 without int8 dot product", ("tflite", "onnx")),
    ("Raspberry Pi 5, Cortex-A76", ("tflite-int8", "tflite-mixed", "tflite", "onnx")),
    ("x86-64 with VNNI", ("tflite-int8", "tflite-mixed", "onnx-int8", "tflite", "onnx")),
    ("x86-64 without VNNI", ("tflite", "onnx")),
    ("Microcontroller, Cortex-M", ("tflite-int8-io", "tflite-int16x8")),
)
_INT8_SHARE = 0.5


@dataclass(frozen=True)
class Advice:
    """The file to take on one kind of device.

    Attributes:
        device: The kind of device.
        artifact: The file.
    """

    device: str
    artifact: Artifact


def advice(artifacts: Sequence[Artifact]) -> list[Advice]:
    """Return the file to take on each kind of device; a kind without a file is left out.

    Int8 is only advised where at least half of the multiplications are in int8: LSTM layers are
    not. On a microcontroller the whole file must be in integers.

    Args:
        artifacts: Exported files; of the compressed model where there is one.
    """
    compressed = [each for each in artifacts if each.role == "compressed"]
    by_target = {each.target: each for each in compressed or artifacts}
    found: list[Advice] = []
    for device, order in _ORDER:
        needed = 1.0 if "Microcontroller" in device else _INT8_SHARE
        for target in order:
            artifact = by_target.get(target)
            if artifact is not None and ("int8" not in target or _int8_share(artifact) >= needed):
                found.append(Advice(device, artifact))
                break
    return found


def slower_than_float32(artifacts: Sequence[Artifact]) -> list[str]:
    """Return a sentence for every quantised file that is slower here than its float32 file."""
    dot_product = cpu.has_int8_dot_product(cpu.extensions())
    why = (
        "this processor has no int8 dot-product instructions"
        if dot_product is False
        else "'edgeecg inspect FILE' lists what is slow in it"
    )
    return [
        f"{each.name} takes {each.speed.ratio:.2f} times as long as float32 here: {why}."
        for each in artifacts
        if each.speed is not None and each.speed.ratio_low > 1.0
    ]


def _int8_share(artifact: Artifact) -> float:
    macs = artifact.costs.macs
    return macs.get("int8", 0) / max(1, sum(macs.values()))
