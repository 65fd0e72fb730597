"""Columns, units and numbers of an exported trace are understood."""

from __future__ import annotations

import contextlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st
from trace_recordings import (
    NET_J,
    written,
)

from edgeecg.benchmark import trace_columns, trace_file
from edgeecg.benchmark.trace import energy_of_trace
from edgeecg.benchmark.trace_config import TraceConfig
from edgeecg.benchmark.trace_file import TraceOptions
from edgeecg.errors import DataError, EdgeECGError, UsageError


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
        ("(msec)", "time", 1e-3),
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
            # Fourteen decimals: a number such as 1,125 could be more than a thousand.
            texts = [f"{value:.14e}".replace(".", ",") for value in (t * scale, w)]
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


@pytest.mark.parametrize("text", ["3,300mV", "+12,000 mV", "3,300", "1,000e3mV"])
def test_a_comma_before_three_digits_is_no_voltage(text: str) -> None:
    with pytest.raises(UsageError, match="separate thousands") as caught:
        trace_columns.quantity(text, ["voltage"], "--voltage")
    assert text.replace(",", "").replace(" ", "") in caught.value.todo


@pytest.mark.parametrize(
    ("text", "volts"), [("3,3V", 3.3), ("0,300V", 0.3), ("3300,000mV", 3.3), ("3.300V", 3.3)]
)
def test_a_comma_that_can_only_be_a_decimal_mark(text: str, volts: float) -> None:
    assert trace_columns.quantity(text, ["voltage"], "--voltage") == (
        "voltage",
        pytest.approx(volts),
    )


def test_decimal_commas_of_a_file_are_told_from_thousands_by_all_its_numbers(
    tmp_path: Path,
) -> None:
    path = tmp_path / "trace.csv"
    path.write_text("time (s);power (mW)\n1;1,250\n2;2,500\n3;900\n")
    with pytest.raises(DataError, match="ambiguous"):
        trace_file.read(path, TraceOptions())
    path.write_text("time (s);power (mW)\n0,001;1,250\n0,002;2,500\n")
    assert trace_file.read(path, TraceOptions()).watts == pytest.approx([1.25e-3, 2.5e-3])


def test_a_column_without_unit_is_refused_until_the_unit_is_given(tmp_path: Path) -> None:
    path = written(tmp_path, "time,current,D0", lambda t, a, b: f"{t:.5f},{a * 1e3:.6f},{b:d}")
    config = TraceConfig(inferences=10, voltage="3.3V", marker="D0")
    with pytest.raises(UsageError, match="unit of the time") as caught:
        energy_of_trace(path, config)
    assert "--column 'time=time[ms]'" in caught.value.todo
    units = {"time": "time[s]", "current": "current[mA]"}
    found = energy_of_trace(path, config.model_copy(update={"columns": units}))
    assert found.energy.net_j == pytest.approx(NET_J, rel=2e-3)


def test_a_probe_in_volts_needs_its_unit(tmp_path: Path) -> None:
    # A current probe on an oscilloscope: a volt is a milliampere.
    path = written(tmp_path, "time (s),CH1 (V),D0", lambda t, a, b: f"{t:.5f},{a * 1e3:.6f},{b:d}")
    config = TraceConfig(inferences=10, marker="D0", voltage="3.3V", columns={"current": "CH1"})
    with pytest.raises(UsageError, match="unit of the current"):
        energy_of_trace(path, config)
    with pytest.raises(UsageError, match="'V' is no unit of a current"):
        energy_of_trace(path, config.model_copy(update={"columns": {"current": "CH1[V]"}}))
    amperes = config.model_copy(update={"columns": {"current": "CH1[mA]"}})
    assert energy_of_trace(path, amperes).energy.net_j == pytest.approx(NET_J, rel=2e-3)


@pytest.mark.parametrize("rows", ['0.5,"7,923",1\n1.5,"959",0\n', '1,"7,923",1\n2,"7.5",0\n'])
def test_thousands_are_not_taken_for_decimals(tmp_path: Path, rows: str) -> None:
    path = tmp_path / "trace.csv"
    path.write_text("time (ms),current (uA),D0\n" + rows)
    with pytest.raises(DataError, match="ambiguous"):
        energy_of_trace(path, TraceConfig(inferences=1, voltage="3V", marker="D0"))


def test_a_trigger_in_volts_is_the_marker_and_not_the_supply(tmp_path: Path) -> None:
    path = written(
        tmp_path,
        "Time (s),Current (A),GPIO (V)",
        lambda t, a, b: f"{t:.5f},{a:.8f},{3.3 if b else 0.02}",
    )
    for when in ({"threshold": "4mA"}, {}):
        config = TraceConfig.model_validate({"inferences": 10, "voltage": "3.3V", **when})
        assert energy_of_trace(path, config).energy.net_j == pytest.approx(NET_J, rel=2e-3)
    with pytest.raises(UsageError, match=r"The voltage of .* is unknown"):
        energy_of_trace(path, TraceConfig(inferences=10, threshold="4mA"))
    # Unless the user says so.
    chosen = TraceConfig(inferences=10, threshold="4mA", columns={"voltage": "GPIO"})
    assert energy_of_trace(path, chosen).file.source == ("Current (A)", "GPIO (V)")
