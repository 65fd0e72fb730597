"""Reading the file that ONNX Runtime's profiler writes."""

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

    The seconds are the mean of the middle half of the runs. It is as robust to a disturbed run as a
    median, and finer than the profiler's resolution of one microsecond.

    Args:
        path: The JSON file that ``InferenceSession.end_profiling`` wrote.
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
