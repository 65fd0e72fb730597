"""Faults of an exported trace are explained."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from edgeecg.benchmark.trace import energy_of_trace
from edgeecg.benchmark.trace_config import TraceConfig
from edgeecg.errors import DataError, UsageError

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


def test_rests_that_are_too_short_for_the_samples_are_an_error(tmp_path: Path) -> None:
    # Bursts and rests of three samples each.
    lines = ["t_s,watts,marker"]
    lines += [f"{k / 100},{1 + (k // 3) % 2},{(k // 3) % 2}" for k in range(93)]
    path = tmp_path / "trace.csv"
    path.write_text("\n".join(lines))
    with pytest.raises(DataError, match="too short"):
        energy_of_trace(path, TraceConfig(inferences=1))


def bursts(path: Path, last: str) -> Path:
    """Write four bursts of a second at 2 W between rests of a second at 1 W."""
    lines = ["t_s,watts,marker"]
    for k in range(800):
        noise = 1e-4 * (k % 7)
        lines.append(f"{k / 100},{1 + (k // 100) % 2 + noise},{(k // 100) % 2}")
    path.write_text("\n".join([*lines, last]))
    return path


def test_a_recording_that_ends_with_one_sample_after_a_burst(tmp_path: Path) -> None:
    path = bursts(tmp_path / "trace.csv", "8,1,0")
    found = energy_of_trace(path, TraceConfig(inferences=10))
    # The last burst may have been cut.
    assert found.energy.windows == 3
    assert found.energy.net_j == pytest.approx(0.1, rel=0.02)


def test_windows_that_were_too_short_are_named_where_none_is_left(tmp_path: Path) -> None:
    path = bursts(tmp_path / "trace.csv", "8,1,0")
    config = TraceConfig(inferences=10, shortest_s=2.0)
    with pytest.raises(DataError, match=r"shorter than 2 s were not counted \(--shortest\)"):
        energy_of_trace(path, config)
