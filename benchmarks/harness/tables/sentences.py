"""What the legends of the compression tables say, computed from their rows."""

from __future__ import annotations

import itertools
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import replace

from edgeecg.devices import cpu

from ..aggregate import final_row
from ..rows import Row
from ..statistics_of_seeds import paired, plus_minus, spread
from .markdown import ratio
from .provenance import known

METHODS = ("energy", "l1", "random")
_METHOD_NAMES = {"energy": "energy-aware", "l1": "L1", "random": "random"}
_INT8 = "tflite-int8"


def with_float32_files(rows: Sequence[Row]) -> list[Row]:
    """Return the rows, with one for the float32 file of every run that was trained for int8."""
    made: list[Row] = []
    for row in rows:
        each = row["variant"]
        if each.target == _INT8 and "tflite" in each.run.targets:
            float32 = replace(each, run=each.run.model_copy(update={"shown": "tflite"}))
            beside = final_row(
                row["table"], replace(float32, label=f"{row['model']}, QAT: float32 file")
            )
            made.append(beside)
            made.append(row | {"label": f"{row['model']}, QAT: int8 file"})
        else:
            made.append(row)
    return made


def _p50s(row: Row) -> list[tuple[float, float]] | None:
    """Return the p50 of the dense float32 file and of the row's file, for each seed in seconds."""
    name = f"compressed-{row['target'] or 'tflite'}"
    found: list[tuple[float, float]] = []
    for seed in row["variant"].seeds:
        files = seed["latency"] or {}
        if name not in files:
            return None
        found.append((files["baseline-tflite"]["p50_s"], files[name]["p50_s"]))
    return found


def latency(row: Row, digits: int = 3) -> str:
    """Return the ratio of the p50, mean ± deviation over the seeds."""
    pairs = _p50s(row)
    if pairs is None:
        return "not measured"
    return f"{plus_minus(spread([small / dense for dense, small in pairs]), digits)} ×"


def p50_range(row: Row) -> str:
    """Return the smallest and largest p50 of the dense file and of the row's file."""
    pairs = _p50s(row)
    if pairs is None:
        return "-"
    dense, small = zip(*pairs, strict=True)
    return f"{_micro(dense)}, {_micro(small)} µs"


def _micro(seconds: Sequence[float]) -> str:
    low, high = min(seconds) * 1e6, max(seconds) * 1e6
    return f"{low:.0f}" if round(low) == round(high) else f"{low:.0f}-{high:.0f}"


SIZE_AND_TIME = (
    "model | MACs | proxy executed | file | p50 measured | p50 of the dense file, of this one"
)
"""Titles of the columns of :func:`size_and_time`."""

PROXY_OF_FILES = (
    "Proxy executed: counted in the exported file, which can exceed the budget, since compression "
    "counts layers in PyTorch ([Budget](../docs/compression.md#budget)). "
)


def size_and_time(row: Row) -> str:
    """Return the cells on what a smaller model costs, its label first."""
    return (
        f"{row['label']} | {row['macs_ratio']:.3f} × | {row['proxy_executed']:.3f} × "
        f"| {ratio(row['bytes_ratio'])} | {latency(row)} | {p50_range(row)}"
    )


def int8_time(rows: Sequence[Row]) -> str:
    """Say how far the proxy of int8 files is from their measured time, and compare with float32."""
    found: list[str] = []
    for before, row in itertools.pairwise(rows):
        if row["target"] != _INT8 or row["latency_ratio"] is None:
            continue
        pairs, beside = _p50s(row) or [], _p50s(before) or []
        times = statistics.mean(
            small / float32 for (_, small), (_, float32) in zip(pairs, beside, strict=True)
        )
        found.append(
            f"`{row['model']}` has {row['proxy_executed']:.3f}, and {row['latency_ratio']:.3f} was "
            f"measured, {times:.2f} times the float32 file of the run"
        )
    if not found:
        return ""
    return (
        f"The proxy is no measure of the time of int8: {'; '.join(found)}. It counts int8 "
        "operations as cheap. They are where the processor sums int8 products in one instruction "
        f"(VNNI); {_whether_vnni(rows)}"
    )


def _whether_vnni(rows: Sequence[Row]) -> str:
    """Say whether the processors that timed the rows have int8 dot-product instructions."""
    times = [s["timed"] for row in rows for s in row["variant"].seeds if s["timed"] is not None]
    names = "; ".join(known(times, "cpu"))
    listed = [each["cpu_features"] for each in times]
    if any(isinstance(each, str) or each is None for each in listed):
        return f"whether this one ({names}) does was not recorded."
    having = all(cpu.has_int8_dot_product(tuple(each)) for each in listed)
    return f"this one ({names}) {'does' if having else 'does not'}."


def flops_of_resnet(rows: Sequence[Row]) -> str:
    """Return ours beside what the reference study says of ResNet1D in its summary."""
    found = [row for row in rows if row["label"] == "resnet1d_attn"]
    return "".join(
        " The reference study says of ResNet1D: about 75 % fewer FLOPs and about 86 % less energy "
        f"proxy. Here `resnet1d_attn` has {100 * (1 - row['macs_ratio']):.0f} % fewer and "
        f"{100 * (1 - row['proxy_executed']):.0f} % less, both executed."
        for row in found
    )


def compared_models(rows: Sequence[Row]) -> list[str]:
    """Return the models that there are rows of for all three methods."""
    found = {(row["model"], row["method"]) for row in rows}
    models = dict.fromkeys(row["model"] for row in rows)
    return [model for model in models if all((model, way) in found for way in METHODS)]


def which_method_wins(rows: Sequence[Row]) -> str:
    """Say for how many models energy-aware has the highest mean, and what wins elsewhere."""
    found = {(row["model"], row["method"]): row for row in rows}
    models = compared_models(rows)
    won, others = 0, list[str]()
    for model in models:
        ways = {way: found[model, way]["score_mean"] for way in METHODS}
        best = max(ways, key=lambda way: ways[way])
        if best == "energy":
            won += 1
        else:
            others.append(
                f"{_METHOD_NAMES[best]} is higher for `{model}` ({ways[best]:.3f}, energy-aware "
                f"{ways['energy']:.3f})"
            )
    text = f"Energy-aware choice has the highest mean for {won} of {len(models)} models"
    return f"{'; '.join([text, *others])}. {_resolved(found, models)}"


def _resolved(found: Mapping[tuple[str, str], Row], models: Sequence[str]) -> str:
    """Say which differences between the methods are resolved, paired by seed."""
    resolved: list[str] = []
    for model in models:
        ours = _by_seed(found[model, "energy"])
        for way in METHODS[1:]:
            difference = paired(ours, _by_seed(found[model, way]))
            if difference is not None and difference.verdict != "not resolved":
                half = difference.half_width or 0.0
                resolved.append(
                    f"{_METHOD_NAMES[way]} for `{model}` ({difference.mean:+.3f} ± {half:.3f})"
                )
    pairs = len(models) * (len(METHODS) - 1)
    text = (
        f"Seed by seed, {len(resolved)} of the {pairs} differences to L1 and random choice are "
        "resolved (the 95 % interval of Student's t leaves 0 out)"
    )
    return f"{text}{': ' if resolved else ''}{', '.join(resolved)}."


def _by_seed(row: Row) -> dict[int, float]:
    seeds = row["variant"].seeds
    return dict(zip((seed["seed"] for seed in seeds), row["scores"], strict=True))


def processors(rows: Sequence[Row]) -> str:
    """Name the rows of another processor than that of most rows, or return nothing."""
    used = [" and ".join(known(row["variant"].seeds, "cpu")) or "not recorded" for row in rows]
    most = statistics.mode(used) if used else ""
    others = [
        f"{row['label']}: {name}" for row, name in zip(rows, used, strict=True) if name != most
    ]
    if not others:
        return ""
    return (
        f"Processor of {'; '.join(others)}; of all other rows: {most}. Dense models of one seed "
        "are not equal on two processors. "
    )


def outliers(rows: Sequence[Row]) -> str:
    """Name rows in which one seed loses far more than the others, or return nothing."""
    named: list[str] = []
    for row in rows:
        dense = [seed["baseline"]["test"][row["score"]] for seed in row["variant"].seeds]
        drops = sorted(before - after for before, after in zip(dense, row["scores"], strict=True))
        # More than three times as far from the others as these are from each other.
        if len(drops) > 2 and drops[-1] - drops[-2] > 3 * (drops[-2] - drops[0]):
            named.append(f"{row['label']} ({', '.join(f'{each:+.3f}' for each in drops)} lost)")
    if not named:
        return ""
    return f"One seed decides mean and deviation of {'; '.join(named)}. "


def time_taken(rows: Sequence[Row], experiments: Sequence[str]) -> str:
    """Return how long runs took; one that several tables share counts once.

    Args:
        rows: The runs.
        experiments: What they are of.
    """
    runs = {row["cell"]: row for row in rows}
    count = sum(len(row["seeds"]) for row in runs.values())
    hours = sum(row["seconds"] * len(row["seeds"]) for row in runs.values()) / 3600
    shares = [row["pruning_seconds"] / row["seconds"] for row in runs.values()]
    seeds = [seed for row in runs.values() for seed in row["variant"].seeds]
    return (
        f"The {count} runs of {', '.join(experiments)} took {hours:.1f} hours of one core to prune "
        "and fine-tune, most of them two at a time, one on each core. Importance and surgery were "
        f"at most {max(shares):.1%} of that (mean of the seeds of a row). Training the dense "
        "models, scoring, export and timing are not in these figures.\n\n"
        f"Machine: {'; '.join(known(seeds, 'machine'))}. Revisions and versions: at each table."
    )
