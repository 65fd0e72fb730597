"""The tables of QRS detectors."""

from __future__ import annotations

from statistics import mean

from ..results import Results
from ..rows import Row
from .provenance import known, made_by

REQUIREMENTS = (
    "sleepecg (BSD-3-Clause) additionally requires PyYAML, requests and tqdm; neurokit2 (MIT) "
    "requires scikit-learn, matplotlib, PyWavelets and pandas below 3."
)


def detectors(results: Results) -> str:
    """Return the Markdown table of detectors."""
    lines = [
        "| detector | R peaks | DS1: Se / +P | DS2: Se / +P | all 48: Se / +P | missed | false "
        "| offset | beyond 20 ms | CPU seconds |",
        "|---|---|--:|--:|--:|--:|--:|--:|--:|--:|",
    ]
    rows = [row for row in _newest(results) if row["what"] == "detection"]
    for title, moved in dict.fromkeys((row["detector"], row["recentred"]) for row in rows):
        by_set = {
            row["records"]: row
            for row in rows
            if (row["detector"], row["recentred"]) == (title, moved)
        }
        pairs = " | ".join(
            f"{row['sensitivity']:.2%} / {row['positive_predictivity']:.2%}"
            for row in by_set.values()
        )
        whole = by_set["all 48"]
        offset = f"{whole['offset_mean_ms']:+.1f} ± {whole['offset_std_ms']:.1f} ms"
        lines.append(
            f"| {title} | {_peaks(moved)} | {pairs} | {whole['missed']:,} | {whole['false']:,} "
            f"| {offset} | {whole['fraction_beyond_20_ms']:.1%} "
            f"| {whole['cpu_seconds_all_48']:.0f} |"
        )
    return "\n".join(
        [
            *lines,
            "",
            f"{results.experiment.title}, {rows[-1]['beats']:,} beats; ventricular flutter in "
            "record 207 is left out. Offset: detected minus annotated R peak, mean ± standard "
            "deviation. Re-centred: moved to the largest deviation from the baseline within 90 ms. "
            "Constants of edgeecg's detector and of re-centring were chosen on DS1. Which detector "
            "to use was decided with all 48 records in view, and re-centring was added after rows "
            "of DS2 had been seen: edgeecg's rows are not a test on unseen records. CPU seconds: "
            f"24 hours of one lead. {REQUIREMENTS}",
            "",
            f"{made_by(rows)} {_detector_packages(rows)}",
        ]
    )


def end_to_end(results: Results) -> str:
    """Return the Markdown table of a model's classes on detected beats."""
    lines = [
        "| R peaks from | re-centred | macro-F1 | N: Se / +P | S: Se / +P | V: Se / +P |",
        "|---|---|--:|--:|--:|--:|",
    ]
    rows = [row for row in _newest(results) if row["what"] == "classes"]
    for row in rows:
        pairs = " | ".join(
            f"{score['recall']:.3f} / {score['precision']:.3f}"
            for score in row["per_class"].values()
        )
        moved = "yes" if row["recentred"] else "no"
        lines.append(f"| {row['peaks']} | {moved} | {row['macro_f1']:.3f} | {pairs} |")
    return "\n".join(
        [
            *lines,
            "",
            f"`{', '.join(known(rows, 'model'))}`, shipped weights, on DS2. A beat that was not "
            "found counts against the recall of its class, a false one against the precision of "
            "the class that it was given; F and Q beats are left out. The model was trained on "
            "annotated R peaks as they are; `edgeecg classify` uses the row 'edgeecg' where a "
            "record has no annotations.",
            "",
            made_by(rows),
        ]
    )


def training_peaks(results: Results) -> str:
    """Return the Markdown table of the R peaks that were trained on."""
    rows = results.newest("trained_on", "scored_on", "seed")
    seeds = sorted({row["seed"] for row in rows})
    heads = [f"{'S, ' if rare else ''}seed {seed}" for rare in (False, True) for seed in seeds]
    lines = [
        f"| trained on R peaks | scored on R peaks | {' | '.join(heads)} |",
        "|---|---|" + "--:|" * len(heads),
    ]
    for trained, scored in dict.fromkeys((row["trained_on"], row["scored_on"]) for row in rows):
        f1 = [
            {name: score["f1"] for name, score in row["per_class"].items()}
            for seed in seeds
            for row in rows
            if (row["trained_on"], row["scored_on"], row["seed"]) == (trained, scored, seed)
        ]
        cells = [f"{mean(each.values()):.3f}" for each in f1] + [f"{each['S']:.3f}" for each in f1]
        lines.append(f"| {trained} | {scored} | {' | '.join(cells)} |")
    return "\n".join(
        [
            *lines,
            "",
            f"{results.experiment.title}: macro-F1, then F1 of S, over five groups of patients "
            "that were left out in turn, 3 epochs of 5,000 windows. Detected: by edgeecg's "
            "detector, with missed and false beats counted as in the table above. No record of DS2 "
            "was read for this table.",
            "",
            made_by(rows),
        ]
    )


def _newest(results: Results) -> list[Row]:
    return results.newest("what", "detector", "peaks", "recentred", "records", "model")


def _detector_packages(rows: list[Row]) -> str:
    found = dict.fromkeys(" ".join(row["package"]) for row in rows)
    return f"Detectors: {', '.join(found)}."


def _peaks(moved: bool) -> str:
    return "re-centred" if moved else "as detected"
