"""edgeecg: compress an ECG classifier, export it, measure what a heartbeat costs on the device.

A model passes through a few stages; between two stages it is one value of ``edgeecg.schema``::

    records -data-> windows -training-> model -compression-> run folder
            -exporters-> artifact -benchmark-> BenchReport -reporting-> page

The functions below are the public API. Each returns what the command of the same name writes with
``--json``, prints nothing, and raises :class:`edgeecg.errors.EdgeECGError` with what failed, why,
and what to do. They are loaded when they are first used, so that ``import edgeecg`` is quick.

``battery``, ``bench``, ``calibrate``, ``compare``, ``count_instructions``, ``report``, ``trace``
and ``load_run`` need no PyTorch: a device can use them. The other functions need the extras that
docs/index.md names.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

from edgeecg._version import __version__

if TYPE_CHECKING:
    from edgeecg.benchmark.calibration import calibrate
    from edgeecg.benchmark.run import bench, count_instructions
    from edgeecg.benchmark.trace import trace
    from edgeecg.compression.start import compress
    from edgeecg.data.named import load_dataset
    from edgeecg.evaluation.named import classify, evaluate
    from edgeecg.exporters import export
    from edgeecg.reporting.battery_life import battery
    from edgeecg.reporting.differences import compare
    from edgeecg.reporting.run import report
    from edgeecg.runs.results import load_run
    from edgeecg.training.start import train
    from edgeecg.tuning.search import search

__all__ = [
    "__version__",
    "battery",
    "bench",
    "calibrate",
    "classify",
    "compare",
    "compress",
    "count_instructions",
    "evaluate",
    "export",
    "load_dataset",
    "load_run",
    "report",
    "search",
    "trace",
    "train",
]

_MODULES = {
    "battery": "reporting.battery_life",
    "bench": "benchmark.run",
    "calibrate": "benchmark.calibration",
    "classify": "evaluation.named",
    "compare": "reporting.differences",
    "compress": "compression.start",
    "count_instructions": "benchmark.run",
    "evaluate": "evaluation.named",
    "export": "exporters",
    "load_dataset": "data.named",
    "load_run": "runs.results",
    "report": "reporting.run",
    "search": "tuning.search",
    "trace": "benchmark.trace",
    "train": "training.start",
}


def __getattr__(name: str) -> object:
    """Load a function of the API when it is first used."""
    if name in _MODULES:
        return getattr(importlib.import_module(f"{__name__}.{_MODULES[name]}"), name)
    raise AttributeError(f"module '{__name__}' has no attribute '{name}'")


def __dir__() -> list[str]:
    """Return the names of the API, too: they are loaded on demand."""
    return sorted({*globals(), *__all__})
