"""Tables on windows, noise, and the preparation of records."""

from __future__ import annotations

from ..results import Results
from ..statistics_of_seeds import plus_minus
from .provenance import made_by


def windows(results: Results) -> str:
    """Return the windows that were tried on DS1."""
    rows = results.newest("window")
    lines = [
        "| window | macro-F1, mean of groups | pooled | F1 N / S / V, pooled |",
        "|---|--:|--:|--:|",
    ]
    for row in rows:
        each = " / ".join(f"{value:.3f}" for value in row["f1_pooled"].values())
        groups = {"mean": row["macro_f1_mean_of_groups"], "std": row["macro_f1_std_of_groups"]}
        lines.append(
            f"| {row['window']} | {plus_minus(groups)} | {row['macro_f1_pooled']:.3f} | {each} |"
        )
    return "\n".join(
        [
            *lines,
            "",
            f"{results.experiment.title}: five groups of patients left out in turn (± over "
            "groups), 3 epochs of 5,000 windows. No record of DS2 was read for this table.",
            "",
            made_by(rows),
        ]
    )


def noisy(results: Results) -> str:
    """Return the scores on DS2 with noise."""
    rows = results.newest("model", "noise", "snr_db")
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
            scores = " | ".join(
                f"{found[level]:.3f}" if level in found else "-" for level in levels
            )
            lines.append(f"| {title} | `{model}` | {scores} |")
    return "\n".join(
        [
            *lines,
            "",
            f"Macro-F1 of the shipped weights. {results.experiment.title}; signal-to-noise ratio "
            "as PhysioNet's `nst` defines it, noise from halves of the records that training never "
            "sees. R peaks come from the annotations: a detector would also suffer.",
            "",
            made_by(rows),
        ]
    )


def beats_prepared(results: Results) -> str:
    """Return the sentences on MIT-BIH."""
    row = results.last(source="mitdb")
    if row is None:
        return "Not measured."
    first, again = (row["stages"][name] for name in ("from_records", "from_cache"))
    return "\n".join(
        [
            f"{sum(first['windows'].values()):,} windows of MIT-BIH's 44 records without paced "
            f"beats, prepared from the files in {first['seconds']:.1f} s and opened from the "
            f"cache in {again['seconds']:.2f} s.",
            "",
            made_by([row]),
        ]
    )


def preparation(results: Results) -> str:
    """Return the sentences on a folder as large as PTB-XL."""
    row = results.last(source="ptbxl")
    if row is None:
        return "Not measured."
    stages = row["stages"]
    load, cached, epoch = stages["from_records"], stages["from_cache"], stages["epoch"]
    return "\n".join(
        [
            f"{stages['generate']['records']:,} records (synthetic records in the official layout, "
            f"12 leads, 10 s, 100 Hz): prepared from the files in {load['seconds']:.0f} s, opened "
            f"from the cache in {cached['seconds']:.1f} s. Every training window read once in "
            f"random batches, and {epoch['training_steps']} steps of `resnet1d_se_attn`: "
            f"{epoch['peak_resident_bytes'] / 2**30:.2f} GiB of resident memory at the peak, "
            "mapped pages included.",
            "",
            made_by([row]),
        ]
    )
