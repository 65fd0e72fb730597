"""The dense model that small runs start from."""

from __future__ import annotations

import pytest
from small_runs import dense_run

from edgeecg.data import Dataset
from edgeecg.runs import RunFolder


@pytest.fixture(scope="module")
def start(toy_dataset: Dataset, tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    """A run that holds an untrained dense ``cnn1d``."""
    return dense_run(toy_dataset, tmp_path_factory.mktemp("runs") / "dense")
