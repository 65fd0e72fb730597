"""Reading the file that ONNX Runtime's profiler writes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from edgeecg.runtimes import Operation
from edgeecg.runtimes._durations import middle_mean

_ENDING = "_kernel_time"
_FUSED = "fused "
_WHOLE = "model_run"


def operations(path: Path) -> tuple[Operation, ...]:
    """Return the operations of a profile in the order of execution.

    The seconds are the mean of the middle half of the runs.

    Args:
        path: The JSON file that ``InferenceSession.end_profiling`` wrote.
    """
    found: dict[tuple[str, str, str], list[int]] = {}
    for event in _events(path):
        if event.get("cat") == "Node" and str(event["name"]).endswith(_ENDING):
            name = str(event["name"]).removesuffix(_ENDING).removeprefix(_FUSED)
            facts = event["args"]
            key = (name, str(facts["op_name"]), str(facts.get("node_index")))
            found.setdefault(key, []).append(int(event["dur"]))
    return tuple(
        Operation(name, op, middle_mean(durations) * 1e-6)
        for (name, op, _), durations in found.items()
    )


def whole_s(path: Path) -> float | None:
    """Return the seconds of a whole run in the profile, or None when it has none.

    Args:
        path: The JSON file that ``InferenceSession.end_profiling`` wrote.
    """
    found = [int(event["dur"]) for event in _events(path) if event.get("name") == _WHOLE]
    return middle_mean(found) * 1e-6 if found else None


def _events(path: Path) -> list[dict[str, Any]]:
    return json.loads(path.read_text(encoding="utf-8"))
