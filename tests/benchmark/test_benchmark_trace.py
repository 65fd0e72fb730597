"""The energy of an inference from a trace that an instrument exported."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from trace_recordings import (
    BUSY_A,
    BUSY_S,
    IDLE_A,
    NET_J,
    PERIOD_S,
    RATE_HZ,
    VOLTS,
    ppk2,
    recording,
    written,
)

from edgeecg.benchmark.trace import energy_of_trace
from edgeecg.benchmark.trace_config import TraceConfig
from edgeecg.errors import DataError, UsageError

FORMATS: dict[str, tuple[str, Callable[[float, float, bool], str], dict[str, str]]] = {
    "PPK2, one column of inputs": (
        "Timestamp(ms),Current(uA),D0-D7",
        lambda t, a, b: f"{t * 1e3:.2f},{a * 1e6:.3f},-{int(b)}000000",
        {"marker": "D1", "voltage": "3.3V"},
    ),
    "PPK2, a column for each input": (
        "Timestamp(ms),Current(uA),D0,D1,D2,D3,D4,D5,D6,D7",
        lambda t, a, b: f"{t * 1e3:.2f},{a * 1e6:.3f},0,0,{int(b)},0,0,0,0,0",
        {"marker": "d2", "voltage": "3300mV"},
    ),
    "PPK2, the input that changes": (
        "Timestamp(ms),Current(uA),D0-D7,D0,D1",
        lambda t, a, b: f"{t * 1e3:.2f},{a * 1e6:.3f},0{int(b)},0,{int(b)}",
        {"voltage": "3.3"},
    ),
    "Joulescope": (
        "#time (s),current (A),voltage (V)",
        lambda t, a, b: f"{t:.7f},{a:.9f},{VOLTS}",
        {"threshold": "5mA"},
    ),
    "Monsoon": (
        "Time (s),Main Avg Current (mA),Main Max Current (mA),Main Avg Voltage (V),USB (mA)",
        lambda t, a, b: f"{t:.6f},{a * 1e3:.6f},99,{VOLTS},7",
        {"threshold": "0.005A"},
    ),
    "oscilloscope, units in a line of their own": (
        "Model,MSO5074\n,,\nTime,Channel A,Channel B\n(ms),(mA),(V)\n",
        lambda t, a, b: f"{t * 1e3:.4f},{a * 1e3:.6f},{2.9 if b else 0.1}",
        {"marker": "Channel B", "voltage": "3.3V"},
    ),
    "generic power, semicolons and decimal commas": (
        "t_s;watts;marker",
        lambda t, a, b: f"{t:.5f};{a * VOLTS:.9f};{'high' if b else 'low'}".replace(".", ","),
        {},
    ),
    "tabs, units in square brackets": (
        "time [us]\tpower [mW]",
        lambda t, a, b: f"{t * 1e6:.0f}\t{a * VOLTS * 1e3:.6f}",
        {"threshold": "13 mW"},
    ),
}


@pytest.mark.parametrize("name", FORMATS)
def test_the_energy_of_every_format(name: str, tmp_path: Path) -> None:
    header, row, options = FORMATS[name]
    path = written(tmp_path, header, row)
    found = energy_of_trace(path, TraceConfig.model_validate({"inferences": 10, **options}))
    energy = found.energy
    assert energy.tier == "measured"
    assert energy.net_j == pytest.approx(NET_J, rel=2e-3)
    assert energy.idle_w == pytest.approx(IDLE_A * VOLTS, rel=2e-3)
    assert energy.gross_j == pytest.approx(BUSY_A * VOLTS * BUSY_S / 10, rel=2e-3)
    assert (energy.windows, energy.inferences) == (8, 80)
    low, high = energy.ci95_j or (1.0, 0.0)
    assert low <= NET_J * 1.002
    assert high >= NET_J * 0.998
    assert not energy.replayed


def test_the_windows_are_where_the_marker_is_high(tmp_path: Path) -> None:
    found = energy_of_trace(ppk2(tmp_path), TraceConfig(inferences=3, voltage="3.3V"))
    busy = [window for window in found.windows if window.inferences]
    assert [window.begun_s for window in busy] == pytest.approx(
        [0.1 + PERIOD_S * k for k in range(8)]
    )
    assert [window.ended_s - window.begun_s for window in busy] == pytest.approx([BUSY_S] * 8)
    assert {window.inferences for window in busy} == {3}


def test_inferences_in_total_are_divided_among_the_windows(tmp_path: Path) -> None:
    path = ppk2(tmp_path)
    each = TraceConfig(inferences=10, voltage="3.3V")
    total = each.model_copy(update={"inferences": 80, "total": True})
    assert energy_of_trace(path, total).energy == energy_of_trace(path, each).energy
    with pytest.raises(UsageError, match="cannot be divided") as caught:
        energy_of_trace(path, total.model_copy(update={"inferences": 81}))
    assert "8 busy windows" in caught.value.why


def test_single_inferences_are_joined_to_bursts(tmp_path: Path) -> None:
    # Each burst is ten pulses of 5 ms with 5 ms between them: half of the energy.
    path = tmp_path / "trace.csv"
    lines = ["t_s,watts,marker"]
    for t, _, busy in zip(*recording(), strict=True):
        pulse = busy and (round(t * RATE_HZ) // 50) % 2 == 0
        lines.append(f"{t:.5f},{0.02 if pulse else 0.01},{int(pulse)}")
    path.write_text("\n".join(lines))
    found = energy_of_trace(path, TraceConfig(inferences=1, merge_s=0.02))
    busy = [window for window in found.windows if window.inferences]
    assert len(busy) == 8
    assert {window.inferences for window in busy} == {10}
    assert found.energy.net_j == pytest.approx(0.01 * 0.005, rel=1e-2)


def test_short_spikes_over_a_threshold_are_no_windows(tmp_path: Path) -> None:
    path = tmp_path / "trace.csv"
    lines = ["t_s,watts"]
    for number, (t, amperes, _) in enumerate(zip(*recording(), strict=True)):
        spike = number % 1000 in (50, 51, 52)
        watts = (0.03 if amperes < 4e-3 else 0.001) if spike else amperes * VOLTS
        lines.append(f"{t:.5f},{watts:.9f}")
    path.write_text("\n".join(lines))
    config = TraceConfig(inferences=10, threshold="13mW")
    found = energy_of_trace(path, config)
    assert sum(window.inferences > 0 for window in found.windows) == 8
    with pytest.raises(DataError, match="too short"):
        energy_of_trace(path, config.model_copy(update={"shortest_s": 1e-4}))


def cut(folder: Path, kept: slice) -> Path:
    """Write a part of the recording, by its samples."""
    lines = ["t_s,current_a,marker"]
    for t, amperes, busy in zip(*(each[kept] for each in recording()), strict=True):
        lines.append(f"{t:.5f},{amperes:.9f},{int(busy)}")
    path = folder / "cut.csv"
    path.write_text("\n".join(lines))
    return path


def test_windows_at_the_ends_are_left_out_and_said_so(tmp_path: Path) -> None:
    path = cut(tmp_path, slice(1500, 19_000))
    energy = energy_of_trace(path, TraceConfig(inferences=10, voltage="3.3V")).energy
    assert energy.windows == 6
    assert energy.net_j == pytest.approx(NET_J, rel=2e-3)
    assert [word for word in ("begin", "end") if any(word in each for each in energy.warnings)] == [
        "begin",
        "end",
    ]


def test_a_short_rest_at_an_end_costs_its_busy_window_alone(tmp_path: Path) -> None:
    last = max(place for place, is_busy in enumerate(recording()[2]) if is_busy) + 1
    path = cut(tmp_path, slice(0, last + 5))
    energy = energy_of_trace(path, TraceConfig(inferences=10, voltage="3.3V")).energy
    assert energy.windows == 7
    assert energy.inferences == 70
    assert energy.net_j == pytest.approx(NET_J, rel=2e-3)
    assert any("The last busy window" in each for each in energy.warnings)


def test_a_window_with_a_gap_is_left_out(tmp_path: Path) -> None:
    lines = ppk2(tmp_path).read_text().splitlines()
    # 3 ms are missing in the second burst, which is from 0.35 s to 0.45 s.
    del lines[4001:4031]
    path = tmp_path / "gap.csv"
    path.write_text("\n".join(lines))
    energy = energy_of_trace(path, TraceConfig(inferences=10, voltage="3.3V")).energy
    assert energy.windows == 7
    # Those of the windows that are used.
    assert energy.inferences == 70
    (reason,) = energy.invalid
    assert "Window 2 of 8" in reason
    assert "0.0031 s" in reason
    assert energy.net_j == pytest.approx(NET_J, rel=2e-3)


def test_empty_fields_are_dropped_and_counted(tmp_path: Path) -> None:
    path = ppk2(tmp_path)
    lines = path.read_text().splitlines()
    for number in (100, 200):
        time, _, bits = lines[number].split(",")
        lines[number] = f"{time},,{bits}"
    path.write_text("\n".join(lines))
    assert energy_of_trace(path, TraceConfig(inferences=10, voltage="3.3V")).energy.dropped == 2


def test_a_recording_that_was_cut_off_is_used_without_its_last_line(tmp_path: Path) -> None:
    path = ppk2(tmp_path)
    path.write_text(path.read_text() + "\n2000.0,10x")
    energy = energy_of_trace(path, TraceConfig(inferences=10, voltage="3.3V")).energy
    assert energy.tier == "measured"
    assert any("last line is incomplete" in each for each in energy.warnings)


@pytest.mark.parametrize("encoding", ["utf-8-sig", "cp1252", "utf-16"])
def test_the_micro_sign_in_every_encoding(encoding: str, tmp_path: Path) -> None:
    path = written(
        tmp_path,
        "Time (s),Current (µA)",
        lambda t, a, b: f"{t:.5f},{a * 1e6:.3f}",
        encoding=encoding,
    )
    config = TraceConfig(inferences=10, voltage="3.3V", threshold="5mA")
    assert energy_of_trace(path, config).energy.net_j == pytest.approx(NET_J, rel=2e-3)
