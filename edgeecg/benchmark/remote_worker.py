"""The process that measures on a host: ``python -m edgeecg.benchmark.remote_worker JOB``.

The agent on the host starts it (see :mod:`edgeecg.devices.remote`) and passes on what it writes to
standard output. JOB is a JSON file with the files, the settings and the command line.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

from edgeecg.benchmark.config import BenchConfig
from edgeecg.benchmark.protocol import measure
from edgeecg.devices.messages import MARK
from edgeecg.errors import EdgeECGError


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
        )
    except EdgeECGError as error:
        tell("error", what=error.what, why=error.why, todo=error.todo, exit_code=error.exit_code)
        return error.exit_code
    tell("result", report=report.to_document())
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
