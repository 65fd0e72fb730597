"""Models and the runs that made them."""

from __future__ import annotations

from typing import ClassVar

from edgeecg.schema.data import DataSummary, Preprocessing
from edgeecg.schema.scores import Scores
from edgeecg.schema.training import TrainingConfig
from edgeecg.schema.value import Count, Role, Sha256, Value


class ModelSummary(Value):
    """One line of ``edgeecg models``.

    Attributes:
        name: Architecture, a file name of ``edgeecg/models``.
        dataset: Data it is meant for.
        classes: Class names in the order of the outputs.
        parameters: Parameters of the dense model.
        macs: Multiply-accumulates per inference of the dense model.
        test: Test scores of the trained weights in the package, without single records; or None.
        licence: Licence of those weights and of the data behind them, or None.
    """

    name: str
    dataset: str
    classes: tuple[str, ...]
    parameters: Count
    macs: Count
    test: Scores | None = None
    licence: str | None = None


class ModelCard(Value):
    """What a file of weights is: ``model.json`` beside ``model.safetensors``.

    Attributes:
        name: Architecture, a file name of ``edgeecg/models``.
        role: Dense baseline, or what compression made of it.
        widths: The architecture's widths by name; with ``name`` they rebuild the module.
        parameters: Parameters in the module.
        nonzero_parameters: Parameters that are not exactly zero.
        macs: Multiply-accumulates per inference.
        classes: Class names in the order of the outputs.
        preprocessing: How a lead becomes an input.
        data: What it was trained, validated and tested on.
        training: How it was trained, seed included.
        seed: Seed of weights, order and draws.
        val: Scores on the validation records.
        test: Scores on the test records.
        weights_sha256: Hash of the weights file this card describes.
        parent_sha256: Hash of the dense baseline's weights; None for a baseline.
        epochs: Epochs trained in all.
        git_revision: Revision of the code, or None outside a checkout.
        edgeecg_version: Version of this package.
        limits: Known limits, a sentence each.
        licence: Licence of the weights; that of the data is in ``data``.
        notice: What the model must not be used for.
    """

    version: ClassVar[str] = "edgeecg.model/2"

    name: str
    role: Role
    widths: dict[str, tuple[int, ...]]
    parameters: Count
    nonzero_parameters: Count
    macs: Count
    classes: tuple[str, ...]
    preprocessing: Preprocessing
    data: DataSummary
    training: TrainingConfig
    seed: int
    val: Scores
    test: Scores
    weights_sha256: Sha256
    parent_sha256: Sha256 | None
    epochs: Count
    git_revision: str | None
    edgeecg_version: str
    limits: tuple[str, ...] = ()
    licence: str = "Apache-2.0"
    notice: str = "Research software. Not a medical device; not for diagnosis."
