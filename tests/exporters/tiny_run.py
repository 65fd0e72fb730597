"""A finished run of a tiny, untrained ``cnn1d``."""

from __future__ import annotations

from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import nn

from edgeecg import files, models
from edgeecg.runs import RunFolder
from edgeecg.schema import ModelCard, Role

WIDTHS: dict[Role, dict[str, tuple[int, ...]]] = {
    "baseline": {"conv": (4, 4, 8), "dense": (8,)},
    "compressed": {"conv": (2, 4, 4), "dense": (8,)},
}


def build(role: Role) -> nn.Module:
    """Return the same module each time, with statistics in its batch normalisations."""
    torch.manual_seed(len(role))
    model = models.build("cnn1d", WIDTHS[role]).train()
    with torch.no_grad():
        for _ in range(20):
            model(torch.randn(32, 1, 256))
    return model.eval()


def write_model(weights: Path, card_path: Path, card: ModelCard) -> str:
    """Write the model of the card's role with its card; return the hash of the weights."""
    model = build(card.role)
    weights.parent.mkdir(parents=True, exist_ok=True)
    save_file(model.state_dict(), weights)
    sha256 = files.sha256(weights)
    known = {
        "widths": WIDTHS[card.role],
        "parameters": sum(parameter.numel() for parameter in model.parameters()),
        "weights_sha256": sha256,
    }
    card_path.write_text(card.model_copy(update=known).to_json(), encoding="utf-8")
    return sha256


def write_run(path: Path, card: ModelCard) -> RunFolder:
    """Write a run whose cards are this one but for role, widths and hashes."""
    run = RunFolder(path)
    parent = write_model(run.baseline_weights, run.baseline_card, card)
    compressed = card.model_copy(update={"role": "compressed", "parent_sha256": parent})
    write_model(run.model_weights, run.model_card, compressed)
    return run


def silent(what: str, done: int, total: int) -> None:
    """Ignore progress."""
