"""Bench reports and evaluations to compare, written to files."""

from __future__ import annotations

import itertools
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from report_measurements import bench, device
from report_run import Builder
from report_scores import sha

from edgeecg.schema import (
    BenchResult,
    EmulatorImage,
    InstructionReport,
    InstructionResult,
    Instructions,
    Scores,
)

_SECONDS = itertools.count()


def write(path: Path, *results: BenchResult, **changes: Any) -> str:
    """Write a bench report of a call of its own, and return its path."""
    created = datetime(2026, 1, 2, tzinfo=UTC) + timedelta(seconds=next(_SECONDS))
    report = bench(*results, created=created.isoformat()).model_copy(update=changes)
    path.write_text(report.to_json(), encoding="utf-8")
    return str(path)


def write_scores(path: Path, scores: Scores, **changes: Any) -> str:
    """Write what ``edgeecg evaluate --json`` writes, and return its path."""
    document: dict[str, Any] = {
        "schema": "edgeecg.evaluation/1",
        "model": "resnet1d_attn",
        "subject": "resnet1d_attn, float32",
        **scores.to_document(),
        "s_without_232": None,
        "class_map": "aami",
        "preprocessing": {},
        "licence": "ODC-By 1.0",
        "skipped": {},
        "notes": [],
        **changes,
    }
    path.write_text(json.dumps(document), encoding="utf-8")
    return str(path)


def write_counts(path: Path, builder: Builder, number: int, **changes: Any) -> str:
    """Write a count of instructions of the compressed file, and return its path."""
    result = builder.result(builder.manifest("compressed"))
    core = changes.pop("core", "cortex-a72")
    fields: dict[str, Any] = {
        "artifact": result.artifact,
        "device": device(name=f"emulated:{core}", emulated=True),
        "runtime": "litert 2.3.0",
        "input_shape": (1, 1, 256),
        "instructions": Instructions(per_inference=number, core=core, emulator="qemu 7.2"),
        "proxy": result.proxy,
        "parity": result.parity,
    }
    report = InstructionReport(
        results=(InstructionResult(**{**fields, **changes}),),
        image=EmulatorImage(
            recipe="r",
            architecture="arm64",
            python="3.11",
            kernel="linux 6.1",
            packages={},
            wheels={},
            kernel_sha256=sha("kernel"),
            root_sha256=sha("root"),
            created_utc="2026-01-01T00:00:00+00:00",
        ),
        created_utc="2026-01-01T00:00:00+00:00",
        command="edgeecg bench",
        edgeecg_version="0.1.0",
    )
    path.write_text(report.to_json(), encoding="utf-8")
    return str(path)
