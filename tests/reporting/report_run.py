"""Builds a run folder with every document in it, from plausible figures."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from report_measurements import bench, costs, device, latency, no_energy
from report_scores import CLASSES, SUPERCLASSES, label_scores, records, scores, sha

from edgeecg.costs.proxy import totals
from edgeecg.runs import RunFolder
from edgeecg.schema import (
    Artifact,
    ArtifactRef,
    Baseline,
    BenchResult,
    Breakdown,
    CompressionConfig,
    CompressionLog,
    CompressionStep,
    DataSummary,
    DType,
    Format,
    Memory,
    ModelCard,
    Parity,
    Preprocessing,
    Proxy,
    Role,
    Scores,
    Source,
    Task,
    TrainingConfig,
)

DS2 = (
    *("100", "103", "105", "111", "113", "117", "121", "123", "200", "202", "210", "212", "213"),
    *("214", "219", "221", "222", "228", "231", "232", "233", "234"),
)
TWELVE_LEADS = Preprocessing(
    fs_hz=100,
    window=1000,
    r_index=None,
    highpass_hz=None,
    normalisation="global-zscore",
    mean_mv=-0.0007,
    deviation_mv=0.2341,
    leads=("I", "II", "III", "AVR", "AVL", "AVF", "V1", "V2", "V3", "V4", "V5", "V6"),
)
DENSE = {"stem": (32,), "stages": (64, 128, 128)}
SLIM = {"stem": (16,), "stages": (28, 52, 40)}


@dataclass
class Builder:
    """Writes the documents of one run.

    Attributes:
        run: Where they go.
        source: Source of the records.
    """

    run: RunFolder
    source: Source = "mitdb"

    @property
    def task(self) -> Task:
        return "records" if self.source == "ptbxl" else "beats"

    @property
    def classes(self) -> tuple[str, ...]:
        return SUPERCLASSES if self.task == "records" else CLASSES

    @property
    def preprocessing(self) -> Preprocessing:
        return TWELVE_LEADS if self.task == "records" else Preprocessing()

    def scored(self, names: tuple[str, ...], slip: int, split: Any = "test") -> Scores:
        if self.task == "records":
            return label_scores(slip, self.source, split)
        return scores(records(list(names), slip), self.source, split)

    @property
    def data(self) -> DataSummary:
        if self.task == "records":
            return DataSummary(
                source="ptbxl",
                class_map="superclasses",
                classes=SUPERCLASSES,
                train_records=tuple(f"fold {n}" for n in range(1, 9)),
                val_records=("fold 9",),
                test_records=("fold 10",),
                beats={"test": dict.fromkeys(SUPERCLASSES, 80)},
                skipped={"no superclass": 60},
                content_sha256=sha("content"),
                licence="CC BY 4.0; Wagner et al. 2020",
                notes=("A part of PTB-XL.",),
            )
        real = self.source == "mitdb"
        return DataSummary(
            source=self.source,
            class_map="aami",
            classes=CLASSES,
            train_records=("101", "106", "108") if real else ("s01", "s02"),
            val_records=("201", "205") if real else ("s03", "s04"),
            test_records=DS2 if real else ("s05", "s06"),
            beats={
                "train": {"N": 36528, "S": 699, "V": 2918},
                "val": {"N": 9300, "S": 244, "V": 870},
                "test": {"N": 44232, "S": 1837, "V": 3219},
            },
            skipped={"F": 388, "Q": 8},
            content_sha256=sha("content"),
            licence="ODC-By 1.0; Moody and Mark 2001",
        )

    def card(self, role: Role, **changes: Any) -> ModelCard:
        dense = role == "baseline"
        fields: dict[str, Any] = {
            "name": "resnet1d_attn",
            "role": role,
            "widths": DENSE if dense else SLIM,
            "parameters": 417892 if dense else 96310,
            "nonzero_parameters": 417892 if dense else 96302,
            "macs": 23_456_789 if dense else 6_543_210,
            "classes": self.classes,
            "preprocessing": self.preprocessing,
            "data": self.data,
            "training": TrainingConfig(leads={}),
            "seed": 0,
            "val": self.scored(self.data.val_records, 0, "val"),
            "test": self.scored(self.data.test_records, 0 if dense else 3),
            "weights_sha256": sha(role),
            "parent_sha256": None if dense else sha("baseline"),
            "epochs": 12,
            "git_revision": "0123456789ab",
            "edgeecg_version": "0.1.0",
        }
        return ModelCard(**{**fields, **changes})

    def log(self) -> CompressionLog:
        steps = tuple(
            CompressionStep(
                step=n,
                attempt=n,
                progress=0.2 * n,
                target_sparsity=0.15 * n,
                sparsity=0.15 * n + 0.004,
                parameters=417892 - 64000 * n,
                weight_bytes=4 * (417892 - 64000 * n),
                nonzero_parameters=417892 - 64000 * n,
                macs=23_456_789 - 3_300_000 * n,
                proxy_ideal=1 - 0.14 * n,
                proxy_executed=1 - 0.135 * n,
                widths=SLIM,
                layer_sparsity={"stem": 0.1 * n, "stages.0": 0.12 * n},
                train_loss=(0.4, 0.3),
                val=self.scored(self.data.val_records, n, "val"),
                seconds=41.5,
            )
            for n in range(1, 6)
        )
        return CompressionLog(
            config=CompressionConfig(),
            data=self.data,
            steps=steps,
            baseline_costs=totals(costs("baseline", "float32")),
            command="edgeecg compress resnet1d_attn",
        )

    def manifest(
        self, role: Role, dtype: DType = "float32", form: Format = "tflite", **changes: Any
    ) -> Artifact:
        target = form + ("-int8" if dtype == "int8" else "")
        stem = f"resnet1d_attn-{role}-{target}"
        layers = costs(role, dtype)
        fields: dict[str, Any] = {
            "name": stem,
            "role": role,
            "format": form,
            "dtype": dtype,
            "target": target,
            "model": "resnet1d_attn",
            "run": self.run.name,
            "parameters": 417892 if role == "baseline" else 96310,
            "classes": self.classes,
            "input_shape": (1, len(self.preprocessing.leads), self.preprocessing.window),
            "preprocessing": self.preprocessing,
            "data": self.source,
            "task": self.task,
            "class_map": self.data.class_map,
            "weights_sha256": sha(role),
            "layers": layers,
            "costs": totals(layers),
            "baseline": Baseline(
                weights_sha256=sha("baseline"), costs=totals(costs("baseline", "float32"))
            ),
            "verification": Parity(n=64, max_abs_diff=2e-6, label_agreement=1.0),
            "test": self.scored(self.data.test_records, 4 if dtype == "int8" else 3),
            "versions": {"torch": "2.13.0", "litert-torch": "0.10.0"},
            "git_revision": "0123456789ab",
            "file": f"{stem}.{form}",
            "sha256": sha(stem),
            "size_bytes": {"baseline": 1_684_320, "compressed": 396_512}[role]
            // (4 if dtype == "int8" else 1),
        }
        return Artifact(**{**fields, **changes})

    def result(self, manifest: Artifact, p50_s: float = 2.1e-3, **changes: Any) -> BenchResult:
        assert manifest.file is not None
        assert manifest.sha256 is not None
        assert manifest.size_bytes is not None
        fields: dict[str, Any] = {
            "artifact": ArtifactRef(
                file=manifest.file,
                sha256=manifest.sha256,
                format=manifest.format,
                dtype=manifest.dtype,
                size_bytes=manifest.size_bytes,
                manifest=manifest,
            ),
            "device": device(),
            "runtime": "litert 2.3.0",
            "latency": latency(p50_s),
            "breakdown": Breakdown(
                empty_graph_s=2e-6,
                peak_macs_per_s=2.4e10,
                roofline_s=p50_s * 0.6,
                rest_s=p50_s * 0.39,
            ),
            "energy": no_energy(),
            "proxy": Proxy(ideal=0.245, executed=0.262, macs=6_500_000, weight_bytes=390_000),
            "memory": Memory(peak_rss_bytes=58_200_000),
            "parity": Parity(n=64, max_abs_diff=3e-6, label_agreement=1.0),
        }
        return BenchResult(**{**fields, **changes})

    def write_models(self) -> None:
        self.run.path.mkdir(parents=True, exist_ok=True)
        self.run.baseline_card.write_text(self.card("baseline").to_json(), encoding="utf-8")
        self.run.model_card.write_text(self.card("compressed").to_json(), encoding="utf-8")
        self.run.compression_log.write_text(self.log().to_json(), encoding="utf-8")

    def write_manifest(self, manifest: Artifact) -> Artifact:
        self.run.artifacts.mkdir(exist_ok=True)
        path = self.run.artifacts / f"{manifest.name}.json"
        path.write_text(manifest.to_json(), encoding="utf-8")
        return manifest

    def forget_measurements(self) -> None:
        """Remove the bench reports that the run has."""
        for path in self.run.bench_files():
            path.unlink()

    def write_bench(
        self, *results: BenchResult, name: str = "bench", created: str = "2026-01-02T03:04:05+00:00"
    ) -> Path:
        self.run.bench.mkdir(exist_ok=True)
        path = self.run.bench / f"{name}.json"
        path.write_text(bench(*results, created=created).to_json(), encoding="utf-8")
        return path

    def write_all(self) -> None:
        """Three exported files, all measured in one call; the baseline's proxy is 1."""
        self.write_models()
        dense = self.write_manifest(self.manifest("baseline"))
        slim = self.write_manifest(self.manifest("compressed"))
        small = self.write_manifest(self.manifest("compressed", "int8"))
        self.write_bench(
            self.result(
                dense, 2.1e-3, proxy=Proxy(ideal=1, executed=1, macs=23_000_000, weight_bytes=1)
            ),
            self.result(slim, 0.84e-3),
            self.result(
                small, 0.42e-3, proxy=Proxy(ideal=0.05, executed=0.06, macs=6, weight_bytes=1)
            ),
        )
