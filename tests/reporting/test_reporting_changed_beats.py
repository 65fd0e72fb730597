"""The beats of a page on which the compressed model decides otherwise, with their strips."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from report_run import Builder

from edgeecg.reporting import changed_windows, documents
from edgeecg.reporting.changed_windows import ChangedWindows, Origin
from edgeecg.reporting.html import changed_beats


def write_probes(builder: Builder, **arrays: Any) -> None:
    """Write the probe sets of the baseline and of the compressed tflite files."""
    logits = np.array([[2, 0, 0], [0, 2, 0], [0, 0, 2]], np.float32)
    other = np.array([[2, 0, 0], [0, 0, 9], [2, 0, 0]], np.float32)
    x = np.arange(3 * 256, dtype=np.float32).reshape(3, 1, 256)
    for stem, values in (("baseline-tflite", logits), ("compressed-tflite", other)):
        path = builder.run.artifacts / f"resnet1d_attn-{stem}.probe.npz"
        np.savez(path, x=x, logits=values, **arrays)


def test_beats_with_another_class_are_found_with_their_origin(full: Builder) -> None:
    write_probes(
        full,
        record=np.array(["100", "201", "202"]),
        patient=np.array(["100", "p1", "p1"]),
        sample=np.array([1, 12345, 2]),
        label=np.array([0, 1, 0]),
    )
    changed = changed_windows.find(full.run, documents.read(full.run))
    assert isinstance(changed, ChangedWindows)
    assert (changed.changed, changed.windows) == (2, 3)
    # The dense model was right in the second window, the compressed one in the third.
    assert (changed.right_before, changed.right_after) == (1, 1)
    first = changed.shown[0]
    assert (first.before, first.after, first.annotated) == ("S", "V", "S")
    assert first.origin == Origin("201", "p1", 12345)
    strips = changed_beats.figures(changed, "")
    assert strips[0].title == (
        "Dense S, compressed V, annotated S: lead MLII, record 201, patient p1, "
        "R peak at sample 12,345"
    )
    assert len(strips[0].traces[0]["y"]) == 256
    assert "2 of 3 probe windows" in changed_beats.sentence(changed)


ORIGINS: dict[str, Any] = {
    "record": np.array(["100", "201", "202"]),
    "patient": np.array(["100", "p1", "p1"]),
    "sample": np.array([1, 36000, 2]),
}
STRIPS: dict[str, Any] = {
    "strip_window": np.array([1]),
    "strip_microvolts": np.array([[0, 250, 1500, -500, 0, 77]], np.int16),
    "strip_length": np.array([5]),
    "strip_fs_hz": np.array([360.0]),
    "strip_start": np.array([35998]),
}


def test_a_strip_has_millivolts_and_the_time_in_the_record(full: Builder) -> None:
    write_probes(full, **ORIGINS, **STRIPS)
    changed = changed_windows.find(full.run, documents.read(full.run))
    assert isinstance(changed, ChangedWindows)
    strip = changed.shown[0].strip
    assert strip is not None
    # Sample 36,000 at 360 Hz is 100 s; the strip starts two samples before it.
    assert (strip.peak_s, strip.start_s) == (100.0, pytest.approx(100 - 2 / 360))
    figure = changed_beats.figures(changed, "")[0]
    assert figure.title == ("Dense S, compressed V: lead MLII, record 201, patient p1, at 01:40.0")
    assert figure.traces[0]["y"] == [0.0, 0.25, 1.5, -0.5, 0.0]
    assert figure.traces[0]["dx"] == pytest.approx(1 / 360)
    assert figure.layout["yaxis"]["title"]["text"] == "mV"
    assert "from -0.50 to 1.50 mV" in figure.text
    # A window is 256 samples at 128 Hz around sample 160: 1.25 s before to 0.75 s after the peak.
    shaded = figure.layout["shapes"][1]
    assert (shaded["x0"], shaded["x1"]) == (98.75, 100.75)
    # No strip of the second window is stored: the window is shown instead.
    assert changed.shown[1].strip is None


@pytest.mark.parametrize(
    "damaged",
    [
        {"strip_fs_hz": np.array([0.0])},
        {"strip_fs_hz": np.array([np.nan])},
        {"strip_length": np.array([0])},
        {"strip_length": np.array([np.inf])},
        {"strip_fs_hz": np.array(["fast"])},
        {"strip_microvolts": np.zeros(6, np.int16)},
        {"strip_start": np.array([1, 2])},
    ],
)
def test_a_damaged_strip_is_not_shown(full: Builder, damaged: dict[str, Any]) -> None:
    write_probes(full, **ORIGINS, **{**STRIPS, **damaged})
    changed = changed_windows.find(full.run, documents.read(full.run))
    assert isinstance(changed, ChangedWindows)
    assert changed.shown[0].strip is None
    assert "deviations" in changed_beats.figures(changed, "")[0].text


@pytest.mark.parametrize(
    ("seconds", "digits", "shown"),
    [(0, 0, "00:00"), (59.96, 1, "01:00.0"), (754.62, 1, "12:34.6"), (3661, 0, "1:01:01")],
)
def test_a_time_in_a_record(seconds: float, digits: int, shown: str) -> None:
    assert changed_beats.clock(seconds, digits) == shown


def test_probe_sets_of_an_earlier_version_have_no_origin(full: Builder) -> None:
    write_probes(full)
    changed = changed_windows.find(full.run, documents.read(full.run))
    assert isinstance(changed, ChangedWindows)
    assert changed.right_before is None
    assert changed.shown[0].origin is None
    assert "export it again" in changed_beats.figures(changed, "")[0].title


def test_why_changed_beats_are_not_known(full: Builder) -> None:
    read = documents.read(full.run)
    assert "edgeecg export" in str(changed_windows.find(full.run, read))
    write_probes(full)
    damaged = full.run.artifacts / "resnet1d_attn-baseline-tflite.probe.npz"
    damaged.write_bytes(b"PK\x03\x04 no archive")
    assert f"{damaged} cannot be read" in str(changed_windows.find(full.run, read))
    np.savez(damaged, x=np.ones((3, 1, 256), np.float32), logits=np.ones((3, 3), np.float32))
    assert "other windows" in str(changed_windows.find(full.run, read))


@pytest.mark.parametrize(
    ("arrays", "words"),
    [
        ({"label": np.array([0, 1, 7])}, "class numbers from 0 to 2"),
        ({"label": np.array([0, -1, 1])}, "class numbers from 0 to 2"),
        ({"label": np.array([0, 1])}, "'label' should have the shape (3,)"),
        ({"label": np.array(["N", "S", "V"])}, "'label' should be integers"),
        ({**ORIGINS, "record": np.array(["100"])}, "'record' should have the shape (3,)"),
        ({**ORIGINS, "sample": np.array(["a", "b", "c"])}, "'sample' should be integers"),
        ({"logits": np.eye(3, 2, dtype=np.float32)}, "'logits' should have the shape (3, 3)"),
        ({"logits": np.eye(3, 1, dtype=np.float32)}, "'logits' should have the shape (3, 3)"),
        ({"x": np.ones((3, 1, 9), np.float32)}, "'x' should have the shape (3, 1, 256)"),
    ],
)
def test_probe_sets_whose_arrays_do_not_fit_the_model_are_named(
    full: Builder, arrays: dict[str, Any], words: str
) -> None:
    write_probes(full)
    path = full.run.artifacts / "resnet1d_attn-compressed-tflite.probe.npz"
    with np.load(path) as written:
        np.savez(path, **{**written, **arrays})
    said = changed_windows.find(full.run, documents.read(full.run))
    assert isinstance(said, str)
    assert words in said
    assert path.name in said
