"""What ONNX Runtime's profiler wrote, operation by operation."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from edgeecg.runtimes import Operation

_ENDING = "_kernel_time"
_FUSED = "fused "


def operations(path: Path) -> tuple[Operation, ...]:
    """Return the operations of a profile in the order of execution.

    Seconds are the mean of the middle half of the runs: as deaf to a disturbed run as a median,
    and finer than the whole microseconds that the profiler counts in.

    Args:
        path: The JSON that ``InferenceSession.end_profiling`` wrote.
    """
    events: list[dict[str, Any]] = json.loads(path.read_text(encoding="utf-8"))
    found: dict[tuple[str, str, str], list[int]] = {}
    for event in events:
        if event.get("cat") == "Node" and str(event["name"]).endswith(_ENDING):
            name = str(event["name"]).removesuffix(_ENDING).removeprefix(_FUSED)
            facts = event["args"]
            key = (name, str(facts["op_name"]), str(facts.get("node_index")))
            found.setdefault(key, []).append(int(event["dur"]))
    return tuple(
        Operation(name, op, _middle(durations)) for (name, op, _), durations in found.items()
    )


def _middle(microseconds: list[int]) -> float:
    spare = len(microseconds) // 4
    middle = np.sort(np.array(microseconds))[spare : len(microseconds) - spare]
    return float(middle.mean()) * 1e-6
