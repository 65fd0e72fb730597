"""The whole path on real records, three seeds: baseline beside compressed beside int8.

Starts from the three seeds of ``baselines.py``; runs ``edgeecg compress``, ``export``, ``bench``
and ``report`` as a user would, each seed in a run folder ``runs/whole-path-SEED``, and writes
``benchmarks/results/whole_path.json``. A finished run is not repeated and an unfinished one is
resumed, so the script can be killed and restarted::

    EDGEECG_DATA=../shared/data python benchmarks/whole_path.py
"""

from __future__ import annotations

import json
import platform
import subprocess
import sys
import time
from datetime import datetime
from pathlib import Path
from typing import Any

from baselines import spread, trained
from run_provenance import versions

from edgeecg.files import write_text
from edgeecg.runs import RunFolder, git_revision
from edgeecg.schema import Artifact, BenchReport, BenchResult, CompressionLog, ModelCard

ROOT = Path(__file__).resolve().parents[1]
RESULT = ROOT / "benchmarks" / "results" / "whole_path.json"
MODEL = "resnet1d_attn"
SEEDS = (0, 1, 2)
TARGETS = ("tflite", "tflite-int8")
FILES = (("baseline", "tflite"), ("compressed", "tflite"), ("compressed", "tflite-int8"))
PACKAGES = ("torch", "torch-pruning", "litert-torch", "ai-edge-quantizer", "ai-edge-litert")


def edgeecg(*arguments: str) -> float:
    """Run one verb in the checkout and return its wall time in seconds."""
    print("$ edgeecg", *arguments, flush=True)
    started = time.monotonic()
    subprocess.run([sys.executable, "-m", "edgeecg", *arguments], cwd=ROOT, check=True)
    return round(time.monotonic() - started, 1)


def journal_seconds(run: RunFolder) -> float:
    """Return the time from a run's first event to its last; a pause before a resume counts."""
    events = [json.loads(line) for line in run.events.read_text().splitlines()]
    first, last = (datetime.fromisoformat(events[i]["time"]) for i in (0, -1))
    return (last - first).total_seconds()


def run_all(seed: int) -> RunFolder:
    """Compress unless that is done, then export, bench and report; times go to seconds.json."""
    run = RunFolder(ROOT / "runs" / f"whole-path-{seed}")
    notes = run.path / "seconds.json"
    seconds: dict[str, float] = {}
    if not run.finished:
        dense = trained(MODEL, seed)
        options = ["--start", dense.name, "--data", "mitdb"]
        if run.config.is_file():
            options = ["--resume"]
        edgeecg("compress", "--name", run.name, *options)
    seconds["compress"] = journal_seconds(run)
    targets = [word for target in TARGETS for word in ("--target", target)]
    seconds["export"] = edgeecg("export", "--run", run.name, *targets)
    files = [str(run.artifacts / f"{MODEL}-{role}-{target}.tflite") for role, target in FILES]
    seconds["bench"] = edgeecg("bench", *files)
    seconds["report"] = edgeecg("report", "--run", run.name)
    write_text(notes, json.dumps(seconds))
    return run


def row(run: RunFolder, result: BenchResult, baseline: BenchResult) -> dict[str, Any]:
    """Return the figures of one file, from its manifest and its measurement."""
    stem = Path(result.artifact.file).stem
    path = run.artifacts / f"{stem}.json"
    manifest = Artifact.from_json(path.read_bytes(), str(path))
    test = manifest.test
    assert test is not None
    return {
        "role": manifest.role,
        "target": manifest.target,
        "parameters": manifest.parameters,
        "accuracy": test.accuracy,
        "macro_f1": test.macro_f1,
        "macro_f1_ci95": test.macro_f1_ci95,
        "recall": {name: score.recall for name, score in test.per_class.items()},
        "size_bytes": result.artifact.size_bytes,
        "proxy_ideal": result.proxy.ideal,
        "proxy_executed": result.proxy.executed,
        "macs": result.proxy.macs,
        "p50_s": result.latency.p50_s,
        "latency_ratio": result.latency.p50_s / baseline.latency.p50_s,
        "energy": result.energy.model_dump(mode="json"),
        "label_agreement": result.parity.label_agreement,
    }


def gather(seed: int, run: RunFolder) -> dict[str, Any]:
    """Return everything worth keeping of one seed's run."""
    report = BenchReport.from_json(run.bench_files()[-1].read_bytes(), "bench")
    log = CompressionLog.from_json(run.compression_log.read_bytes(), "compression.json")
    card = ModelCard.from_json(run.baseline_card.read_bytes(), "baseline.json")
    return {
        "seed": seed,
        "seconds": json.loads((run.path / "seconds.json").read_text()),
        "baseline_epochs": card.epochs,
        "val_macro_f1": {"baseline": card.val.macro_f1, "compressed": log.steps[-1].val.macro_f1},
        "files": [row(run, result, report.results[0]) for result in report.results],
        "device": report.results[0].device.model_dump(mode="json"),
        "runtime": report.results[0].runtime,
        "config": log.config.model_dump(mode="json"),
        "data": log.data.model_dump(mode="json"),
    }


def main() -> None:
    """RunState the path for every seed and write the result."""
    seeds = [gather(seed, run_all(seed)) for seed in SEEDS]
    keys = ("accuracy", "macro_f1", "size_bytes", "proxy_ideal", "proxy_executed", "latency_ratio")
    summary = [
        {
            "role": role,
            "target": target,
            **{key: spread([seed["files"][index][key] for seed in seeds]) for key in keys},
            "recall": {
                name: spread([seed["files"][index]["recall"][name] for seed in seeds])
                for name in ("N", "S", "V")
            },
        }
        for index, (role, target) in enumerate(FILES)
    ]
    drops = [s["files"][0]["macro_f1"] - s["files"][1]["macro_f1"] for s in seeds]
    document = {
        "title": "The whole path, once",
        "model": MODEL,
        "split": "inter-patient: DS1 train and validation, DS2 test; class map aami",
        "macro_f1_lost_by_compression": spread(drops),
        "summary": summary,
        "seeds": seeds,
        "git_revision": git_revision(),
        "machine": f"{platform.machine()}, {seeds[0]['device']['cpu']}",
        "versions": versions(PACKAGES),
    }
    write_text(RESULT, json.dumps(document, indent=1) + "\n")
    print(RESULT.relative_to(ROOT))


if __name__ == "__main__":
    main()
