"""What ``edgeecg export`` says about the files it wrote: which to take where, and what is slow."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from edgeecg.cli import _export_table
from edgeecg.costs.lstm_runtimes import WHY, WHY_INT8
from edgeecg.exporters import _advice
from edgeecg.exporters._advice import (
    advice,
    p50_here,
    slower_than_float32,
    slower_than_onnx,
)
from edgeecg.runs import RunFolder
from edgeecg.schema import Artifact, CostTotals, LayerCost, Parity, Preprocessing, Speed
from edgeecg.schema.value import DType

WITH_VNNI, WITHOUT_VNNI = "x86-64 with VNNI", "x86-64 without VNNI"


def artifact(
    target: str,
    macs: dict[str, int],
    p50_s: float | None = None,
    float32_s: float = 1e-4,
    **changes: Any,
) -> Artifact:
    """Return the manifest of a file that takes ``p50_s``, and its float32 file ``float32_s``."""
    counted = {"weight_bytes": 1, "nonzero_weight_bytes": 1, "activation_bytes": 1}
    fields: dict[str, Any] = {
        "name": f"m-{target}",
        "role": "baseline",
        "format": "onnx" if "onnx" in target else "tflite",
        "dtype": "int8" if "int8" in target else "float32",
        "target": target,
        "model": "m",
        "run": "r",
        "parameters": 1,
        "classes": ("N",),
        "input_shape": (1, 1, 8),
        "preprocessing": Preprocessing(),
        "data": "synthetic",
        "weights_sha256": "0" * 64,
        "layers": (),
        "costs": CostTotals.model_validate({"macs": macs, "nonzero_macs": macs, **counted}),
        "baseline": None,
        "verification": Parity(n=1, max_abs_diff=0.0, label_agreement=1.0),
        "test": None,
        "versions": {},
        "git_revision": None,
    }
    if p50_s is not None:
        ratio = p50_s / float32_s
        fields["speed"] = Speed(
            p50_s=p50_s,
            float32_p50_s=float32_s,
            ratio=ratio,
            ratio_low=0.99 * ratio,
            ratio_high=1.01 * ratio,
        )
    return Artifact(**{**fields, **changes})


def layer(op: str, dtype: DType = "float32") -> LayerCost:
    return LayerCost(
        name=op,
        op=op,
        dtype=dtype,
        macs=1,
        nonzero_fraction=1.0,
        weight_bytes=1,
        activation_bytes=1,
    )


def advised(files: list[Artifact]) -> dict[str, str]:
    return {each.device.partition(",")[0]: each.artifact.target for each in advice(files)}


def test_int8_is_advised_where_the_processor_has_dot_products() -> None:
    files = [
        artifact("tflite", {"float32": 10}),
        artifact("tflite-int8", {"int8": 8, "float32": 2}),
        artifact("tflite-int8-io", {"int8": 10}),
    ]
    assert advised(files) == {
        "Raspberry Pi 4": "tflite",
        "Raspberry Pi 5": "tflite-int8",
        WITH_VNNI: "tflite-int8",
        WITHOUT_VNNI: "tflite",
        "Microcontroller": "tflite-int8-io",
    }


def test_int8_is_not_advised_for_a_model_that_stays_float32_in_it() -> None:
    lstm = {"int8": 1, "float32": 9}
    files = [artifact("tflite", {"float32": 10})]
    files += [artifact(name, lstm) for name in ("tflite-int8", "tflite-int8-io")]
    assert set(advised(files).values()) == {"tflite"}


def test_lstm_layers_in_int8_are_advised_on_arm_and_not_on_x86(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(_advice, "_kind_of_this_machine", lambda: None)
    lstm = (layer("UNIDIRECTIONAL_SEQUENCE_LSTM", "int8"),)
    slow = artifact("tflite-int8", {"int8": 10}, 4e-4, layers=lstm)
    found = advised([artifact("tflite", {"float32": 10}), slow])
    assert (found["Raspberry Pi 5"], found[WITH_VNNI]) == ("tflite-int8", "tflite")
    monkeypatch.setattr(_advice.platform, "machine", lambda: "x86_64")
    said = "m-tflite-int8 takes 4.00 times as long as float32 here"
    assert slower_than_float32([slow]) == [f"{said}: {WHY_INT8}."]
    # Its LSTM has int8 weights and float32 values.
    hybrid = artifact("tflite-dynamic", {"int8": 10}, 4e-4, layers=lstm)
    assert WHY_INT8 not in slower_than_float32([hybrid])[0]
    monkeypatch.setattr(_advice.platform, "machine", lambda: "aarch64")
    assert WHY_INT8 not in slower_than_float32([slow])[0]


def test_a_file_with_float32_operations_is_not_advised_for_a_microcontroller() -> None:
    files = [artifact("tflite", {"float32": 10})]
    assert "Microcontroller" not in advised(
        [*files, artifact("tflite-int16x8", {"int8": 9, "float32": 1})]
    )
    integers = [*files, artifact("tflite-int16x8", {"int8": 10})]
    assert advised(integers)["Microcontroller"] == "tflite-int16x8"
    # An operation without multiplications counts, too; conversions do not.
    for op, usable in (("SIN", False), ("DEQUANTIZE", True)):
        layers = (layer("CONV_2D", "int8"), layer(op).model_copy(update={"macs": 0}))
        file = artifact("tflite-int8-io", {"int8": 10}, layers=layers)
        assert ("Microcontroller" in advised([file])) == usable


def timed(onnx_s: float) -> list[Artifact]:
    """Return files of a model whose ``tflite`` takes 1 ms and whose ``onnx`` takes ``onnx_s``."""
    lstm = (layer("UNIDIRECTIONAL_SEQUENCE_LSTM"),)
    return [
        artifact("tflite", {"float32": 10}, layers=lstm),
        artifact("tflite-int8", {"int8": 10}, 9e-4, 1e-3, layers=lstm),
        artifact("onnx", {"float32": 10}),
        artifact("onnx-int8", {"int8": 10}, 5e-3, onnx_s),
    ]


@pytest.mark.parametrize(
    ("here", "onnx_s", "expected"),
    [
        (WITH_VNNI, 4e-4, {WITH_VNNI: "onnx", WITHOUT_VNNI: "tflite"}),
        (WITHOUT_VNNI, 4e-4, {WITH_VNNI: "tflite-int8", WITHOUT_VNNI: "onnx"}),
        # 0.9 ms are less than 1.3 times 0.8 ms.
        (WITH_VNNI, 8e-4, {WITH_VNNI: "tflite-int8", WITHOUT_VNNI: "tflite"}),
        (None, 4e-4, {WITH_VNNI: "tflite-int8", WITHOUT_VNNI: "tflite"}),
    ],
)
def test_times_measured_here_decide_for_the_kind_of_this_machine(
    monkeypatch: pytest.MonkeyPatch, here: str | None, onnx_s: float, expected: dict[str, str]
) -> None:
    monkeypatch.setattr(_advice, "_kind_of_this_machine", lambda: here)
    found = advised(timed(onnx_s))
    assert {kind: found[kind] for kind in expected} == expected
    assert found["Raspberry Pi 4"] == "tflite"


def test_the_time_of_a_float32_file_is_that_beside_its_quantised_files() -> None:
    files = [
        artifact("tflite", {}),
        artifact("tflite-int8", {}, 2e-4, 1e-3),
        artifact("tflite-fp16", {}, 3e-4, 3e-3),
        artifact("onnx", {}),
        artifact("tflite", {}, role="compressed"),
    ]
    assert p50_here(files[0], files) == pytest.approx(2e-3)
    assert p50_here(files[1], files) == 2e-4
    assert [p50_here(each, files) for each in files[3:]] == [None, None]


def test_a_file_that_is_slower_than_float32_is_named() -> None:
    slow = artifact("tflite-int8", {"int8": 8}, 1.3e-4)
    fast = artifact("tflite-mixed", {"int8": 8}, 0.4e-4)
    hardly = artifact("tflite-dynamic", {"int8": 8}, 1.04e-4)
    (said,) = slower_than_float32([slow, fast, hardly])
    assert said.startswith("m-tflite-int8 takes 1.30 times as long as float32 here: ")


def test_an_lstm_that_is_slower_in_litert_is_named_with_the_reason() -> None:
    assert slower_than_onnx(timed(4e-4)) == [f"m-tflite takes 2.5 times as long as m-onnx: {WHY}."]
    assert slower_than_onnx(timed(8e-4)) == []
    without = [each.model_copy(update={"layers": (layer("CONV_2D"),)}) for each in timed(4e-4)]
    assert slower_than_onnx(without) == []
    assert slower_than_onnx(timed(4e-4)[:2]) == []


def test_the_screen_has_times_reasons_and_advice_in_80_columns(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_advice, "_kind_of_this_machine", lambda: WITH_VNNI)
    large = {"role": "compressed", "size_bytes": 6_881_000}
    files = [each.model_copy(update=large) for each in timed(3e-4)]
    reasons = {"UNIDIRECTIONAL_SEQUENCE_LSTM": "The LSTM layers stay in float32."}
    files += [
        artifact("tflite-dynamic", {"int8": 115_330_000}, 1.2345e-2, 1e-3, **large),
        artifact("tflite-int8-io", {"int8": 10}, 9e-4, 1e-3, float_reasons=reasons, **large),
    ]
    shown = io.StringIO()
    console = Console(file=shown, width=80)
    _export_table.show(console, RunFolder(tmp_path), files, (), with_advice=True)
    printed = shown.getvalue()
    assert "…" not in printed
    lines = [line for line in printed.splitlines() if line.startswith(" compressed")]
    # The score, which is unknown here, would need one column more.
    assert {len(line) for line in lines} == {79}
    # kB, million MACs, proxy, p50 in µs, time relative to float32.
    assert lines[4].split()[1:7] == ["tflite-dynamic", "6,881", "115.33", "-", "12345", "12.35"]
    assert [line.split()[5] for line in lines[:4]] == ["1000", "900", "300", "5000"]
    assert "m-tflite-int8-io: The LSTM layers stay in float32." in printed
    assert "x86-64 with VNNI: onnx, 3.0 times as fast here as tflite-int8" in printed
