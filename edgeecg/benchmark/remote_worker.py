"""The process that measures on a host: ``python -m edgeecg.benchmark.remote_worker JOB``.

The agent on the host starts it (see :mod:`edgeecg.devices.remote`) and passes on what it writes to
standard output. JOB is a JSON file with the files, the settings and the command line.

With a meter beside the device, the windows of a file are sent when they have been run, and the
other side answers with their energy: a file beside JOB, which is what the agent can be sent while a
process runs. Between the question and the answer nothing is measured.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from edgeecg.benchmark.config import BenchConfig
from edgeecg.benchmark.protocol import measure
from edgeecg.devices.messages import MARK
from edgeecg.errors import EdgeECGError
from edgeecg.schema import Energy, EnergyWindow

_POLL_S = 0.05


def main(job_path: Path) -> int:
    """Measure what a job names, report it on standard output, and return the exit status.

    Args:
        job_path: The job.
    """
    # What native libraries print must not get between the messages.
    messages = os.dup(1)
    os.dup2(2, 1)

    def tell(kind: str, **values: Any) -> None:
        left = MARK + json.dumps({"type": kind, **values}).encode() + b"\n"
        while left:
            left = left[os.write(messages, left) :]

    job = json.loads(job_path.read_bytes())
    try:
        report = measure(
            [Path(path) for path in job["files"]],
            BenchConfig.from_document(job["config"], source="What was sent"),
            command=job["command"],
            on_step=lambda what, done, total: tell("progress", what=what, done=done, total=total),
            elsewhere=_Elsewhere(job_path.parent, tell) if job["beside"] else None,
        )
    except EdgeECGError as error:
        tell("error", what=error.what, why=error.why, todo=error.todo, exit_code=error.exit_code)
        return error.exit_code
    tell("result", report=report.to_document())
    return 0


class _Elsewhere:
    """The other side, which reads the meter."""

    def __init__(self, folder: Path, tell: Callable[..., None]) -> None:
        self._folder, self._tell = folder, tell
        self._numbers = itertools.count()

    def ran(self, window: EnergyWindow) -> None:
        self._tell("window", window=window.to_document())

    def energy(self, windows: Sequence[EnergyWindow]) -> Energy:
        name = answer_name(next(self._numbers))
        self._tell("windows", name=name, windows=[window.to_document() for window in windows])
        while True:
            # The agent ends this process when the other side is lost. A file that is not whole yet
            # is no JSON.
            with contextlib.suppress(FileNotFoundError, ValueError):
                document = json.loads((self._folder / name).read_bytes())
                return Energy.from_document(document, source="The answer")
            time.sleep(_POLL_S)


def answer_name(number: int) -> str:
    """Return the name of the file that answers a question.

    Args:
        number: Number of the question, from 0.
    """
    return f"energy-{number}.json"


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
