"""The energy of an inference from a trace that an instrument exported."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st
from numpy.typing import NDArray

from edgeecg.benchmark import trace_columns, trace_file
from edgeecg.benchmark.trace import energy_of_trace
from edgeecg.benchmark.trace_file import TraceOptions
from edgeecg.benchmark.trace_windows import TraceConfig
from edgeecg.errors import DataError, EdgeECGError, UsageError

IDLE_A, BUSY_A, VOLTS = 1e-3, 8e-3, 3.3
RATE_HZ, PERIOD_S, BUSY_S = 10_000, 0.25, 0.1
NET_J = (BUSY_A - IDLE_A) * VOLTS * BUSY_S / 10
"""Net energy of each of ten inferences in a window of a tenth of a second."""


def recording(seconds: float = 2.0) -> tuple[NDArray[np.float64], NDArray[np.float64], list[bool]]:
    """Return times, amperes and marker: bursts of 0.1 s, from 0.1 s on, every 0.25 s."""
    t = np.arange(round(seconds * RATE_HZ)) / RATE_HZ
    phase = np.round(t * RATE_HZ) % round(PERIOD_S * RATE_HZ)
    busy = (phase >= 0.1 * RATE_HZ) & (phase < 0.2 * RATE_HZ)
    noise = np.random.default_rng(0).normal(0, 1e-5, t.size)
    return t, np.where(busy, BUSY_A, IDLE_A) + noise, busy.tolist()


def written(
    folder: Path,
    header: str,
    row: Callable[[float, float, bool], str],
    seconds: float = 2.0,
    encoding: str = "utf-8",
) -> Path:
    path = folder / "trace.csv"
    lines = [header, *(row(*sample) for sample in zip(*recording(seconds), strict=True))]
    path.write_bytes("\n".join(lines).encode(encoding))
    return path


def ppk2(folder: Path, bits: str = "{}-000000") -> Path:
    return written(
        folder,
        "Timestamp(ms),Current(uA),D0-D7",
        lambda t, a, b: f"{t * 1e3:.2f},{a * 1e6:.3f},{bits.format(int(b))}",
    )


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


def test_windows_at_the_ends_are_left_out_and_said_so(tmp_path: Path) -> None:
    t, amperes, busy = recording()
    kept = slice(1500, 19_000)
    lines = ["t_s,current_a,marker"]
    lines += [
        f"{x:.5f},{a:.9f},{int(b)}"
        for x, a, b in zip(t[kept], amperes[kept], busy[kept], strict=True)
    ]
    path = tmp_path / "cut.csv"
    path.write_text("\n".join(lines))
    energy = energy_of_trace(path, TraceConfig(inferences=10, voltage="3.3V")).energy
    assert energy.windows == 6
    assert energy.net_j == pytest.approx(NET_J, rel=2e-3)
    assert [word for word in ("begin", "end") if any(word in each for each in energy.warnings)] == [
        "begin",
        "end",
    ]


def test_a_window_with_a_gap_is_left_out(tmp_path: Path) -> None:
    lines = ppk2(tmp_path).read_text().splitlines()
    # 3 ms are missing in the second burst, which is from 0.35 s to 0.45 s.
    del lines[4001:4031]
    path = tmp_path / "gap.csv"
    path.write_text("\n".join(lines))
    energy = energy_of_trace(path, TraceConfig(inferences=10, voltage="3.3V")).energy
    assert energy.windows == 7
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


GOOD: Sequence[str] = [
    f"{t / 100},{2 if t % 40 >= 20 else 1},{int(t % 40 >= 20)}" for t in range(400)
]

FAULTS: dict[str, tuple[bytes, dict[str, str], str]] = {
    "empty": (b"", {}, "is empty"),
    "blank lines": (b"\n \n", {}, "is empty"),
    "binary": (b"\0\1\2" * 99, {}, "not a text file"),
    "a ppk2 session": (b"PK\x03\x04rest", {}, "not a text file"),
    "header alone": (b"t_s,watts,marker\n", {}, "too few samples"),
    "no header": ("\n".join(GOOD).encode(), {}, "has no header"),
    "no time": (b"power (W),marker\n1,0\n2,1\n", {}, "not the columns"),
    "no power": (b"time (s),temperature (C)\n1,0\n2,1\n", {}, "not the columns"),
    "no voltage": (b"time (s),current (A),marker\n1,0,0\n2,1,1\n", {}, "voltage"),
    "two voltages": (
        b"time (s),current (A),voltage (V)\n1,0,3\n2,1,3\n",
        {"voltage": "3V"},
        "--voltage cannot",
    ),
    "two currents": (
        b"time (s),probe 1 (A),probe 2 (A)\n1,0,3\n2,1,3\n",
        {"voltage": "3V"},
        "several columns of current",
    ),
    "decimal commas between commas": (
        b"t_s,watts,marker\n0,01,1,5,0\n0,02,1,5,1\n",
        {},
        "Line 2",
    ),
    "text among the numbers": (b"t_s,watts,marker\n1,2,0\n2,abc,0\n3,1,1\n", {}, "Line 3"),
    "a short line": (b"t_s,marker,watts\n1,0,2\n2\n3,1,1\n", {}, "Line 3"),
    "unordered times": (b"t_s,watts,marker\n1,2,0\n3,2,0\n2,2,1\n4,2,0\n", {}, "do not increase"),
    "equal times": (b"t_s,watts,marker\n1,2,0\n1,2,0\n2,2,1\n", {}, "do not increase"),
    "negative power": (b"t_s,watts,marker\n1,-2,0\n2,-3,1\n3,-2,0\n", {}, "is negative"),
    "no such marker": (b"t_s,watts,D0-D7\n1,2,00\n", {"marker": "D9"}, "no marker 'D9'"),
    "a marker of words": (
        b"t_s,watts,note\n1,2,begin\n2,2,stop\n3,2,begin\n",
        {"marker": "note"},
        "neither a level nor a number",
    ),
    "a marker that is low": (
        b"t_s,watts,D0\n1,2,0\n2,2,0\n3,2,0\n",
        {"marker": "D0"},
        "has no busy window",
    ),
    "no marker that changes": (b"t_s,watts,D0\n1,2,0\n2,2,0\n3,2,0\n", {}, "marker of"),
    "several that change": (b"t_s,watts,D0,D1\n1,2,0,1\n2,2,1,0\n3,2,0,1\n", {}, "marker of"),
    "always above": (b"t_s,watts\n1,2\n2,3\n3,2\n", {"threshold": "1W"}, "has no busy window"),
    "never above": (b"t_s,watts\n1,2\n2,3\n3,2\n", {"threshold": "5 W"}, "has no busy window"),
    "no rest before and after": (
        b"t_s,watts,marker\n1,2,1\n2,1,0\n3,2,1\n",
        {},
        "no busy window between idle ones",
    ),
    "a threshold without its quantity": (
        b"t_s,watts\n1,2\n2,3\n3,2\n",
        {"threshold": "5mA"},
        "the trace has none",
    ),
    "a threshold without a unit": (b"t_s,watts\n1,2\n", {"threshold": "5"}, "--threshold"),
    "a voltage in amperes": (
        b"t_s,watts\n1,2\n",
        {"voltage": "5mA", "threshold": "1W"},
        "--voltage",
    ),
    "two ways to find windows": (
        b"t_s,watts\n1,2\n",
        {"threshold": "5W", "marker": "D0"},
        "cannot be used together",
    ),
    "an open quotation mark": (b't_s,watts,marker\n1,2,0\n2,"3,1\n3,2,0\n', {}, "Line"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_faults_are_explained(fault: str, tmp_path: Path) -> None:
    content, options, message = FAULTS[fault]
    path = tmp_path / "trace.csv"
    path.write_bytes(content)
    config = TraceConfig.model_validate({"inferences": 1, **options})
    with pytest.raises((DataError, UsageError)) as caught:
        energy_of_trace(path, config)
    assert message in str(caught.value)
    assert all(each.endswith(".") for each in (caught.value.what, caught.value.todo))


def test_a_file_that_does_not_exist(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="cannot be read"):
        energy_of_trace(tmp_path / "no.csv", TraceConfig(inferences=1))


def test_missing_columns_are_listed_with_what_is_understood(tmp_path: Path) -> None:
    path = tmp_path / "trace.csv"
    path.write_text("when,Kelvin\n1,2\n")
    with pytest.raises(DataError) as caught:
        energy_of_trace(path, TraceConfig(inferences=1))
    assert "'when', 'Kelvin'" in caught.value.why
    assert "Timestamp(ms),Current(uA)" in caught.value.why


def test_a_column_can_be_chosen(tmp_path: Path) -> None:
    path = written(
        tmp_path,
        "time (s),probe 1 (mA),probe 2 (mA)",
        lambda t, a, b: f"{t:.5f},5,{a * 1e3:.6f}",
    )
    config = TraceConfig(
        inferences=10, voltage="3.3V", threshold="4mA", columns={"current": "probe 2"}
    )
    assert energy_of_trace(path, config).energy.net_j == pytest.approx(NET_J, rel=2e-3)
    with pytest.raises(UsageError, match="no column 'probe 3'"):
        energy_of_trace(path, config.model_copy(update={"columns": {"current": "probe 3"}}))


@pytest.mark.parametrize(
    ("text", "kind", "scale"),
    [
        ("mA", "current", 1e-3),
        ("uA", "current", 1e-6),
        ("\N{MICRO SIGN}A", "current", 1e-6),
        ("(V)", "voltage", 1.0),
        ("Volt", "voltage", 1.0),
        ("milliamps", "current", 1e-3),
        ("seconds", "time", 1.0),
        ("ms", "time", 1e-3),
        ("W", "power", 1.0),
    ],
)
def test_units(text: str, kind: str, scale: float) -> None:
    assert trace_columns.unit(text) == (kind, scale)


def test_what_is_no_unit() -> None:
    assert [trace_columns.unit(text) for text in ("", "C", "bits", "x", "amber")] == [None] * 5


@settings(deadline=None, max_examples=60)
@given(
    samples=st.lists(
        st.tuples(
            st.floats(1e-6, 10, allow_subnormal=False), st.floats(0, 5, allow_subnormal=False)
        ),
        min_size=2,
        max_size=40,
    ),
    delimiter=st.sampled_from([",", ";", "\t"]),
    comma=st.booleans(),
    unit=st.sampled_from([("s", 1.0), ("ms", 1e3), ("us", 1e6)]),
)
def test_what_was_written_is_read(
    samples: list[tuple[float, float]],
    delimiter: str,
    comma: bool,
    unit: tuple[str, float],
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    name, scale = unit
    times = np.cumsum([step for step, _ in samples])
    watts = np.array([value for _, value in samples])
    lines = [delimiter.join([f"time ({name})", "power (W)"])]
    for t, w in zip(times, watts, strict=True):
        texts = [f"{t * scale:.15g}", f"{w:.15g}"]
        if comma and delimiter != ",":
            texts = [text.replace(".", ",") for text in texts]
        lines.append(delimiter.join(texts))
    path = tmp_path_factory.mktemp("written") / "trace.csv"
    path.write_text("\n".join(lines))
    found = trace_file.read(path, TraceOptions())
    np.testing.assert_allclose(found.t_s, times - times[0], rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(found.watts, watts, rtol=1e-12)


@settings(deadline=None, max_examples=150)
@given(content=st.one_of(st.binary(max_size=200), st.text(max_size=200).map(str.encode)))
def test_any_bytes_are_an_energy_or_an_explained_error(
    content: bytes, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.mktemp("any") / "trace.csv"
    path.write_bytes(b"t_s,watts,marker\n" + content)
    # Any other exception would fail the test.
    with contextlib.suppress(EdgeECGError):
        assert energy_of_trace(path, TraceConfig(inferences=1)).windows


def test_rests_that_are_too_short_for_the_samples_are_an_error(tmp_path: Path) -> None:
    # Bursts and rests of three samples each.
    lines = ["t_s,watts,marker"]
    lines += [f"{k / 100},{1 + (k // 3) % 2},{(k // 3) % 2}" for k in range(93)]
    path = tmp_path / "trace.csv"
    path.write_text("\n".join(lines))
    with pytest.raises(DataError, match="too short"):
        energy_of_trace(path, TraceConfig(inferences=1))
