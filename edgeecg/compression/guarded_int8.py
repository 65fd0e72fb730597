"""Int8 under guards: trained with its rounding on, without that, or not at all."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import replace

from torch import nn

from edgeecg.compression.guards import broken_guards
from edgeecg.quantization.int8_stage import Int8Stage, prepare_int8
from edgeecg.schema import Guard, QuantizationLog, Quantize


def make_guarded(model: nn.Module, stage: Int8Stage, guards: Sequence[Guard]) -> QuantizationLog:
    """Make a pruned model ready for int8 as far as the guards let it.

    The guards are checked on the validation scores of the model with int8 rounding. If training
    with rounding breaks a guard, it is undone, and int8 without training is tried; if that breaks
    one, too, the model stays in float32.

    Args:
        model: The pruned model, on the CPU; its weights change, in place, if training is kept.
        stage: How int8 is prepared.
        guards: What has to hold.

    Returns:
        What was done, and what was undone.

    Raises:
        EdgeECGError: As :func:`edgeecg.quantization.int8_stage.prepare_int8`.
    """
    before = copy.deepcopy(model.state_dict())
    modes: tuple[Quantize, ...] = ("qat", "ptq") if stage.mode == "qat" else ("ptq",)
    broken: dict[Quantize, dict[str, float]] = {}
    tried: list[QuantizationLog] = []
    for mode in modes:
        tried.append(prepare_int8(model, replace(stage, mode=mode)))
        faults = broken_guards(guards, tried[-1].val, tried[-1].fidelity)
        if not faults:
            break
        broken[mode] = faults
        model.load_state_dict(before)
    kept: Quantize = "none" if len(broken) == len(modes) else tried[-1].mode
    return tried[-1].model_copy(update={"mode": stage.mode, "kept": kept, "broken": broken})
