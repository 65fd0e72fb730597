"""``edgeecg search`` on toy records, as a program of its own: tests kill it and watch it.

Its processes import this file, too, and so read the same records.
"""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parents[1]))

import toy_records

from edgeecg.cli import run
from edgeecg.data import DataRequest, Dataset
from edgeecg.training import start


def _load(request: DataRequest, on_record: object = None) -> Dataset:
    return toy_records.dataset()


start.load_dataset = _load

if __name__ == "__main__":
    sys.exit(run(sys.argv[1:]))
