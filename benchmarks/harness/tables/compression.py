"""The compression tables, the reference study's figures beside ours."""

from __future__ import annotations

from ..aggregate import table_rows, table_rows_of_steps
from ..results import Results
from ..rows import Row
from ..statistics_of_seeds import plus_minus
from . import sentences
from .markdown import NAMES, dense, lost, rarest, score, table, without_232
from .options import differing

REFERENCE_IV = {
    "cnn1d": "79.5 %, 0.610",
    "bilstm": "79.4 %, 0.45",
    "cnn_lstm_attn": "47.6 %, 0.638",
    "resnet1d_attn": "79.4 %, 0.656",
    "resnet1d_se_attn": "47.8 %, 0.874",
    "conv_transformer": "31.2 %, 0.890",
}
REFERENCE_V = ("0.915 / 0.671", "0.920 / 0.650", "0.917 / 0.648", "0.904 / 0.637", "0.860 / 0.543")
REFERENCE_VI = ("0.906 / 0.700", "0.894 / 0.690", "0.887 / 0.688", "0.885 / 0.682", "0.884 / 0.685")
REFERENCE_VIII = {
    "resnet1d_attn: L1, distilled": "0.648 at 0.49",
    "resnet1d_attn: energy-aware, distilled": "0.626 at 0.39",
    "conv_transformer: L1, distilled": "0.885 at 0.99",
    "conv_transformer: energy-aware, distilled": "0.884 at 0.99",
}

RARE_CLASS = (
    "Rare class: recall of S of the dense models, and what each lost; for PTB-XL the AUROC of the "
    "class that lost most."
)


def table_iv(results: Results) -> str:
    """Return L1 pruning of all six models."""
    rows = table_rows("table_iv", results)
    lines = [
        f"| `{row['model']}` | {row['parameters_before'] / 1000:.1f} k "
        f"| {row['parameters_nonzero'] / 1000:.1f} k | {row['sparsity']:.1%} "
        f"| {NAMES[row['score']]} {dense(row)} | {score(row)} | {lost(row)} "
        f"| {rarest(row)} | {options} | {REFERENCE_IV[row['model']]} |"
        for row, options in zip(rows, differing(rows), strict=True)
    ]
    head = (
        "model | parameters | not zero | sparsity | dense | pruned | lost | rare class "
        "| options | reference study: sparsity, score"
    )
    notes = f"Single weights zeroed by magnitude, five steps, distilled. {RARE_CLASS}"
    return table(head, lines, notes, rows, results)


def table_v(results: Results) -> str:
    """Return ``resnet1d_attn`` step by step."""
    rows = table_rows_of_steps("table_v", results)
    lines = [
        f"| {row['label']}, step {row['step']} | {row['sparsity']:.1%} "
        f"| {plus_minus(row['accuracy'])} | {score(row)} | {row['recall']['S']:.3f} "
        f"| {row['proxy_ideal']:.3f} × | {row['proxy_executed']:.3f} × "
        f"| {REFERENCE_V[row['step'] - 1]} |"
        for row in rows
    ]
    head = (
        "removed | sparsity | accuracy | macro-F1 | recall S | proxy ideal | proxy executed "
        "| reference study: accuracy / macro-F1"
    )
    notes = (
        f"{_dense(rows, 'macro-F1')} Energy-aware, distilled, 8 % a step. Every step is scored on "
        "the test records; no decision was taken on these scores."
    )
    made = table(head, lines, notes, rows, results)
    return f"{made}\n\n![Training loss of every epoch of fine-tuning](results/loss_curves.png)"


def table_vi(results: Results) -> str:
    """Return ``conv_transformer`` step by step."""
    rows = table_rows_of_steps("table_vi", results)
    lines = [
        f"| {row['step']} | {row['sparsity']:.1%} | {score(row)} | {plus_minus(row['macro_f1'])} "
        f"| {row['proxy_ideal']:.3f} × | {row['proxy_executed']:.3f} × "
        f"| {REFERENCE_VI[row['step'] - 1]} |"
        for row in rows
    ]
    head = (
        "step | sparsity | AUROC | macro-F1 | proxy ideal | proxy executed "
        "| reference study: AUROC / macro-F1"
    )
    notes = (
        f"{_dense(rows, 'AUROC')} Single weights, energy-aware, distilled. Every step is scored on "
        "the test records; no decision was taken on these scores."
    )
    return table(head, lines, notes, rows, results)


def _dense(rows: list[Row], name: str) -> str:
    return f"The dense model's {name} is {dense(rows[0])}." if rows else ""


def table_viii(results: Results) -> str:
    """Return the ablation."""
    rows = table_rows("table_viii", results)
    lines = [
        f"| {row['label']} | {NAMES[row['score']]} {dense(row)} | {score(row)} "
        f"| {lost(row)} | {rarest(row)} | {row['proxy_ideal']:.3f} × "
        f"| {row['proxy_executed']:.3f} × | {options} | {REFERENCE_VIII.get(row['label'], '-')} |"
        for row, options in zip(rows, differing(rows), strict=True)
    ]
    head = (
        "method | dense | compressed | lost | rare class | proxy ideal | proxy executed | options "
        "| reference study: score at proxy"
    )
    notes = (
        "Single weights unless channels or blocks are named. The reference study's proxy counts "
        "zeros as free, as our ideal one does. int8: score of the exported file. Single weights of "
        "`conv_transformer`: the reference study's two rows only. Differences within a deviation "
        "are not resolved, such as that of L1 and energy-aware, both with distillation. "
        f"{RARE_CLASS}"
    )
    return table(head, lines, notes, rows, results)


def methods(results: Results) -> str:
    """Return energy-aware beside L1 and random, a line for each model."""
    rows = table_rows("methods", results)
    found = {(row["model"], row["method"]): row for row in rows}
    lines: list[str] = []
    models = sentences.compared_models(rows)
    shared = differing([found[model, "energy"] for model in models], without=["method"])
    for model, options in zip(models, shared, strict=True):
        three = [found[model, way] for way in sentences.METHODS]
        lines.append(
            f"| `{model}` | {NAMES[three[0]['score']]} {dense(three[0])} "
            + "".join(f"| {score(r)} at {r['proxy_executed']:.3f} " for r in three)
            + f"| {options} |"
        )
    head = "model | dense | energy-aware | L1 | random | options"
    notes = (
        "Score at executed proxy, under one budget; the three of a line have the same options. "
        f"{sentences.which_method_wins(rows)}"
    )
    return table(head, lines, notes, rows, results)


def torch_pruning_compared(results: Results) -> str:
    """Return edgeecg beside torch-pruning's magnitude pruner."""
    rows = table_rows("torch_pruning_compared", results)
    lines = [
        f"| {row['label']} | {row['macs_ratio']:.3f} × "
        f"| {row['parameters_nonzero'] / 1000:.1f} k | {dense(row)} "
        f"| {score(row)} | {', '.join(f'{each:.3f}' for each in row['scores'])} | {lost(row)} "
        f"| {rarest(row)} |"
        for row in rows
    ]
    head = (
        "pruner | MACs | parameters | dense macro-F1 | compressed | each seed | lost | rare class"
    )
    notes = (
        "Same dense models, budget of MACs (0.15), steps, fine-tuning and seeds; only the choice "
        "of what is removed differs. torch-pruning leaves the last stage of `resnet1d_attn` whole. "
        f"{sentences.outliers(rows)}Differences within a deviation are not resolved. {RARE_CLASS}"
    )
    return table(head, lines, notes, rows, results)


def structured(results: Results) -> str:
    """Return the smaller models: scores, bytes, time; int8 beside float32 of the same run."""
    rows = sentences.with_float32_files(table_rows("structured", results))
    lines = [
        f"| {sentences.size_and_time(row)} "
        f"| {NAMES[row['score']]} {dense(row)} | {score(row)} | {lost(row)} "
        f"| {without_232(row)} | {rarest(row)} | {options} |"
        for row, options in zip(rows, differing(rows), strict=True)
    ]
    head = (
        f"{sentences.SIZE_AND_TIME} "
        "| dense | compressed | lost | lost without 232 | rare class | options"
    )
    notes = (
        "Whole channels, LSTM units, heads and (PTB-XL) blocks removed under a budget, "
        "energy-aware, distilled. File and p50 (LiteRT, one thread, batch 1, all files of a run in "
        "one bench call) are relative to the dense float32 file; ± is over the seeds, and the raw "
        "p50 are the smallest and the largest of the seeds. int8: trained for it "
        "(`--quantize qat`); the two rows of a run are its two files, with the score of each. "
        f"{sentences.PROXY_OF_FILES}{sentences.int8_time(rows)} Lost: negative is a gain; without "
        f"232: what macro-F1 on all other records of DS2 lost. {RARE_CLASS}"
        f"{sentences.flops_of_resnet(rows)}"
    )
    return table(head, lines, notes, rows, results, timed=True)


def time_taken(*all_results: Results) -> str:
    """Return how long the runs of all tables took; runs that tables share count once."""
    made = [row for each in all_results for row in table_rows(each.experiment.name, each)]
    titles = [f"'{each.experiment.title}'" for each in all_results]
    return sentences.time_taken(made, titles)
