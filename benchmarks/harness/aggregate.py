"""Rows of compression tables: mean and deviation over the seeds of a run."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from edgeecg.costs import proxy
from edgeecg.schema import CostTotals, ProxyCoefficients

from .experiment import Run
from .results import Results
from .rows import Row, same_machine
from .statistics_of_seeds import spread


@dataclass(frozen=True)
class Variant:
    """One run of a table, with the results of its seeds.

    Attributes:
        label: What the table calls it.
        run: What was run.
        seeds: The newest row of each seed, with ``latency`` where its files were timed; empty when
            a seed is missing.
    """

    label: str
    run: Run
    seeds: Sequence[Row]

    @property
    def cell(self) -> str:
        """The name of the run."""
        return self.run.cell

    @property
    def target(self) -> str | None:
        """The target whose file the row is about."""
        return self.run.shown


def variants(results: Results) -> list[Variant]:
    """Return the runs of an experiment, those that it takes from others too."""
    owners: dict[str, Results] = {}
    made: list[Variant] = []
    for run in results.experiment.runs:
        if run.of is None:
            made.append(_variant(results, run.label, run, results.experiment.seeds))
            continue
        name, _, label = run.of.partition(": ")
        owner = owners[name] if name in owners else results.other(name)
        owners[name] = owner
        found = owner.experiment.run(label)
        made.append(_variant(owner, run.label, found, results.experiment.seeds))
    return made


def _variant(owner: Results, label: str, found: Run, seeds: Sequence[int]) -> Variant:
    cell = found.cell
    held: list[Row] = []
    for seed in seeds:
        row = owner.last(what="model", cell=cell, seed=seed)
        timed = owner.last(what="latency", cell=cell, seed=seed)
        if row is not None:
            held.append(row | {"latency": timed["files"] if timed else None, "timed": timed})
    if len(held) == len(seeds):
        timed_rows = [row["timed"] for row in held if row["timed"] is not None]
        same_machine(timed_rows, f"The latency ratio of '{label}'")
    return Variant(label, found, held if len(held) == len(seeds) else [])


def missing(results: Results) -> list[str]:
    """Return the labels of the runs that lack a seed."""
    return [each.label for each in variants(results) if not each.seeds]


def table_rows(table: str, results: Results) -> list[Row]:
    """Return one row for each complete run: its final model, the mean of the seeds."""
    return [final_row(table, each) for each in variants(results) if each.seeds]


def table_rows_of_steps(table: str, results: Results) -> list[Row]:
    """Return a row for every step of each complete run whose steps were scored."""
    return [row for each in variants(results) if each.seeds for row in step_rows(table, each)]


def final_row(table: str, each: Variant) -> Row:
    """Return the row of a complete run's final model."""
    seeds, target = each.seeds, each.target
    config = seeds[0]["config"]
    score = "macro_f1" if seeds[0]["baseline"]["test"]["macro_auroc"] is None else "macro_auroc"
    scores = [_score(held, score, target) for held in seeds]
    last = [held["steps"][-1] for held in seeds]
    proxies = {
        key: statistics.mean(
            _proxy(held, step, key, target) for held, step in zip(seeds, last, strict=True)
        )
        for key in ("proxy_ideal", "proxy_executed")
    }
    return {
        "label": each.label,
        "table": table,
        "model": each.run.model,
        "dataset": seeds[0]["data"]["source"],
        "method": config["method"] if each.run.pruner == "edgeecg" else each.run.pruner,
        "structure": config["structure"],
        "quantize": config["quantize"] if target is None or "int8" in target else "none",
        "distill": config["distill"],
        "seeds": [held["seed"] for held in seeds],
        **proxies,
        "latency_ratio": _mean_or_none(_latency_ratio(held, target) for held in seeds),
        "bytes_ratio": _mean_or_none(_bytes_ratio(held, target) for held in seeds),
        "score": score,
        "score_mean": statistics.mean(scores),
        "score_std": spread(scores)["std"],
        "baseline_mean": statistics.mean(held["baseline"]["test"][score] for held in seeds),
        "baseline_std": spread([held["baseline"]["test"][score] for held in seeds])["std"],
        "lost": spread(
            [h["baseline"]["test"][score] - s for h, s in zip(seeds, scores, strict=True)]
        ),
        "lost_without_232": _lost_without_232(seeds, target),
        "baseline_ci95": seeds[0]["baseline"]["test"][f"{score}_ci95"],
        "reading": config["reading"],
        "target": target,
        "scores": scores,
        **_test_scores([_test(held, target) for held in seeds]),
        "rarest": _rarest(seeds, target),
        "parameters_before": seeds[0]["baseline"]["parameters"],
        "parameters_nonzero": statistics.mean(held["nonzero_parameters"] for held in seeds),
        "sparsity": statistics.mean(step["sparsity"] for step in last),
        "macs_ratio": statistics.mean(
            step["macs"] / held["baseline"]["macs"] for held, step in zip(seeds, last, strict=True)
        ),
        "seconds": statistics.mean(sum(s["seconds"] for s in held["steps"]) for held in seeds),
        "pruning_seconds": statistics.mean(
            sum(s["pruning_seconds"] for s in held["steps"]) for held in seeds
        ),
        "cell": each.cell,
        "git_revisions": sorted({held["git_revision"] for held in seeds}),
        "variant": each,
    }


def step_rows(table: str, each: Variant) -> list[Row]:
    """Return a row for every step of a run whose steps were scored on the test records."""
    whole, seeds = final_row(table, each), each.seeds
    made: list[Row] = []
    for index, first in enumerate(seeds[0]["steps"]):
        steps = [held["steps"][index] for held in seeds]
        tests = [held["test_of_steps"][str(first["step"])] for held in seeds]
        scores = [test[whole["score"]] for test in tests]
        made.append(
            whole
            | {
                "step": first["step"],
                "target_sparsity": first["target_sparsity"],
                "sparsity": statistics.mean(step["sparsity"] for step in steps),
                "proxy_ideal": statistics.mean(step["proxy_ideal"] for step in steps),
                "proxy_executed": statistics.mean(step["proxy_executed"] for step in steps),
                "macs_ratio": statistics.mean(
                    step["macs"] / held["baseline"]["macs"]
                    for held, step in zip(seeds, steps, strict=True)
                ),
                "parameters_nonzero": statistics.mean(s["nonzero_parameters"] for s in steps),
                "score_mean": statistics.mean(scores),
                "score_std": spread(scores)["std"],
                "scores": scores,
                **_test_scores(tests),
                "latency_ratio": None,
                "bytes_ratio": None,
            }
        )
    return made


def _test_scores(tests: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Return the scores of all seeds on the test records: mean and deviation, recalls as means."""
    return {
        "accuracy": spread([test["accuracy"] for test in tests]),
        "macro_f1": spread([test["macro_f1"] for test in tests]),
        "recall": {
            name: statistics.mean(test["per_class"][name]["recall"] for test in tests)
            for name in tests[0]["per_class"]
        },
    }


def _files(held: Row, target: str | None) -> tuple[dict[str, Any], dict[str, Any]] | None:
    """Return the dense float32 file and the compressed one of a target, if they were exported."""
    wanted = target or "tflite"
    found = {(each["role"], each["target"]): each for each in held["files"]}
    dense, small = found.get(("baseline", "tflite")), found.get(("compressed", wanted))
    return None if dense is None or small is None else (dense, small)


def _test(held: Row, target: str | None) -> dict[str, Any]:
    files = None if target is None else _files(held, target)
    return held["test"] if files is None else files[1]["test"]


def _score(held: Row, score: str, target: str | None) -> float:
    return _test(held, target)[score]


def _lost_without_232(seeds: Sequence[Row], target: str | None) -> dict[str, float] | None:
    """Return what macro-F1 on all other records lost; None where there is no record 232."""
    key = "macro_f1_without_232"
    pairs = [(held["baseline"]["test"][key], _test(held, target)[key]) for held in seeds]
    known = [before - after for before, after in pairs if before is not None and after is not None]
    return spread(known) if len(known) == len(seeds) else None


def _rarest(seeds: Sequence[Row], target: str | None) -> dict[str, Any]:
    """Return what the class that is lost most easily lost: S of beats, the worst one of records.

    Returns:
        ``class``; ``measure``: ``recall`` or ``auroc``; ``before``: its mean over the dense models;
        ``lost``: mean and deviation of what each seed lost against its own dense model.
    """
    pairs = [(held["baseline"]["test"]["per_class"], _test(held, target)) for held in seeds]
    classes = [(before, after["per_class"]) for before, after in pairs]
    if "S" in classes[0][0]:
        name, measure = "S", "recall"
    else:
        measure = "auroc"
        name = max(
            classes[0][0],
            key=lambda each: sum(old[each][measure] - new[each][measure] for old, new in classes),
        )
    return {
        "class": name,
        "measure": measure,
        "before": statistics.mean(old[name][measure] for old, _ in classes),
        "lost": spread([old[name][measure] - new[name][measure] for old, new in classes]),
    }


def _proxy(held: Row, step: Row, key: str, target: str | None) -> float:
    """Return a proxy as counted in the exported file; in PyTorch where none was exported."""
    files = _files(held, target)
    if files is None:
        return step[key]
    dense, small = (CostTotals.from_document(each["costs"], "cell") for each in files)
    count = proxy.ideal if key == "proxy_ideal" else proxy.executed
    return count(small, ProxyCoefficients()) / proxy.executed(dense, ProxyCoefficients())


def _bytes_ratio(held: Row, target: str | None) -> float | None:
    files = _files(held, target)
    return None if files is None else files[1]["size_bytes"] / files[0]["size_bytes"]


def _latency_ratio(held: Row, target: str | None) -> float | None:
    timed = held["latency"] or {}
    return timed.get(f"compressed-{target or 'tflite'}", {}).get("ratio")


def _mean_or_none(values: Iterable[float | None]) -> float | None:
    listed = list(values)
    held = [value for value in listed if value is not None]
    return statistics.mean(held) if len(held) == len(listed) else None
