"""Write every published table from ``results/*.json``: ``RESULTS.md``, the README and ``docs/``.

::

    python benchmarks/tables.py
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import compression_markdown as compressed
import detection_markdown
import instructions_markdown
import meters_markdown
from summary import TABLES as COMPRESSION

from edgeecg.files import write_text

ROOT = Path(__file__).resolve().parents[1]
SEEDS = "seeds 0, 1, 2, mean ± standard deviation"
NAMES = {
    ("baseline", "tflite"): "dense baseline, float32",
    ("compressed", "tflite"): "compressed, float32",
    ("compressed", "tflite-int8"): "compressed, int8",
}


def plus_minus(value: dict[str, float], digits: int, scale: float = 1.0) -> str:
    """Return ``mean ± deviation``."""
    return f"{value['mean'] * scale:.{digits}f} ± {value['std'] * scale:.{digits}f}"


def whole_path(document: dict[str, Any]) -> str:
    """Return the Markdown table of ``whole_path.json``."""
    lines = [
        "| file | kB | accuracy | macro-F1 | recall N / S / V | proxy ideal | proxy executed "
        "| p50 latency |",
        "|---|--:|--:|--:|--:|--:|--:|--:|",
    ]
    for row in document["summary"]:
        recall = " / ".join(f"{row['recall'][name]['mean']:.3f}" for name in ("N", "S", "V"))
        lines.append(
            f"| {NAMES[row['role'], row['target']]} "
            f"| {row['size_bytes']['mean'] / 1000:.0f} "
            f"| {plus_minus(row['accuracy'], 3)} "
            f"| {plus_minus(row['macro_f1'], 3)} "
            f"| {recall} "
            f"| {row['proxy_ideal']['mean']:.3f} × "
            f"| {row['proxy_executed']['mean']:.3f} × "
            f"| {row['latency_ratio']['mean']:.3f} × |"
        )
    seeds = document["seeds"]
    low, high = seeds[0]["files"][0]["macro_f1_ci95"]
    spans = f"{low:.2f} to {high:.2f}"
    energy = seeds[0]["files"][0]["energy"]
    lines += [
        "",
        f"`{document['model']}` on MIT-BIH, {document['split']}; seeds "
        f"{', '.join(str(seed['seed']) for seed in seeds)}, mean ± standard deviation; scores of "
        "the exported files on DS2. Records 201 (validation) and 202 (test) are one patient; F and "
        "Q beats are left out; R peaks come from the annotations. × is relative to the baseline's "
        "file. Latency: LiteRT, one thread, batch 1, all files in one `bench` call. Macro-F1 "
        "lost by compression (negative: gained), float32 beside float32: "
        f"{plus_minus(document['macro_f1_lost_by_compression'], 3)}; one seed's 95 % interval over "
        f"patients is {spans}, and differences inside it are ties.",
        "",
        f"Energy: {energy['tier']}. {energy['reason'] or ''}".rstrip(),
        "",
        f"Machine: {document['machine']}. Revision {document['git_revision']}. "
        + ", ".join(f"{name} {number}" for name, number in document["versions"].items())
        + ".",
    ]
    return "\n".join(lines)


def made_by(document: dict[str, Any], revisions: set[str]) -> str:
    """Return the sentence on machine, revision and versions."""
    packages = ", ".join(f"{name} {number}" for name, number in document["versions"].items())
    shown = ", ".join(sorted(revisions))
    return f"Machine: {document['machine']}. Revision {shown}. {packages}."


def beat_models(document: dict[str, Any]) -> str:
    """Return the Markdown table of the MIT-BIH models of ``baselines.json``."""
    rows = [row for row in document["models"] if row["dataset"] == "mitdb"]
    lines = [
        "| model | parameters | MACs | accuracy | macro-F1 | S: Se / +P | V: Se / +P "
        "| S Se without 232 |",
        "|---|--:|--:|--:|--:|--:|--:|--:|",
    ]
    for row in rows:
        per_class = row["per_class"]
        pairs = [
            f"{per_class[c]['recall']['mean']:.2f} / {per_class[c]['precision']['mean']:.2f}"
            for c in ("S", "V")
        ]
        lines.append(
            f"| `{row['model']}` | {row['parameters']:,} | {row['macs']:,} "
            f"| {plus_minus(row['accuracy'], 3)} | {plus_minus(row['macro_f1'], 3)} "
            f"| {pairs[0]} | {pairs[1]} | {plus_minus(row['s_recall_without_232'], 2)} |"
        )
    spans = [row["seeds"][0]["test"]["macro_f1_ci95"] for row in rows]
    wide = max(spans, key=lambda span: span[1] - span[0])
    return "\n".join(
        [
            *lines,
            "",
            f"MIT-BIH DS2 ({rows[0]['n']:,} beats), inter-patient, class map {rows[0]['split']}; "
            f"{SEEDS}. {' '.join(rows[0]['notes'])} F and Q beats are left out here; "
            "`edgeecg evaluate MODEL` gives the EC57 figures, which count them. 95 % intervals "
            f"over patients are wide (one seed's macro-F1: {wide[0]:.2f} to {wide[1]:.2f}); "
            "differences inside them are ties.",
            "",
            made_by(document, {s["git_revision"] for row in rows for s in row["seeds"]}),
        ]
    )


def record_models(
    document: dict[str, Any], random: dict[str, Any], averaged: dict[str, Any]
) -> str:
    """Return the Markdown table of the PTB-XL models, the random encoder and all averaged."""
    rows = [row for row in document["models"] if row["dataset"] == "ptbxl"]
    lines = [
        "| model | parameters | MACs | macro AUROC | macro AUPRC | macro-F1 at 0.50 "
        "| at thresholds of fold 9 |",
        "|---|--:|--:|--:|--:|--:|--:|",
    ]
    what = ("macro_auroc", "macro_auprc", "macro_f1", "macro_f1_at_threshold")
    for row in rows:
        scores = " | ".join(plus_minus(row[name], 3) for name in what)
        lines.append(f"| `{row['model']}` | {row['parameters']:,} | {row['macs']:,} | {scores} |")
    scores = " | ".join(plus_minus(random[name], 3) for name in what)
    lines.append(f"| random convolutions, linear head | - | - | {scores} |")
    scores = " | ".join(f"{averaged['test'][name]:.3f}" for name in what)
    lines.append(f"| both models and three of these, averaged | - | - | {scores} |")
    intervals = "; ".join(
        f"`{row['model']}` AUROC {low[0]:.3f} to {low[1]:.3f}, AUPRC {mid[0]:.3f} to {mid[1]:.3f}, "
        f"F1 {top[0]:.3f} to {top[1]:.3f}"
        for row in rows
        for low, mid, top in [
            tuple(
                row["seeds"][0]["test"][f"{name}_ci95"]
                for name in ("macro_auroc", "macro_auprc", "macro_f1")
            )
        ]
    )
    low, high = averaged["test"]["macro_auroc_ci95"]
    by_class = ", ".join(
        f"{name} {found['auroc']:.3f} ({averaged['val']['per_class'][name]['auroc']:.3f})"
        for name, found in averaged["test"]["per_class"].items()
    )
    return "\n".join(
        [
            *lines,
            "",
            f"PTB-XL, fold 10 ({rows[0]['n']} records), five superclasses, 100 Hz; {SEEDS}. "
            f"{' '.join(rows[0]['notes'])} Averaged: probabilities of the package's weights and "
            f"of three random encoders, once. 95 % intervals over patients, seed 0: {intervals}; "
            f"averaged, AUROC {low:.3f} to {high:.3f}. Differences inside them are ties. Averaged, "
            f"AUROC by class on fold 10, and in brackets on fold 9: {by_class}.",
            "",
            made_by(
                document,
                {s["git_revision"] for row in rows for s in row["seeds"]}
                | {random["git_revision"], averaged["git_revision"]},
            ),
        ]
    )


def windows(document: dict[str, Any]) -> str:
    """Return the Markdown table of ``window_choice.json``."""
    lines = [
        "| window | macro-F1, mean of groups | pooled | F1 N / S / V, pooled |",
        "|---|--:|--:|--:|",
    ]
    for row in document["rows"]:
        each = " / ".join(f"{value:.3f}" for value in row["f1_pooled"].values())
        groups = {"mean": row["macro_f1_mean_of_groups"], "std": row["macro_f1_std_of_groups"]}
        lines.append(
            f"| {row['window']} | {plus_minus(groups, 3)} | {row['macro_f1_pooled']:.3f} | {each} |"
        )
    return "\n".join(
        [
            *lines,
            "",
            f"{document['title']}: five groups of patients left out in turn (± over groups), "
            "3 epochs of 5,000 windows. DS2 was never looked at.",
            "",
            made_by(document, {row["git_revision"] for row in document["rows"]}),
        ]
    )


def noisy(document: dict[str, Any]) -> str:
    """Return the Markdown table of ``robustness.json``."""
    rows = document["rows"]
    levels = list(dict.fromkeys(row["snr_db"] for row in rows))
    heads = ["clean" if level is None else f"{level} dB" for level in levels]
    lines = [
        f"| noise | model | {' | '.join(heads)} |",
        "|---|---|" + "--:|" * len(levels),
    ]
    kinds = {"ma": "muscle artefact", "bw": "baseline wander"}
    for kind, title in kinds.items():
        for model in dict.fromkeys(row["model"] for row in rows):
            found = {
                row["snr_db"]: row["macro_f1"]
                for row in rows
                if row["model"] == model and row["noise"] == kind
            }
            scores = " | ".join(f"{found[level]:.3f}" for level in levels)
            lines.append(f"| {title} | `{model}` | {scores} |")
    return "\n".join(
        [
            *lines,
            "",
            f"Macro-F1 of the shipped weights. {document['title']}; signal-to-noise ratio as "
            "PhysioNet's `nst` defines it, noise from halves of the records that training never "
            "sees. R peaks come from the annotations: a detector would also suffer.",
            "",
            made_by(document, {document["git_revision"]}),
        ]
    )


def detectors(document: dict[str, Any]) -> str:
    """Return the Markdown table of the detectors in ``detection.json``."""
    made = made_by(document, {document["git_revision"]})
    return f"{detection_markdown.detectors(document)}\n\n{made}"


def end_to_end(document: dict[str, Any]) -> str:
    """Return the Markdown table of the classes in ``detection.json``."""
    made = made_by(document, {document["git_revision"]})
    return f"{detection_markdown.end_to_end(document)}\n\n{made}"


def preparation(document: dict[str, Any]) -> str:
    """Return the sentences on ``prepare_ptbxl.json``."""
    stages = document["stages"]
    load, cached, epoch = stages["from_records"], stages["from_cache"], stages["epoch"]
    return "\n".join(
        [
            f"{stages['generate']['records']:,} records ({document['data']}): prepared from the "
            f"files in {load['seconds']:.0f} s, opened from the cache in {cached['seconds']:.1f} "
            f"s. Every training window read once in random batches, and {epoch['training_steps']} "
            f"steps of `resnet1d_se_attn`: {epoch['peak_resident_bytes'] / 2**30:.2f} GiB of "
            "resident memory at the peak, mapped pages included.",
            "",
            made_by(document, {document["git_revision"]}),
        ]
    )


def beats_prepared(document: dict[str, Any]) -> str:
    """Return the sentences on ``prepare_mitdb.json``."""
    first, again = (document["stages"][name] for name in ("from_records", "from_cache"))
    return "\n".join(
        [
            f"{sum(first['windows'].values()):,} windows of MIT-BIH's 44 records without paced "
            f"beats, prepared from the files in {first['seconds']:.1f} s and opened from the "
            f"cache in {again['seconds']:.2f} s.",
            "",
            made_by(document, {document["git_revision"]}),
        ]
    )


def measured_costs(document: dict[str, Any]) -> str:
    """Return the Markdown table of ``measured_costs.json``."""
    rows = document["rows"]
    lines = [
        "| model | asked for | MACs | predicted latency | measured latency |",
        "|---|---|--:|--:|--:|",
    ]
    for row in rows:
        lines.append(
            f"| `{row['model']}` | `{row['budget']}` | {row['macs']:.3f} × "
            f"| {row['predicted']:.3f} × | {row['measured']:.3f} × |"
        )
    first = rows[0]
    emulator = " These are an emulator's times." if any(row["emulated"] for row in rows) else ""
    return "\n".join(
        [
            *lines,
            "",
            "× is relative to the dense model. Predicted from the dense file's seconds per layer; "
            "measured: median, the cut files and the dense one in one `bench` call on "
            f"{first['device']}, {first['runtime']}, {first['threads']} thread, batch 1. The "
            f"package's weights, cut in one step, not fine-tuned.{emulator}",
            "",
            made_by(document, {document["git_revision"]}),
        ]
    )


TABLES: dict[str, tuple[str, tuple[str, ...], Callable[..., str]]] = {
    "beat_models": ("Four models on MIT-BIH", ("baselines",), beat_models),
    "record_models": (
        "Two models on a part of PTB-XL",
        ("baselines", "random_encoder", "averaged"),
        record_models,
    ),
    "whole_path": ("The whole path, once", ("whole_path",), whole_path),
    "table_iv": ("Table IV: L1 pruning", ("table_iv",), compressed.table_iv),
    "table_v": ("Table V: resnet1d_attn to 40 %", ("table_v",), compressed.table_v),
    "table_vi": ("Table VI: conv_transformer to 40 %", ("table_vi",), compressed.table_vi),
    "table_viii": ("Table VIII: ablation", ("table_viii",), compressed.table_viii),
    "structured": ("Smaller models", ("structured",), compressed.structured),
    "methods": ("What decides, at the same proxy", ("methods",), compressed.methods),
    "torch_pruning_compared": (
        "Beside torch-pruning",
        ("torch_pruning_compared",),
        compressed.torch_pruning_compared,
    ),
    "time_taken": ("How long the compression tables take", COMPRESSION, compressed.time_taken),
    "instructions": (
        "Instructions on emulated cores",
        ("instructions.jsonl",),
        instructions_markdown.table,
    ),
    "simulated_meters": (
        "The 95 % interval of the energy, on simulated meters",
        ("simulated_meters.jsonl",),
        meters_markdown.scenarios,
    ),
    "meter_limits": (
        "What each meter resolves, simulated",
        ("meter_limits.jsonl",),
        meters_markdown.limits,
    ),
    "measured_costs": ("Latency, predicted and measured", ("measured_costs",), measured_costs),
    "windows": ("Which window", ("window_choice",), windows),
    "noisy": ("Noise", ("robustness",), noisy),
    "detectors": ("QRS detection", ("detection",), detectors),
    "end_to_end": ("Classes of detected beats", ("detection",), end_to_end),
    "beats_prepared": ("MIT-BIH from the files", ("prepare_mitdb",), beats_prepared),
    "preparation": ("A full-size PTB-XL folder", ("prepare_ptbxl",), preparation),
}
"""By marker in a page: title in ``RESULTS.md``, result files, and what makes the table of them."""

EXCERPTS: dict[str, tuple[tuple[str, ...], Callable[..., str]]] = {
    "gained": (("structured",), compressed.gained),
    "meter_limits_in_short": (("meter_limits.jsonl",), meters_markdown.limits_in_short),
}
"""By marker in a page: shortened tables, which are not in ``RESULTS.md``."""

_HEAD = """\
# Results

Generated by `python benchmarks/tables.py` from `results/*.json`.

The *reference study* is the unnamed document that this project started from. It prunes the same
six models with an energy proxy that counts weights that are zero as free. Its Table IV has L1
pruning of all models, Tables V and VI the energy-aware pruning of `resnet1d_attn` and
`conv_transformer` in five steps, Table VIII an ablation. The tables of these names below repeat its
experiments, with its figures in the last column. Its PTB-XL figures are of all 21,799 records, ours
of 2,980.

"""

PAGES = ("README.md", "docs/meters.md", "docs/models.md")
"""Pages with generated tables: ``<!-- MARKER -->``, the table, ``<!-- end -->``."""


def generated(results: Path, pages: Mapping[str, str]) -> tuple[str, dict[str, str]]:
    """Return ``RESULTS.md`` and the pages with their tables, from the results that are there.

    Args:
        results: Folder of the JSON files.
        pages: Pages as they are; the text between their markers is replaced.
    """
    body: list[str] = []
    tables: dict[str, str] = {}
    for marker, (title, names, table_of) in TABLES.items():
        table = _table(results, names, table_of)
        if table is not None:
            tables[marker] = table
            body.append(f"## {title}\n\n{table}")
    for marker, (names, table_of) in EXCERPTS.items():
        table = _table(results, names, table_of)
        if table is not None:
            tables[marker] = table
    return _HEAD + "\n\n".join(body) + "\n", {
        name: _with_tables(text, tables) for name, text in pages.items()
    }


def _table(results: Path, names: tuple[str, ...], table_of: Callable[..., str]) -> str | None:
    """Return a table, or None when one of its result files is not there."""
    paths = [results / (name if "." in name else f"{name}.json") for name in names]
    return table_of(*map(_read, paths)) if all(path.is_file() for path in paths) else None


def _with_tables(text: str, tables: Mapping[str, str]) -> str:
    """Return a page with its tables between their markers."""
    for marker, table in tables.items():
        marked = re.compile(rf"(<!-- {marker} -->\n).*?(<!-- end -->)", re.DOTALL)
        text = marked.sub(lambda m, table=table: f"{m[1]}{table}\n{m[2]}", text)
    return text


def _read(path: Path) -> Any:
    """Return the document in a ``.json`` file, or the rows in a ``.jsonl`` file."""
    text = path.read_text(encoding="utf-8")
    if path.suffix == ".jsonl":
        return [json.loads(line) for line in text.splitlines()]
    return json.loads(text)


def main() -> None:
    """Write ``RESULTS.md`` and the tables of the pages."""
    pages = {name: (ROOT / name).read_text(encoding="utf-8") for name in PAGES}
    results, pages = generated(ROOT / "benchmarks" / "results", pages)
    write_text(ROOT / "benchmarks" / "RESULTS.md", results)
    for name, text in pages.items():
        write_text(ROOT / name, text)


if __name__ == "__main__":
    main()
