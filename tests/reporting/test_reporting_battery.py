"""Days of battery."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from compared_files import write, write_counts, write_scores
from hypothesis import given, strategies as st
from report_measurements import device, joules, latency
from report_run import DS2, Builder
from report_scores import records, scores

import edgeecg
from edgeecg import cli
from edgeecg.errors import EdgeECGError, UsageError
from edgeecg.reporting import battery_table, named_results
from edgeecg.reporting.battery_life import Load
from edgeecg.reporting.battery_picture import curve
from edgeecg.reporting.html import battery_section
from edgeecg.schema import BenchResult, CalibratedEstimate, Energy

BATTERY: dict[str, Any] = {"capacity": "150mAh", "voltage": "3.7"}
OPTIONS = ["--capacity", "150mAh", "--voltage", "3.7"]


def unresolved() -> Energy:
    return joules(1e-3).model_copy(
        update={"tier": "not resolved", "reason": "Below twice the detection limit."}
    )


@pytest.fixture
def result(full: Builder, tmp_path: Path) -> Any:
    """Write a report of one file with the changes that are asked for; return its path."""

    def made(p50_s: float = 1e-3, **changes: Any) -> str:
        measured = full.result(full.manifest("compressed"), p50_s, **changes)
        return write(tmp_path / "bench.json", measured)

    return made


def test_a_case_worked_out_by_hand(result: Any) -> None:
    # 150 mAh at 3.7 V are 0.15 * 3.7 * 3600 = 1998 J.
    # 400 uJ at 75/60 beats a second are 500 uW; 5 uA at 3.7 V are 18.5 uW; 2 mJ/60 s are 33.333 uW:
    # 551.833 uW, which 1998 J supply for 3,620,658 s, or 41.9057 days.
    found = edgeecg.battery(
        result(energy=joules(400e-6)), **BATTERY, sleep_current="5uA", radio="2mJ/min"
    )
    assert found.days == pytest.approx(41.9057, rel=1e-5)
    assert found.shares == {
        "inference": pytest.approx(0.906071, rel=1e-5),
        "sleep": pytest.approx(0.033525, rel=1e-4),
        "radio": pytest.approx(0.060405, rel=1e-4),
    }
    assert found.tier == "measured"
    assert "days = capacity x voltage" in found.formula


def test_the_range_is_that_of_the_interval(result: Any) -> None:
    # Without other loads the days are in inverse proportion to the energy: 1998 J / (1 mJ * 1.25/s)
    # are 18.5 days, at 0.8 mJ 23.125 and at 1.25 mJ 14.8.
    found = edgeecg.battery(result(energy=joules(1e-3, ci95_j=(0.8e-3, 1.25e-3))), **BATTERY)
    assert found.days == pytest.approx(18.5)
    assert found.days_range == pytest.approx((14.8, 23.125))
    assert "upper limit" in " ".join(found.notes)


def test_the_energy_at_the_same_rate_is_preferred(result: Any) -> None:
    duty = tuple(latency(1e-3, rate_hz=1.25, spin=spin) for spin in (True, False))
    path = result(
        energy=joules(1e-3),
        duty_cycle=duty,
        duty_energy=(joules(8e-3), joules(2e-3)),
    )
    found = edgeecg.battery(path, **BATTERY)
    assert found.days == pytest.approx(18.5 / 2)
    assert "1.25 runs per second, idle threads do not spin" in found.inference_from
    other = edgeecg.battery(path, **BATTERY, beats="60/min")
    assert other.days == pytest.approx(18.5 * 75 / 60)
    assert "without pauses" in other.inference_from


def test_an_unresolved_energy_at_the_rate_is_passed_over(result: Any) -> None:
    path = result(
        energy=joules(1e-3),
        duty_cycle=(latency(1e-3, rate_hz=1.25),),
        duty_energy=(unresolved(),),
    )
    assert edgeecg.battery(path, **BATTERY).days == pytest.approx(18.5)


def test_a_calibrated_energy_is_named_as_such(result: Any) -> None:
    path = result(calibrated=CalibratedEstimate(seconds=1e-3, net_j=2e-3, net_j_error=0.25))
    found = edgeecg.battery(path, **BATTERY)
    assert found.tier == "calibrated"
    assert found.days == pytest.approx(9.25)
    assert found.days_range == pytest.approx((7.4, 9.25 / 0.75))
    assert found.range_basis == "median error of the calibration"
    assert "not measured" in " ".join(found.notes)


def test_a_measured_energy_comes_before_a_calibrated_one(result: Any) -> None:
    path = result(energy=joules(1e-3), calibrated=CalibratedEstimate(net_j=2e-3, net_j_error=0.1))
    assert edgeecg.battery(path, **BATTERY).tier == "measured"


def test_energy_of_several_windows_is_divided(result: Any) -> None:
    path = result(4e-3, energy=joules(4e-3), input_shape=(4, 1, 256), p50_per_window_s=1e-3)
    found = edgeecg.battery(path, **BATTERY)
    assert found.inference_j == pytest.approx(1e-3)
    assert found.days == pytest.approx(18.5)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({}, "not measured. This machine has no energy counter"),
        ({"energy": unresolved()}, "not resolved. Below twice the detection limit."),
        ({"energy": joules(-1e-3)}, "not above zero"),
        ({"calibrated": CalibratedEstimate(reason="No joules.")}, "not measured"),
    ],
)
def test_an_energy_that_is_not_known_is_refused(
    result: Any, changes: dict[str, Any], reason: str
) -> None:
    with pytest.raises(EdgeECGError) as caught:
        edgeecg.battery(result(**changes), **BATTERY)
    assert reason in caught.value.why
    assert "proxy" in caught.value.todo
    assert caught.value.exit_code == 1


def test_instructions_and_scores_have_no_energy(full: Builder, tmp_path: Path) -> None:
    counts = write_counts(tmp_path / "counts.json", full, 1_000_000)
    with pytest.raises(EdgeECGError, match="emulated core, which has no energy"):
        edgeecg.battery(counts, **BATTERY)
    evaluated = write_scores(tmp_path / "e.json", scores(records(list(DS2), 0)))
    with pytest.raises(EdgeECGError, match="was not measured on a device"):
        edgeecg.battery(evaluated, **BATTERY)


def test_a_rate_that_the_device_cannot_keep_is_refused(result: Any) -> None:
    path = result(0.9, energy=joules(1e-3))
    with pytest.raises(UsageError, match=r"cannot run 1\.25 times per second"):
        edgeecg.battery(path, **BATTERY)
    assert edgeecg.battery(path, **BATTERY, beats="60/min").days > 0


def test_what_a_reader_has_to_know_is_noted(result: Any) -> None:
    path = result(
        energy=joules(1e-3, replayed=True), device=device(name="raspberry-pi-5", emulated=True)
    )
    text = " ".join(edgeecg.battery(path, **BATTERY).notes)
    assert "a recording or a simulation" in text
    assert "emulated" in text
    # 4.2 W is what the board takes at rest.
    assert "4.20\N{NO-BREAK SPACE}W" in text


def test_several_files_are_sorted_and_one_without_energy_is_named(
    full: Builder, tmp_path: Path
) -> None:
    path = write(
        tmp_path / "bench.json",
        full.result(full.manifest("baseline"), energy=joules(2e-3)),
        full.result(full.manifest("compressed"), energy=joules(1e-3)),
        full.result(full.manifest("compressed", "int8")),
    )
    found = edgeecg.battery(path, **BATTERY)
    assert (found.label, found.days) == ("compressed tflite", pytest.approx(18.5))
    assert [each.label for each in found.others] == ["baseline tflite"]
    assert [each.label for each in found.unknown] == ["compressed tflite-int8"]
    chosen = edgeecg.battery(f"{path}#baseline-tflite", **BATTERY)
    assert chosen.days == pytest.approx(9.25)


@given(
    st.floats(1e-3, 10),
    st.floats(0.5, 20),
    st.floats(0.1, 5),
    st.floats(0, 1e-2),
    st.floats(0, 1e-1),
    st.floats(1e-9, 1),
)
def test_the_energy_of_the_battery_is_what_the_parts_take(
    capacity: float, voltage: float, beats: float, sleep: float, radio: float, net: float
) -> None:
    load = Load(capacity, voltage, beats, sleep, radio)
    taken = sum(load.powers_w(net)) * load.days(net) * 86400
    assert taken == pytest.approx(capacity * voltage * 3600)


def test_the_picture_shows_the_days_of_other_batteries_and_rates(result: Any) -> None:
    found = edgeecg.battery(result(energy=joules(1e-3)), **BATTERY)
    assert curve(found, 0.3, np.array([75.0, 150.0])) == pytest.approx([37.0, 18.5])


def test_the_command_prints_days_shares_and_what_is_left_out(
    result: Any, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    path = result(energy=joules(400e-6))
    options = [*OPTIONS, "--beats", "75/min", "--sleep-current", "5uA", "--radio", "2mJ/min"]
    assert cli.run(["battery", path, *options]) == 0
    lines = capsys.readouterr().out.replace("\N{NO-BREAK SPACE}", " ").splitlines()
    (row,) = [line for line in lines if line.strip().startswith("compressed tflite")]
    assert "41.9" in row
    assert row.split()[-7:] == ["measured", "90.6", "%", "3.4", "%", "6.0", "%"]
    text = " ".join(" ".join(lines).split())
    assert "self-discharge and ageing of the battery" in text
    assert "losses of the voltage converter" in text
    assert "temperature" in text
    assert "Days = capacity x voltage x 3600" in text
    assert lines[-1].startswith("Next: ")


def test_the_json_of_the_command(result: Any, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["battery", result(energy=joules(1e-3)), *OPTIONS, "--json", "-"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["days"] == pytest.approx(18.5)
    assert document["shares"] == {"inference": 1.0, "sleep": 0.0, "radio": 0.0}
    assert document["tier"] == "measured"
    assert document["schema"] == "edgeecg.battery/1"


@pytest.mark.parametrize(
    ("options", "status"),
    [
        ([], 1),
        (["--sleep-current", "5"], 2),
        (["--beats", "75"], 2),
        (["--radio", "2mJ"], 2),
        (["--picture", "x.bmp"], 2),
    ],
)
def test_exit_status_of_the_command(
    result: Any, options: list[str], status: int, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.run(["battery", result(), *OPTIONS, *options]) == status
    assert "Why:" in capsys.readouterr().err


def test_a_run_is_named(
    full: Builder, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(full.run.path.parent.parent)
    assert cli.run(["battery", "demo", *OPTIONS]) == 1
    said = capsys.readouterr().err
    assert "/sys/class/powercap is absent" in said
    assert "was not measured on a device" not in said
    full.write_bench(
        full.result(full.manifest("compressed"), energy=joules(1e-3)),
        created="2026-02-02T03:04:05+00:00",
        name="later",
    )
    assert cli.run(["battery", "demo", *OPTIONS]) == 0
    assert "18.5" in capsys.readouterr().out


@pytest.mark.parametrize("suffix", [".png", ".svg"])
def test_the_command_draws_a_picture(
    result: Any, suffix: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / f"out{suffix}"
    path = result(energy=joules(1e-3))
    assert cli.run(["battery", path, *OPTIONS, "--picture", str(out)]) == 0
    assert capsys.readouterr().out.rstrip().splitlines()[-1] == f"Picture: {out}"
    assert out.stat().st_size > 5000


def test_without_matplotlib_the_extra_is_named_before_anything_is_written(
    result: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    for name in [n for n in sys.modules if n.partition(".")[0] == "matplotlib"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    path, out = result(energy=joules(1e-3)), tmp_path / "out.png"
    kept = tmp_path / "days.json"
    arguments = ["battery", path, *OPTIONS, "--picture", str(out), "--json", str(kept)]
    assert cli.run(arguments) == 1
    assert "edgeecg[report]" in capsys.readouterr().err
    assert not out.exists()
    assert not kept.exists()
    assert cli.run(["battery", path, *OPTIONS]) == 0


def of_records(full: Builder, energy: Energy) -> BenchResult:
    """Return a result of a model that classifies records of 10 s."""
    manifest = full.manifest(
        "compressed",
        task="records",
        preprocessing=full.manifest("compressed").preprocessing.model_copy(
            update={"fs_hz": 100.0, "window": 1000, "r_index": None}
        ),
    )
    return full.result(manifest, energy=energy)


def test_records_do_not_come_with_every_beat(full: Builder, tmp_path: Path) -> None:
    path = write(tmp_path / "records.json", of_records(full, joules(1e-3)))
    with pytest.raises(UsageError, match=r"records of 10 s, of which at most 6 a minute") as caught:
        edgeecg.battery(path, **BATTERY)
    assert "--beats 6/min" in caught.value.todo
    found = edgeecg.battery(path, **BATTERY, beats="6/min")
    # 1998 J at 0.1 mW.
    assert found.days == pytest.approx(1998 / 1e-4 / 86400)
    table = battery_table.table(found)
    assert "6 records per minute" in table.data
    assert any("of one record" in note for note in table.notes)


def test_the_page_of_a_model_of_records_has_an_example_of_records(
    full: Builder, tmp_path: Path
) -> None:
    path = write(tmp_path / "records.json", of_records(full, joules(1e-3)))
    found = battery_section.section(named_results.read(path), path, "synthetic")
    assert "6 records a minute" in found.paragraphs[0]
    assert "--beats 6/min" in found.paragraphs[0]
    assert "records a minute" in str(found.figures[0].layout)


def test_a_file_that_is_too_slow_does_not_cost_the_others(full: Builder, tmp_path: Path) -> None:
    fast = full.result(full.manifest("compressed"), 1e-3, energy=joules(1e-3))
    slow = full.result(full.manifest("baseline"), 0.9, energy=joules(1e-3))
    found = edgeecg.battery(write(tmp_path / "two.json", fast, slow), **BATTERY)
    assert found.days == pytest.approx(18.5)
    (unknown,) = found.unknown
    assert "cannot run 1.25 times per second" in unknown.reason
