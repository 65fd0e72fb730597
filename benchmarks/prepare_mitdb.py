"""How long MIT-BIH takes from its files to windows, and from edgeecg's cache the next time.

Each load runs in a fresh process, the first with an empty cache. The four paced records of the 48
are read by no split. Writes ``benchmarks/results/prepare_mitdb.json``; the machine should do
nothing else::

    EDGEECG_DATA=../shared/data python benchmarks/prepare_mitdb.py
"""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from run_provenance import versions

from edgeecg.devices import detection
from edgeecg.files import write_text
from edgeecg.runs import git_revision

RESULT = Path(__file__).resolve().parent / "results" / "prepare_mitdb.json"
PACKAGES = ("numpy", "scipy", "wfdb")
LOAD = """
import json, time
from edgeecg.data import DataRequest, load_dataset
started = time.monotonic()
made = load_dataset(DataRequest(source="mitdb"))
seconds = time.monotonic() - started
windows = {name: len(made.split(name).y) for name in ("train", "val", "test")}
print(json.dumps({"seconds": seconds, "windows": windows}))
"""


def load(cache: str) -> dict[str, Any]:
    """Load all splits in a process of its own."""
    done = subprocess.run(
        [sys.executable, "-c", LOAD],
        env={**os.environ, "EDGEECG_CACHE": cache},
        check=True,
        stdout=subprocess.PIPE,
        text=True,
    )
    found: dict[str, Any] = json.loads(done.stdout)
    print(found, flush=True)
    return found


def main() -> None:
    """Measure both and write the result."""
    with tempfile.TemporaryDirectory() as cache:
        stages = {"from_records": load(cache), "from_cache": load(cache)}
    before = detection.state(None)
    document = {
        "title": "Preparing MIT-BIH",
        "stages": stages,
        "git_revision": git_revision(),
        "machine": (
            f"{platform.machine()}, {detection.describe(detection.detect(), before, before).cpu}, "
            f"{os.cpu_count()} cores"
        ),
        "versions": versions(PACKAGES),
    }
    write_text(RESULT, json.dumps(document, indent=1) + "\n")


if __name__ == "__main__":
    main()
