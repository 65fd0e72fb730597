"""The table of the whole path."""

from __future__ import annotations

from ..results import Results
from ..statistics_of_seeds import plus_minus, spread
from .markdown import EARLIER_FINE_TUNING
from .provenance import made_by

NAMES = {
    ("baseline", "tflite"): "dense baseline, float32",
    ("compressed", "tflite"): "compressed, float32",
    ("compressed", "tflite-int8"): "compressed, int8",
}
_SPLIT = "inter-patient: DS1 train and validation, DS2 test; class map aami"


def whole_path(results: Results) -> str:
    """Return the dense, the compressed and the int8 file of every seed's run."""
    seeds = results.newest("model", "seed")
    lines = [
        "| file | kB | accuracy | macro-F1 | recall N / S / V | proxy ideal | proxy executed "
        "| p50 latency | p50, µs |",
        "|---|--:|--:|--:|--:|--:|--:|--:|--:|",
    ]
    for place, file in enumerate(seeds[0]["files"]):
        files = [seed["files"][place] for seed in seeds]
        mean = {
            key: spread([each[key] for each in files])
            for key in ("size_bytes", "accuracy", "macro_f1", "proxy_ideal", "proxy_executed")
        }
        recall = " / ".join(
            f"{spread([each['recall'][name] for each in files])['mean']:.3f}"
            for name in ("N", "S", "V")
        )
        times = [each["p50_s"] * 1e6 for each in files]
        lines.append(
            f"| {NAMES[file['role'], file['target']]} "
            f"| {mean['size_bytes']['mean'] / 1000:.0f} "
            f"| {plus_minus(mean['accuracy'])} "
            f"| {plus_minus(mean['macro_f1'])} "
            f"| {recall} "
            f"| {mean['proxy_ideal']['mean']:.3f} × "
            f"| {mean['proxy_executed']['mean']:.3f} × "
            f"| {plus_minus(spread([each['latency_ratio'] for each in files]))} × "
            f"| {min(times):.0f} to {max(times):.0f} |"
        )
    return "\n".join([*lines, "", *_legend(results)])


def _legend(results: Results) -> list[str]:
    seeds = results.newest("model", "seed")
    drops = [seed["files"][0]["macro_f1"] - seed["files"][1]["macro_f1"] for seed in seeds]
    low, high = seeds[0]["files"][0]["macro_f1_ci95"]
    energy = seeds[0]["files"][0]["energy"]
    loads = sorted(seed["load"] for seed in seeds)
    config = seeds[0]["config"]
    float32, int8 = (
        spread([seed["files"][place]["latency_ratio"] for seed in seeds])["mean"]
        for place in (1, 2)
    )
    proxy = seeds[0]["files"][2]["proxy_executed"]
    return [
        f"`{seeds[0]['model']}` on MIT-BIH, {_SPLIT}; seeds "
        f"{', '.join(str(seed['seed']) for seed in seeds)}, mean ± standard deviation; scores of "
        "the exported files on DS2. Records 201 (validation) and 202 (test) are one patient; F and "
        "Q beats are left out; R peaks come from the annotations. × is relative to the baseline's "
        f"file. Compressed: `--sparsity {config['sparsity']} --steps {config['steps']} "
        f"{EARLIER_FINE_TUNING}`. Latency: LiteRT, one thread, batch 1, all files in one `bench` "
        f"call, load average {loads[0]:.1f} to {loads[-1]:.1f}. "
        f"The proxy is no measure of the time of int8: it is {proxy:.3f}, and {int8:.3f} was "
        f"measured, {int8 / float32:.2f} times the float32 file of the same run. Macro-F1 "
        "lost by compression (negative: gained), float32 beside float32: "
        f"{plus_minus(spread(drops))}; one seed's 95 % interval over "
        f"patients is {low:.2f} to {high:.2f}, and differences inside it are not resolved.",
        "",
        f"Energy: {energy['tier']}. {energy['reason'] or ''}".rstrip(),
        "",
        made_by(seeds, cpu=True),
    ]
