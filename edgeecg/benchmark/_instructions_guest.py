"""The program in the emulated machine: loads files and counts the instructions of an inference.

It prints one line of JSON for each file. :mod:`edgeecg.benchmark.instructions` starts it and reads
the lines.
"""

from __future__ import annotations

import json
import os
import platform
import time
from pathlib import Path
from typing import Any, cast

import numpy as np

from edgeecg import runtimes
from edgeecg.benchmark import parity
from edgeecg.errors import EdgeECGError
from edgeecg.runtimes import Profile
from edgeecg.schema import Task

MARK = "EDGEECG-RESULT "
"""Lines that start with it are results; others are messages of the kernel or of libraries."""

FOLDER = Path("/job/files")
JOB = FOLDER / "job.json"
WARMUP = 3
COUNTED = 11
PROFILED = 5


def main() -> None:
    """Count every file in a process of its own, so that one that crashes harms no other."""
    jobs = json.loads(JOB.read_text(encoding="utf-8"))
    for index, job in enumerate(jobs):
        child = os.fork()
        if child == 0:
            _print(index, _counted_or_error(job))
            os._exit(0)
        status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        if status:
            _print(index, {"error": ["", f"The process ended with status {status}.", ""]})


def _print(index: int, found: dict[str, Any]) -> None:
    print(MARK + json.dumps({"file": index, **found}), flush=True)


def _counted_or_error(job: dict[str, Any]) -> dict[str, Any]:
    try:
        return counted(job)
    except EdgeECGError as error:
        return {"error": [error.what, error.why, error.todo]}
    except Exception as error:  # Whatever it is, it belongs to this file alone.
        return {"error": ["", f"{type(error).__name__}: {error}", ""]}


def counted(job: dict[str, Any]) -> dict[str, Any]:
    """Count the instructions of one file.

    Args:
        job: ``path`` of the file in the machine, ``shapes`` of its inputs, the ``task``, and
            whether to count its ``operations``.

    Returns:
        Plain values for JSON.

    Raises:
        EdgeECGError: The file cannot be run, or its probe set is damaged.
    """
    path, task = Path(job["path"]), cast(Task, job["task"])
    shapes = {name: tuple(sizes) for name, sizes in job["shapes"].items()}
    runtime = runtimes.for_file(path)
    session = runtime.load(path, 1, shapes=shapes)
    agreement = parity.check(path, session, task)
    x = np.random.default_rng(0).standard_normal(session.input_shape, np.float32)
    session.run(x)
    for _ in range(WARMUP):
        session.invoke()
    samples: list[int] = []
    for _ in range(COUNTED):
        begun = time.perf_counter_ns()
        session.invoke()
        samples.append(time.perf_counter_ns() - begun)
    profile = (
        runtime.profile(path, x, 1, PROFILED, shapes)
        if job["operations"]
        else Profile((), "The operations were not counted, as asked.")
    )
    return {
        "runtime": runtime.version(),
        "input_shape": session.input_shape,
        "samples": samples,
        "operations": [
            (each.name, each.op, round(each.seconds * 1e9)) for each in profile.operations
        ],
        "operations_method": profile.method,
        "operations_reason": profile.reason,
        "parity": agreement.model_dump(),
        "system": platform.platform(),
        "python": platform.python_version(),
    }


if __name__ == "__main__":
    main()
