"""Put trained weights into the package: of each model the seed that validates best, in half size.

Reads the runs of ``experiments/baselines.toml`` and writes
``edgeecg/models/weights/NAME.safetensors`` and ``NAME.json``. The choice never looks at test
records; the test scores on the card are those of the half-precision weights that are shipped::

    EDGEECG_DATA=../shared/data python benchmarks/ship.py
"""

from __future__ import annotations

import hashlib
import os
import sys
from dataclasses import dataclass
from pathlib import Path

import torch
from harness.dense_models import card_of, run_of
from safetensors.torch import save

from edgeecg.data import DataRequest, Dataset, load_dataset
from edgeecg.files import write_bytes, write_text
from edgeecg.models import architecture, load, names
from edgeecg.schema import ModelCard
from edgeecg.training.cards import make_card

SEEDS = (0, 1, 2)
WEIGHTS = Path(__file__).resolve().parents[1] / "edgeecg" / "models" / "weights"
LIMITS = {
    "beats": (
        "Trained on 17 patients; S beats of a new patient are often missed or invented.",
        "In atrial fibrillation irregular N beats are taken for S.",
        "R peaks of the scores come from annotations; a detector's errors come on top.",
        "F and Q beats are outside the classes and are given one of them all the same.",
    ),
    "records": (
        "Trained on a part of PTB-XL, 2,279 records; more records would make it better.",
        "Scored on 321 records: the intervals are wide, and differences inside them are not "
        "resolved.",
    ),
}
LIMITS_OF = {
    "tiny_rhythm": (
        "It learned the answers of cnn1d, cnn_lstm_attn and resnet1d_attn, and repeats their "
        "errors.",
    ),
}


@dataclass(frozen=True)
class Best:
    """The seed of a model that validates best."""

    seed: int
    card: ModelCard


def best(model: str) -> Best:
    """Choose by validation score alone."""
    cards = {seed: card_of(run_of(model, seed)) for seed in SEEDS}
    seed = max(SEEDS, key=lambda seed: cards[seed].val.headline[1])
    return Best(seed, cards[seed])


def ship(model: str, dataset: Dataset) -> ModelCard:
    """Write one model's weights and card."""
    chosen = best(model)
    dense = load(run_of(model, chosen.seed).baseline_weights, chosen.card)
    content = save(
        {
            name: (tensor.half() if tensor.is_floating_point() else tensor).contiguous()
            for name, tensor in dense.state_dict().items()
        }
    )
    halved = dense.half().float()
    card = make_card(halved, "baseline", chosen.card.training, dataset, chosen.card.epochs)
    card = card.model_copy(
        update={
            "weights_sha256": hashlib.sha256(content).hexdigest(),
            "git_revision": chosen.card.git_revision,
            "limits": LIMITS_OF.get(model, ()) + LIMITS[architecture(model).TASK],
        }
    )
    write_bytes(WEIGHTS / f"{model}.safetensors", content)
    write_text(WEIGHTS / f"{model}.json", card.to_json())
    return card


def main() -> None:
    """Ship every model, or those named on the command line."""
    torch.set_num_threads(os.cpu_count() or 1)
    for model in sys.argv[1:] or names():
        found = architecture(model)
        request = DataRequest(
            source=found.DATASET, task=found.TASK, preprocessing=found.RECIPE.preprocessing
        )
        dataset = load_dataset(request)
        card = ship(model, dataset)
        print(f"{model}: {card.test.described}, {len(card.to_json()) / 1000:.0f} kB of card")


if __name__ == "__main__":
    main()
