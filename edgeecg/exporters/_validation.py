"""Scores of files on the validation split beside those of their PyTorch models."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from torch import nn

from edgeecg.data import Dataset
from edgeecg.evaluation.inference import predict
from edgeecg.evaluation.metrics import score_predictor
from edgeecg.exporters import _verify
from edgeecg.schema import ScoreDrop


class ValidationScores:
    """Compares the scores of files and models; each model is scored once."""

    def __init__(self, dataset: Dataset) -> None:
        """Compute nothing yet.

        Args:
            dataset: Only ``val`` is used.
        """
        self._dataset = dataset
        self._of_model: dict[int, tuple[nn.Module, str, float]] = {}

    def compare(self, model: nn.Module, path: Path) -> ScoreDrop:
        """Score a file and, once for all its files, its model.

        Args:
            model: The model that the file was made from.
            path: The file.

        Raises:
            ArtifactError: The runtime does not accept the file.
        """
        if id(model) not in self._of_model:
            scores = score_predictor(partial(predict, model), self._dataset, "val")
            self._of_model[id(model)] = (model, *scores.headline)
        _, metric, score = self._of_model[id(model)]
        session = _verify.load(path)
        found = score_predictor(partial(_verify.outputs, session), self._dataset, "val")
        return ScoreDrop(metric=metric, reference=score, file=found.headline[1])
