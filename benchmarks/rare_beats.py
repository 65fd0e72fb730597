"""Which score on DS1 tells how much a compression will lose on DS2, and which options lose least.

Compresses ``cnn1d`` in different ways down to 8 % of the executed proxy, and keeps the model of
every step (0.72, 0.53, ..., 0.15, 0.11, 0.08). Of each it computes candidates for the signal that a
guard watches, on the records of DS1 alone, and what the model loses on DS2 against its dense model.
``results/rare_beats.json`` holds the models, the process that scored them, the rank correlations of
signal and loss with their intervals over runs, and the losses by variant and budget;
``results/rare_beats.png`` shows them.
A run that is finished is not repeated, so the script can be killed and restarted::

    EDGEECG_DATA=../shared/data python benchmarks/rare_beats.py [--only variant] [--score]
"""

from __future__ import annotations

import argparse
import json
import shutil
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from harness.provenance import provenance
from numpy.typing import NDArray
from torch import nn

from edgeecg.compression import start
from edgeecg.compression.fidelity import WIDE, Probe
from edgeecg.data import Dataset
from edgeecg.evaluation import fidelity, metrics
from edgeecg.evaluation.inference import predict
from edgeecg.files import write_text
from edgeecg.models import architecture, build, load_with_card
from edgeecg.runs import RUNS, RunFolder
from edgeecg.schema import (
    Augmentation,
    CompressionStep,
    Fidelity,
    ModelCard,
    Rollback,
    Scores,
    TrainingConfig,
)
from edgeecg.statistics import bootstrap
from edgeecg.statistics.agreement import spearman
from edgeecg.training.checkpoint import load_checkpoint, unprefixed
from edgeecg.training.start import load_records, train

MODEL = "cnn1d"
SEEDS = (0, 1, 2)
RESULT = Path(__file__).parent / "results" / "rare_beats.json"
FIGURE = RESULT.with_suffix(".png")

WITHOUT = {"class_weight": "none", "default_guards": False}
"""The options of earlier versions."""

VARIANTS: Mapping[str, Mapping[str, Any]] = {
    "old": WITHOUT,
    "six epochs": {**WITHOUT, "finetune_epochs": 6},
    "taylor": {**WITHOUT, "method": "taylor"},
    "balanced": {**WITHOUT, "class_weight": "balanced"},
    "largest": {**WITHOUT, "method": "taylor", "class_importance": "largest"},
    "features": {**WITHOUT, "distill_features": 3.0},
    "until 0.95": {**WITHOUT, "finetune_fidelity": 0.95},
}
BUDGET = 0.08
SHOWN = (0.3, 0.15, 0.08)

AUGMENTED: Mapping[str, Augmentation | None] = {
    "as in training": None,
    "plain": Augmentation(shift=0, wander=0.0, noise=0.0),
    "recorded noise": Augmentation(shift=4, wander=0.15, noise=0.05, recorded_noise=0.5),
    "wide": WIDE.model_copy(update={"signal_dropout": 0.5}),
}
"""Augmentations of training windows on which the fidelity is measured."""


def folder(variant: str, seed: int) -> RunFolder:
    """Return the run of a variant and seed."""
    return RunFolder(RUNS / f"rare-{variant.replace(' ', '_')}-{seed}")


def compute(variant: str, seed: int) -> None:
    """Compress, and keep the checkpoint of every step."""
    dense = RunFolder(RUNS / f"dense-{MODEL}-{seed}")
    if not dense.baseline_card.is_file():
        train(MODEL, name=dense.name, seed=seed, resume=dense.training.is_file())
    run = folder(variant, seed)
    if run.finished:
        return
    print(run.name, flush=True)

    def keep(event: CompressionStep | Rollback) -> None:
        if isinstance(event, CompressionStep):
            (run.path / "steps").mkdir(exist_ok=True)
            shutil.copy(run.checkpoint, run.path / "steps" / f"{event.step}.ckpt")

    if run.config.is_file():
        start.compress(name=run.name, resume=True, on_step=keep)
    else:
        options: dict[str, Any] = {**VARIANTS[variant], "seed": seed, "start": dense.name}
        start.compress(MODEL, budget={"energy": BUDGET}, name=run.name, on_step=keep, **options)


def score(run: RunFolder) -> None:
    """Score every step of a finished run: ``test_of_steps.json``, ``signals_of_steps.json``."""
    tested, signalled = (run.path / f"{what}_of_steps.json" for what in ("test", "signals"))
    if not run.finished or (tested.is_file() and signalled.is_file()):
        return
    print(f"scoring {run.name}", flush=True)
    card, dense = load_with_card(run.baseline_weights, run.baseline_card)
    steps = json.loads(run.compression_log.read_text())["steps"]
    dataset = load_records(card.training, architecture(MODEL))
    models = {step["step"]: _model_of(run, step["step"]) for step in steps}
    if not signalled.is_file():
        probes = _probes(dense, dataset, card.training)
        found = {number: _signals(model, probes, card, dataset) for number, model in models.items()}
        write_text(signalled, json.dumps(found, indent=1) + "\n")
    if not tested.is_file():
        probe = Probe.of_split(dense, dataset, "test")
        lost = {
            number: _lost_on_test(model, probe, card, dataset) for number, model in models.items()
        }
        document = {"steps": lost, "provenance": provenance(("torch", "numpy", "wfdb"))}
        write_text(tested, json.dumps(document, indent=1) + "\n")


def _model_of(run: RunFolder, step: int) -> nn.Module:
    tensors, state = load_checkpoint(run.path / "steps" / f"{step}.ckpt")
    model = build(MODEL, {key: tuple(value) for key, value in state["widths"].items()})
    model.load_state_dict(unprefixed("model", tensors))
    return model.eval()


def _probes(dense: nn.Module, dataset: Dataset, config: TrainingConfig) -> dict[str, Probe]:
    """Return where the fidelity is measured, by name; no test record is among the windows."""
    probes = {"validation": Probe.of_split(dense, dataset, "val")}
    for name, sizes in AUGMENTED.items():
        probes[name] = Probe.of_training(dense, dataset, config, sizes or config.augmentation)
    probes["mixed"] = _mixed(dense, probes["as in training"])
    return probes


def _mixed(dense: nn.Module, of: Probe) -> Probe:
    """Return windows that are each the mean of two others: between the training patients."""
    other = np.random.default_rng(0).permutation(len(of.x))
    x = 0.5 * (of.x + of.x[other])
    decided = fidelity.decisions(predict(dense, x), of.task)
    return replace(of, x=x, dense=decided)


def _signals(
    model: nn.Module, probes: Mapping[str, Probe], card: ModelCard, dataset: Dataset
) -> dict[str, float]:
    logits = {name: predict(model, probe.x) for name, probe in probes.items()}
    val = metrics.score(logits["validation"], dataset, "val")
    signals = {
        "macro-F1, validation": card.val.macro_f1 - val.macro_f1,
        "recall of S, validation": _recall(card.val) - _recall(val),
    }
    for name, probe in probes.items():
        signals |= _lost(name, probe.compared(logits[name]))
    return signals


def _lost_on_test(
    model: nn.Module, probe: Probe, card: ModelCard, dataset: Dataset
) -> dict[str, float]:
    logits = predict(model, probe.x)
    test = metrics.score(logits, dataset, "test")
    return {
        "macro-F1 lost": card.test.macro_f1 - test.macro_f1,
        "recall of S lost": _recall(card.test) - _recall(test),
        "fidelity of S lost": 1 - (probe.compared(logits).per_class["S"].fidelity or 0.0),
    }


def _recall(scores: Scores) -> float:
    return scores.per_class["S"].recall


def _lost(place: str, found: Fidelity) -> dict[str, float]:
    """Return one minus the fidelity of S, of the worst class, of all beats, of the worst record."""
    worst = found.worst_record
    shares = {
        "S": found.per_class["S"].fidelity,
        "worst class": found.worst_class,
        "all beats": found.overall.fidelity,
        "worst record": None if worst is None else worst[1].fidelity,
    }
    return {
        f"fidelity, {place}, {name}": 1 - value
        for name, value in shares.items()
        if value is not None
    }


def correlations(rows: Sequence[Mapping[str, Any]], loss: str) -> list[dict[str, Any]]:
    """Return the rank correlation of every signal with a loss, the highest first.

    The interval is that of a bootstrap over runs: the models of one run are not independent.

    Args:
        rows: The models.
        loss: A key of their ``test``.
    """
    runs = sorted({row["run"] for row in rows})
    members = np.array([runs.index(row["run"]) for row in rows])
    measured = np.array([row["test"][loss] for row in rows])
    found: list[dict[str, Any]] = []
    for name in rows[0]["signals"]:
        signal = np.array([row["signals"][name] for row in rows])
        rho = spearman(signal, measured)
        found.append({"signal": name, "rho": rho, "ci95": _interval(signal, measured, members)})
    return sorted(found, key=lambda each: -(each["rho"] or -1.0))


def _interval(
    signal: NDArray[np.float64], measured: NDArray[np.float64], members: NDArray[np.int64]
) -> tuple[float, float] | None:
    groups = int(members.max()) + 1
    if groups < 3:
        return None
    points = np.arange(len(signal))
    values: list[float] = []
    for drawn in bootstrap.draw_counts(groups):
        chosen = np.repeat(points, drawn[members])
        value = spearman(signal[chosen], measured[chosen])
        if value is not None:
            values.append(value)
    return bootstrap.interval(np.asarray(values))


def losses(rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return what each variant loses at each budget: mean and deviation over its seeds.

    The model nearest to a budget on a logarithmic scale stands for it.
    """
    found: list[dict[str, Any]] = []
    for variant in VARIANTS:
        runs = [folder(variant, seed).name for seed in SEEDS]
        of_runs = [[row for row in rows if row["run"] == run] for run in runs]
        held = [of_run for of_run in of_runs if of_run]
        for budget in SHOWN if held else ():
            nearest = [
                min(of_run, key=lambda row: abs(np.log(row["proxy"] / budget))) for of_run in held
            ]
            entry: dict[str, Any] = {
                "variant": variant,
                "budget": budget,
                "proxy": statistics.fmean(row["proxy"] for row in nearest),
                "seeds": len(nearest),
            }
            for loss in nearest[0]["test"]:
                values = [row["test"][loss] for row in nearest]
                entry[loss] = {
                    "mean": statistics.fmean(values),
                    "std": statistics.stdev(values) if len(values) > 1 else None,
                }
            entry["signals"] = {
                name: statistics.fmean(row["signals"][name] for row in nearest)
                for name in nearest[0]["signals"]
            }
            found.append(entry)
    return found


def draw(document: Mapping[str, Any], path: Path) -> None:
    """Draw the best signal and today's against the loss of recall of S."""
    import matplotlib

    matplotlib.use("agg")
    import matplotlib.pyplot as plt

    rows, ranked = document["models"], document["correlations"]["recall of S lost"]
    shown = [ranked[0], next(e for e in ranked if e["signal"] == "macro-F1, validation")]
    figure, panels = plt.subplots(1, 2, figsize=(9.0, 4.0), sharey=True, layout="constrained")
    for axes, entry in zip(panels, shown, strict=True):
        name = entry["signal"]
        for seed in sorted({row["seed"] for row in rows}):
            of_seed = [row for row in rows if row["seed"] == seed]
            axes.scatter(
                [row["signals"][name] for row in of_seed],
                [row["test"]["recall of S lost"] for row in of_seed],
                s=14,
                label=f"seed {seed}",
            )
        axes.set_xlabel(f"lost on DS1: {name}")
        axes.set_title(f"rank correlation {entry['rho']:.2f}")
        axes.grid(color="#dddddd")
        axes.set_axisbelow(True)
    panels[0].set_ylabel("recall of S lost on DS2")
    panels[1].legend(frameon=False)
    figure.savefig(path, dpi=120, metadata={"Software": None})
    plt.close(figure)


def _rows(run: RunFolder, seed: int) -> list[dict[str, Any]]:
    """Return the models of a run; none where it is not scored yet."""
    tested, signalled = (run.path / f"{what}_of_steps.json" for what in ("test", "signals"))
    if not (tested.is_file() and signalled.is_file()):
        return []
    log = json.loads(run.compression_log.read_text())
    test = json.loads(tested.read_text())["steps"]
    signals = json.loads(signalled.read_text())
    return [
        {
            "run": run.name,
            "seed": seed,
            "step": step["step"],
            "proxy": step["proxy_executed"],
            "signals": signals[str(step["step"])],
            "test": test[str(step["step"])],
        }
        for step in log["steps"]
    ]


def _provenance(run: RunFolder) -> dict[str, Any]:
    """Return what scored the models of a run on the test records."""
    return json.loads((run.path / "test_of_steps.json").read_text())["provenance"]


def gathered() -> dict[str, Any]:
    """Return the document: every model, the rank correlations, the losses by variant."""
    rows = [row for v in VARIANTS for seed in SEEDS for row in _rows(folder(v, seed), seed)]
    computed = [v for v in VARIANTS for seed in SEEDS if _rows(folder(v, seed), seed)]
    runs = dict.fromkeys(row["run"] for row in rows)
    kinds = ("recall of S lost", "macro-F1 lost", "fidelity of S lost")
    return {
        "title": "Signals on DS1 and losses on DS2",
        "model": MODEL,
        "options": {name: dict(VARIANTS[name]) for name in dict.fromkeys(computed)},
        "provenance": {name: _provenance(RunFolder(RUNS / name)) for name in runs},
        "models": rows,
        "correlations": {kind: correlations(rows, kind) for kind in kinds},
        "losses": losses(rows),
    }


def main() -> None:
    """Compute what is missing, and write the result."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--only", default=",".join(VARIANTS), help="variants, comma-separated")
    parser.add_argument("--seeds", default=",".join(map(str, SEEDS)), help="comma-separated")
    parser.add_argument("--score", action="store_true", help="score finished runs, start none")
    arguments = parser.parse_args()
    for seed in map(int, arguments.seeds.split(",")):
        for variant in arguments.only.split(","):
            if not arguments.score:
                compute(variant, seed)
            if folder(variant, seed).finished:
                score(folder(variant, seed))
    document = gathered()
    write_text(RESULT, json.dumps(document, indent=1) + "\n")
    draw(document, FIGURE)


if __name__ == "__main__":
    main()
