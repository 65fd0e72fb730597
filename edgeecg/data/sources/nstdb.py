"""The MIT-BIH Noise Stress Test Database: recorded noise, and records with noise added.

It has no classes to train on; :mod:`edgeecg.data.windows.noise` reads the noise records.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from edgeecg.data.download import WFDB_FILES, Download
from edgeecg.data.locations import installed
from edgeecg.data.windows.dataset import DataRequest, Dataset, OnRecord
from edgeecg.errors import DataError
from edgeecg.schema import Task

TITLE = "MIT-BIH Noise Stress Test Database"
TASKS: tuple[Task, ...] = ()
DEFAULT_FOR: tuple[Task, ...] = ()
LICENCE = (
    "MIT-BIH Noise Stress Test Database 1.0.0, ODC-By 1.0. Moody, Muldrow and Mark, "
    "Computers in Cardiology 11:381-384, 1984, doi:10.13026/C2HS3T."
)
NOTES = ("It holds noise and noisy records, which are for augmentation and robustness alone.",)
REMARKS: Mapping[str, str] = {
    "bw": "Baseline wander alone, without a heartbeat.",
    "em": "Electrode motion alone, without a heartbeat.",
    "ma": "Muscle artefact alone, without a heartbeat.",
}
DOWNLOAD = Download(
    "nstdb/1.0.0/", WFDB_FILES, sizes=((".dat", 2_500_000), (".atr", 5_000), ("", 300))
)


def folder() -> Path:
    """Return the folder of the records; see :class:`edgeecg.data.sources.Source`."""
    return installed("nstdb")


def load(request: DataRequest, on_record: OnRecord | None) -> Dataset:
    """Refuse: there is nothing to train on or to score.

    Raises:
        DataError: Always.
    """
    raise DataError(
        f"The database 'nstdb' cannot be loaded for a model of {request.task}.",
        NOTES[0],
        "Choose a database that 'edgeecg models' names for the model.",
    )
