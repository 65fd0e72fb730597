"""Every published file whose time was measured beside its dense float32 file: proxy and time."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from edgeecg.costs import proxy
from edgeecg.reporting.proxy_agreement import Kind, Point
from edgeecg.schema import CostTotals, ProxyCoefficients

from .experiment import load
from .results import Results, stored
from .rows import Row

STRUCTURED = "structured"
"""The experiment that leads to the others."""


def points(results: Path) -> list[Point]:
    """Return a point for each file of each seed, but the dense float32 ones, whose ratios are 1.

    Args:
        results: Folder of the results.
    """
    return of_results(stored(load(STRUCTURED), results))


def of_results(structured: Results) -> list[Point]:
    """Return the points of every experiment that measures times of files.

    Args:
        structured: Models of ``structured``, with the times of their files; leads to the others.
    """
    return [
        *_structured(structured),
        *_whole_path(structured.other("whole_path")),
        *_instructions(structured.other("instructions")),
        *unstructured(structured),
    ]


def timed_rows(structured: Results) -> list[Row]:
    """Return the rows whose times the points are made of.

    Args:
        structured: As for :func:`of_results`.
    """
    latency = [row for row in structured.rows if row["what"] == "latency"]
    others = ("whole_path", "instructions", "unstructured_times")
    return [*latency, *(row for name in others for row in structured.other(name).rows)]


def _structured(results: Results) -> list[Point]:
    found: list[Point] = []
    for timed in results.newest("what", "cell", "seed"):
        if timed["what"] != "latency":
            continue
        made = results.last(what="model", cell=timed["cell"], seed=timed["seed"])
        if made is None:
            continue
        model = made["config"]["training"]["model"]
        files = {f"{each['role']}-{each['target']}": each for each in made["files"]}
        dense = CostTotals.model_validate(files["baseline-tflite"]["costs"])
        for name, time in timed["files"].items():
            if name not in files or name == "baseline-tflite":
                continue
            costs = CostTotals.model_validate(files[name]["costs"])
            counted = proxy.relative(costs, dense, ProxyCoefficients())
            found.append(
                _point(
                    f"{timed['cell']}, seed {timed['seed']}, {name}", model,
                    "int8" if name.endswith("int8") else "float32",
                    time["ratio"], counted.executed, counted.ideal,
                )
            )  # fmt: skip
    return found


def _whole_path(results: Results) -> list[Point]:
    return [
        _point(
            f"whole path, seed {row['seed']}, {each['role']} {each['target']}", row["model"],
            "int8" if each["target"].endswith("int8") else "float32",
            each["latency_ratio"], each["proxy_executed"], each["proxy_ideal"],
        )
        for row in results.newest("model", "seed")
        for each in row["files"]
        if (each["role"], each["target"]) != ("baseline", "tflite")
    ]  # fmt: skip


def _instructions(results: Results) -> list[Point]:
    return [
        _point(
            f"{row['model']}, {row['role']} {row['dtype']}", row["model"], row["dtype"],
            row["x86_ratio"], row["proxy_executed"], row["proxy_ideal"],
        )
        for row in results.newest("model", "role", "dtype")
        if (row["role"], row["dtype"]) != ("baseline", "float32")
    ]  # fmt: skip


def unstructured(structured: Results) -> list[Point]:
    """Return the points of files in which single weights are zero.

    Args:
        structured: Leads to them.
    """
    return [
        _point(
            f"{row['model']}, unstructured {row['dtype']}", row["model"], row["dtype"],
            row["ratio"], row["proxy_executed"], row["proxy_ideal"],
        )
        for row in structured.other("unstructured_times").newest("model", "dtype")
    ]  # fmt: skip


def _point(name: str, model: str, dtype: str, measured: float, executed: Any, ideal: Any) -> Point:
    predicted: dict[Kind, float] = {"executed": executed, "ideal": ideal}
    return Point(name, model, dtype, "latency", measured, predicted)
