"""The compression tables as Markdown, the reference study's figures beside ours.

``tables.py`` calls them.
"""

from __future__ import annotations

from typing import Any

Row = dict[str, Any]
Document = dict[str, Any]

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
_NAMES = {"macro_f1": "macro-F1", "macro_auroc": "AUROC"}


def _spread(row: Row, what: str = "score") -> str:
    """Return mean ± deviation."""
    if what == "score":
        return f"{row['score_mean']:.3f} ± {row['score_std']:.3f}"
    return f"{row[what]['mean']:.3f} ± {row[what]['std']:.3f}"


def _lost(row: Row) -> str:
    return f"{row['lost']['mean']:+.3f} ± {row['lost']['std']:.3f}"


def _without_232(row: Row) -> str:
    lost = row["lost_without_232"]
    return "-" if lost is None else f"{lost['mean']:+.3f} ± {lost['std']:.3f}"


def _ratio(value: float | None) -> str:
    return "not measured" if value is None else f"{value:.3f} ×"


def _table(head: str, rows: list[str], notes: str, document: Document) -> str:
    """Return a table, what has to be known of it, and its provenance."""
    first, *others = head.split(" | ")
    rule = "|".join(["", "---", *["--:"] * len(others), ""])
    revisions = sorted({each for row in document["rows"] for each in row["git_revisions"]})
    packages = ", ".join(f"{name} {number}" for name, number in document["versions"].items())
    missing = ", ".join(document["missing"])
    return "\n".join(
        [
            f"| {first} | {' | '.join(others)} |",
            rule,
            *rows,
            "",
            f"{notes} Seeds 0, 1, 2, mean ± standard deviation. × is relative to the dense model. "
            "MIT-BIH: DS2, inter-patient; each seed starts from its own dense model. PTB-XL: fold "
            "10 of a part of 2,980 records; all seeds start from the package's weights."
            + (f" Still to be run: {missing}." if missing else ""),
            "",
            f"Machine: {document['machine']}. Revision {', '.join(revisions)}. {packages}.",
        ]
    )


def table_iv(document: Document) -> str:
    """Return L1 pruning of all six models."""
    rows = [
        f"| `{row['model']}` | {row['parameters_before'] / 1000:.1f} k "
        f"| {row['parameters_nonzero'] / 1000:.1f} k | {row['sparsity']:.1%} "
        f"| {_NAMES[row['score']]} {row['baseline_mean']:.3f} | {_spread(row)} | {_lost(row)} "
        f"| {REFERENCE_IV[row['model']]} |"
        for row in document["rows"]
    ]
    head = (
        "model | parameters | not zero | sparsity | dense | pruned | lost "
        "| reference study: sparsity, score"
    )
    notes = "Single weights zeroed by magnitude, five steps, distilled."
    return _table(head, rows, notes, document)


def table_v(document: Document) -> str:
    """Return ``resnet1d_attn`` step by step."""
    rows = [
        f"| {row['label']}, step {row['step']} | {row['sparsity']:.1%} "
        f"| {_spread(row, 'accuracy')} | {_spread(row)} | {row['recall']['S']:.3f} "
        f"| {row['proxy_ideal']:.3f} × | {row['proxy_executed']:.3f} × "
        f"| {REFERENCE_V[row['step'] - 1]} |"
        for row in document["rows"]
    ]
    head = (
        "removed | sparsity | accuracy | macro-F1 | recall S | proxy ideal | proxy executed "
        "| reference study: accuracy / macro-F1"
    )
    dense = document["rows"][0]["baseline_mean"] if rows else float("nan")
    notes = f"The dense model's macro-F1 is {dense:.3f}. Energy-aware, distilled, 8 % a step."
    table = _table(head, rows, notes, document)
    return f"{table}\n\n![Training loss of every epoch of fine-tuning](results/loss_curves.png)"


def table_vi(document: Document) -> str:
    """Return ``conv_transformer`` step by step."""
    rows = [
        f"| {row['step']} | {row['sparsity']:.1%} | {_spread(row)} | {_spread(row, 'macro_f1')} "
        f"| {row['proxy_ideal']:.3f} × | {row['proxy_executed']:.3f} × "
        f"| {REFERENCE_VI[row['step'] - 1]} |"
        for row in document["rows"]
    ]
    head = (
        "step | sparsity | AUROC | macro-F1 | proxy ideal | proxy executed "
        "| reference study: AUROC / macro-F1"
    )
    dense = document["rows"][0]["baseline_mean"] if rows else float("nan")
    notes = f"The dense model's AUROC is {dense:.3f}. Single weights, energy-aware, distilled."
    return _table(head, rows, notes, document)


def table_viii(document: Document) -> str:
    """Return the ablation."""
    rows = [
        f"| {row['label']} | {_NAMES[row['score']]} {row['baseline_mean']:.3f} | {_spread(row)} "
        f"| {_lost(row)} | {row['proxy_ideal']:.3f} × | {row['proxy_executed']:.3f} × "
        f"| {REFERENCE_VIII.get(row['label'], '-')} |"
        for row in document["rows"]
    ]
    head = (
        "method | dense | compressed | lost | proxy ideal | proxy executed "
        "| reference study: score at proxy"
    )
    notes = (
        "Single weights unless channels or blocks are named. Its proxy counts zeros as "
        "free, as our ideal one does. int8: score of the exported file. Single weights of "
        "`conv_transformer`: the reference study's two rows only."
    )
    return _table(head, rows, notes, document)


def structured(document: Document) -> str:
    """Return the smaller models: scores, bytes, time."""
    rows = [
        f"| {row['label']} | {row['macs_ratio']:.3f} × | {row['proxy_executed']:.3f} × "
        f"| {_ratio(row['bytes_ratio'])} | {_ratio(row['latency_ratio'])} "
        f"| {_NAMES[row['score']]} {row['baseline_mean']:.3f} | {_spread(row)} | {_lost(row)} "
        f"| {_without_232(row)} |"
        for row in document["rows"]
    ]
    head = (
        "model | MACs | proxy executed | file | p50 measured | dense | compressed | lost "
        "| lost without 232"
    )
    notes = (
        "Whole channels, LSTM units, heads and (PTB-XL) blocks removed under a budget, "
        "energy-aware, distilled. File and p50 (LiteRT, one thread, batch 1, both files in one "
        "bench call) are relative to the dense float32 file. int8: trained for it in the same run "
        "(`--quantize qat`), score of the exported file. Lost: negative is a gain; without 232: "
        f"what macro-F1 on all other records of DS2 lost.{_in_words(document)}"
    )
    return _table(head, rows, notes, document)


def _in_words(document: Document) -> str:
    """Return ours beside what the reference study says of ResNet1D in its summary."""
    found = [row for row in document["rows"] if row["label"] == "resnet1d_attn"]
    return "".join(
        " The reference study says of ResNet1D: about 75 % fewer FLOPs and about 86 % less energy "
        f"proxy. Here `resnet1d_attn` has {100 * (1 - row['macs_ratio']):.0f} % fewer and "
        f"{100 * (1 - row['proxy_executed']):.0f} % less, both executed."
        for row in found
    )


def gained(document: Document) -> str:
    """Return the smaller models in short, for the README."""
    rows = [
        f"| `{row['model']}`{row['label'].removeprefix(row['model'])} | {row['macs_ratio']:.2f} × "
        f"| {row['bytes_ratio']:.2f} × | {row['latency_ratio']:.2f} × "
        f"| {_NAMES[row['score']]} {row['baseline_mean']:.3f} | {_spread(row)} |"
        for row in document["rows"]
        if row["bytes_ratio"] is not None and row["latency_ratio"] is not None
    ]
    head = "model | MACs | file | p50, measured | dense | compressed"
    first, *others = head.split(" | ")
    return "\n".join(
        [
            f"| {first} | {' | '.join(others)} |",
            "|".join(["", "---", *["--:"] * len(others), ""]),
            *rows,
            "",
            "× is relative to the dense float32 model; p50: LiteRT, one thread, batch 1, both "
            "files in one `bench` call on x86-64. Scores on test patients, three seeds, mean ± "
            "standard deviation.",
        ]
    )


def methods(document: Document) -> str:
    """Return energy-aware beside L1 and random, a line for each model."""
    found = {(row["model"], row["method"]): row for row in document["rows"]}
    rows: list[str] = []
    won = 0
    models = dict.fromkeys(row["model"] for row in document["rows"])
    whole = [m for m in models if all((m, way) in found for way in ("energy", "l1", "random"))]
    for model in whole:
        energy, l1, random = (found[model, way] for way in ("energy", "l1", "random"))
        won += energy["score_mean"] > max(l1["score_mean"], random["score_mean"])
        rows.append(
            f"| `{model}` | {_NAMES[energy['score']]} {energy['baseline_mean']:.3f} "
            + "".join(f"| {_spread(r)} at {r['proxy_executed']:.3f} " for r in (energy, l1, random))
            + "|"
        )
    head = "model | dense | energy-aware | L1 | random"
    notes = (
        f"Score at executed proxy, same budget, same fine-tuning. Energy-aware has the highest "
        f"mean for {won} of {len(whole)} models; differences within a deviation are ties."
    )
    return _table(head, rows, notes, document)


def torch_pruning_compared(document: Document) -> str:
    """Return edgeecg beside torch-pruning's magnitude pruner."""
    rows = [
        f"| {row['label']} | {row['macs_ratio']:.3f} × "
        f"| {row['parameters_nonzero'] / 1000:.1f} k | {row['baseline_mean']:.3f} "
        f"| {_spread(row)} | {_lost(row)} |"
        for row in document["rows"]
    ]
    head = "pruner | MACs | parameters | dense macro-F1 | compressed | lost"
    notes = (
        "Same dense models, budget of MACs (0.15), steps, fine-tuning and seeds; only the choice "
        "of what is removed differs. torch-pruning leaves the last stage of `resnet1d_attn` whole. "
        "Differences within a deviation are ties."
    )
    return _table(head, rows, notes, document)


def time_taken(*documents: Document) -> str:
    """Return how long the runs of all tables took; runs that tables share count once."""
    rows = {row["cell"]: row for document in documents for row in document["rows"]}
    hours = sum(row["seconds"] * len(row["seeds"]) for row in rows.values()) / 3600
    shares = [row["pruning_seconds"] / row["seconds"] for row in rows.values()]
    runs = sum(len(row["seeds"]) for row in rows.values())
    return (
        f"The {runs} runs of these tables took {hours:.1f} hours of one core to prune and "
        "fine-tune, most of them two at a time, one on each core. Importance and surgery were at "
        f"most {max(shares):.1%} of that (mean of the seeds of a row). Training the dense models, "
        "scoring, export and timing are not in these figures.\n\n"
        f"Machine: {documents[0]['machine']}. Revisions and versions: at each table."
    )
