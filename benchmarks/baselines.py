"""The six dense models, three seeds each, as a user would train them.

Runs ``edgeecg train MODEL --seed SEED`` into ``runs/baseline-MODEL-SEED``, and writes
``benchmarks/results/baselines.json``. A finished run is not trained again and an unfinished one is
resumed, so the script can be killed, run in slices, and restarted::

    EDGEECG_DATA=../shared/data python benchmarks/baselines.py [--models cnn1d,bilstm]
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
from pathlib import Path
from typing import Any

from run_provenance import machine, versions

from edgeecg.files import write_text
from edgeecg.models import names
from edgeecg.runs import RunFolder
from edgeecg.schema import ModelCard, Scores
from edgeecg.statistics.confusion import class_score, without_record

ROOT = Path(__file__).resolve().parents[1]
RESULT = ROOT / "benchmarks" / "results" / "baselines.json"
SEEDS = (0, 1, 2)
PACKAGES = ("torch", "numpy", "scipy", "scikit-learn", "wfdb", "accelerate")
MEANS = (
    "accuracy",
    "macro_f1",
    "macro_auroc",
    "macro_auprc",
    "macro_f1_at_threshold",
)


def run_of(model: str, seed: int) -> RunFolder:
    """Return the run folder of one model and seed."""
    return RunFolder(ROOT / "runs" / f"baseline-{model}-{seed}")


def card_of(run: RunFolder) -> ModelCard:
    """Return the card of a run's dense model."""
    return ModelCard.from_json(run.baseline_card.read_bytes(), str(run.baseline_card))


def trained(model: str, seed: int) -> RunFolder:
    """Train unless that is done."""
    run = run_of(model, seed)
    if run.baseline_card.is_file():
        return run
    arguments = ["train", "--name", run.name]
    arguments += ["--resume"] if run.training.is_file() else [model, "--seed", str(seed)]
    print("$ edgeecg", *arguments, flush=True)
    subprocess.run([sys.executable, "-m", "edgeecg", *arguments], cwd=ROOT, check=True)
    return run


def spread(values: list[float]) -> dict[str, float]:
    """Return mean and sample standard deviation."""
    return {"mean": statistics.mean(values), "std": statistics.stdev(values)}


def without_232(scores: Scores) -> float | None:
    """Return recall of S on the test records other than 232, which holds three quarters of them."""
    rest = without_record(scores, "232")
    return None if rest is None else class_score(rest, tuple(scores.per_class).index("S")).recall


def seed_row(card: ModelCard) -> dict[str, Any]:
    """Return everything worth keeping of one seed."""
    return {
        "seed": card.seed,
        "epochs": card.epochs,
        "git_revision": card.git_revision,
        "weights_sha256": card.weights_sha256,
        "val": card.val.model_dump(mode="json", exclude={"records"}),
        "test": card.test.model_dump(mode="json", exclude={"records"}),
        "s_recall_without_232": without_232(card.test),
    }


def model_row(model: str) -> dict[str, Any]:
    """Return one model's three seeds and their spread."""
    cards = [card_of(trained(model, seed)) for seed in SEEDS]
    tests = [card.test for card in cards]
    first = cards[0]
    row: dict[str, Any] = {
        "model": model,
        "dataset": first.data.source,
        "split": first.data.class_map,
        "parameters": first.parameters,
        "macs": first.macs,
        "n": first.test.n,
        "training": first.training.model_dump(mode="json", exclude={"seed"}),
        "preprocessing": first.preprocessing.model_dump(mode="json"),
        "notes": first.data.notes,
        "content_sha256": first.data.content_sha256,
        "val": spread([card.val.headline[1] for card in cards]),
        "per_class": {
            name: {
                what: spread([getattr(test.per_class[name], what) for test in tests])
                for what in ("recall", "precision", "f1")
            }
            for name in first.classes
        },
        "seeds": [seed_row(card) for card in cards],
    }
    for what in MEANS:
        values = [getattr(test, what) for test in tests]
        row[what] = None if None in values else spread(values)
    parts = [without_232(test) for test in tests]
    row["s_recall_without_232"] = None if None in parts else spread([p for p in parts if p])
    return row


def main() -> None:
    """Train what is missing, and write the result when every model is there."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--models", default=",".join(names()), help="comma-separated slice")
    chosen = parser.parse_args().models.split(",")
    rows = [model_row(model) for model in chosen]
    if set(chosen) != set(names()):
        return
    document = {
        "title": "Six models, two databases",
        "models": rows,
        "machine": machine(),
        "versions": versions(PACKAGES),
    }
    write_text(RESULT, json.dumps(document, indent=1) + "\n")
    print(RESULT.relative_to(ROOT))


if __name__ == "__main__":
    main()
