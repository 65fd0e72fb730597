"""Which of the exported files to take on which kind of device, and what is slow here."""

from __future__ import annotations

import platform
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

from edgeecg import resources
from edgeecg.costs import lstm_runtimes
from edgeecg.devices import cpu
from edgeecg.schema import Artifact, LayerCost

_WITH_VNNI, _WITHOUT_VNNI = "x86-64 with VNNI", "x86-64 without VNNI"
# The first target that was exported is the one to take. Instructions of an inference in int8,
# relative to float32, were 0.8 to 1.15 on an emulated Cortex-A72 and 0.26 to 0.44 on a Cortex-A76
# for models without LSTM layers, and 0.6 to 1.3 on both with them
# (benchmarks/results/instructions.jsonl).
_ORDER = (
    ("Raspberry Pi 4, Cortex-A72 without int8 dot product", ("tflite", "onnx")),
    ("Raspberry Pi 5, Cortex-A76", ("tflite-int8", "tflite-mixed", "tflite", "onnx")),
    (_WITH_VNNI, ("tflite-int8", "tflite-mixed", "onnx-int8", "tflite", "onnx")),
    (_WITHOUT_VNNI, ("tflite", "onnx")),
    ("Microcontroller, Cortex-M", ("tflite-int8-io", "tflite-int16x8")),
)
_INT8_SHARE = 0.5
_X86 = ("x86_64", "AMD64")
# Files are timed one after the other, not in turns: smaller differences may be noise.
_FASTER = 1.3
_SLOWER = 1.05


@dataclass(frozen=True)
class Advice:
    """The file to take on one kind of device.

    Attributes:
        device: The kind of device.
        artifact: The file.
        why: What was measured here, where that decided; else empty.
    """

    device: str
    artifact: Artifact
    why: str = ""


def advice(artifacts: Sequence[Artifact]) -> list[Advice]:
    """Return the file to take on each kind of device; a kind without a file is left out.

    Int8 is only advised where at least half of the multiplications are in int8, and on x86 not for
    LSTM layers in int8. On a microcontroller all operations must be in integers, but for the
    conversion of the input and the output. For the kind of this machine, times measured here decide
    where a file is at least 1.3 times as fast as the first of the order.

    Args:
        artifacts: Exported files; of the compressed model where there is one.
    """
    compressed = [each for each in artifacts if each.role == "compressed"]
    by_target = {each.target: each for each in compressed or artifacts}
    here = _kind_of_this_machine()
    found: list[Advice] = []
    for device, order in _ORDER:
        made = (by_target[target] for target in order if target in by_target)
        usable = [each for each in made if _suits(each, device)]
        if usable:
            found.append(_fastest_here(usable, artifacts, device, device == here))
    return found


def _suits(artifact: Artifact, device: str) -> bool:
    """Whether the integers of a file, if it has any, are of use on a kind of device."""
    if not any(name in artifact.target for name in ("int8", "int16")):
        return True
    if device in (_WITH_VNNI, _WITHOUT_VNNI) and lstm_runtimes.in_int8(artifact.layers):
        return False
    share = _int8_share(artifact)
    if "Microcontroller" in device:
        return share >= 1.0 and not any(map(_computes_in_float32, artifact.layers))
    return share >= _INT8_SHARE


def _computes_in_float32(layer: LayerCost) -> bool:
    return layer.dtype == "float32" and layer.op not in ("QUANTIZE", "DEQUANTIZE")


def _fastest_here(
    usable: Sequence[Artifact], artifacts: Sequence[Artifact], device: str, timed_here: bool
) -> Advice:
    """Return the first file, or one that is clearly faster on this machine."""
    first = usable[0]
    known = [(s, each) for each in usable if (s := p50_here(each, artifacts)) is not None]
    taken = p50_here(first, artifacts)
    if timed_here and taken is not None:
        fastest_s, fastest = min(known, key=lambda pair: pair[0])
        if taken > _FASTER * fastest_s:
            why = f"{taken / fastest_s:.1f} times as fast here as {first.target}"
            return Advice(device, fastest, why)
    return Advice(device, first)


def _kind_of_this_machine() -> str | None:
    if platform.machine() not in _X86:
        return None
    has = cpu.has_int8_dot_product(cpu.extensions())
    return None if has is None else _WITH_VNNI if has else _WITHOUT_VNNI


def p50_here(artifact: Artifact, artifacts: Sequence[Artifact]) -> float | None:
    """Return the median time of a file on this machine in seconds; None where it was not timed.

    The float32 file of a model is timed beside each of its quantised files: the median of these.

    Args:
        artifact: A file.
        artifacts: The files that were exported together with it.
    """
    if artifact.speed is not None:
        return artifact.speed.p50_s
    beside = [
        each.speed.float32_p50_s
        for each in artifacts
        if each.speed is not None and (each.format, each.role) == (artifact.format, artifact.role)
    ]
    return median(beside) if beside else None


def slower_than_float32(artifacts: Sequence[Artifact]) -> list[str]:
    """Return a sentence for every quantised file that is clearly slower here than float32.

    Files that take at most 1.05 times as long are left out: two measurements may differ by that.
    """
    return [
        f"{each.name} takes {each.speed.ratio:.2f} times as long as float32 here: "
        f"{_why_slower(each)}."
        for each in artifacts
        if each.speed is not None and each.speed.ratio > _SLOWER and each.speed.ratio_low > 1.0
    ]


def _why_slower(artifact: Artifact) -> str:
    integers = resources.load_target(artifact.target).activation_dtype is None
    if platform.machine() in _X86 and integers and lstm_runtimes.in_int8(artifact.layers):
        return lstm_runtimes.WHY_INT8
    if cpu.has_int8_dot_product(cpu.extensions()) is False:
        return "this processor has no int8 dot-product instructions"
    return "'edgeecg inspect FILE' lists what is slow in it"


def slower_than_onnx(artifacts: Sequence[Artifact]) -> list[str]:
    """Return a sentence for every ``tflite`` file that LSTM layers make slower than ``onnx``."""
    onnx = {each.role: each for each in artifacts if each.target == "onnx"}
    found: list[str] = []
    for each in artifacts:
        other = onnx.get(each.role)
        if each.target != "tflite" or other is None:
            continue
        one_s, other_s = p50_here(each, artifacts), p50_here(other, artifacts)
        if one_s is not None and other_s is not None:
            said = lstm_runtimes.sentence((each.name, one_s), (other.name, other_s), each.layers)
            found += [] if said is None else [said]
    return found


def _int8_share(artifact: Artifact) -> float:
    macs = artifact.costs.macs
    return macs.get("int8", 0) / max(1, sum(macs.values()))
