"""Power monitor chips in a folder tree with the kernel's file names."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import pytest
from readings import collect

from edgeecg import meters
from edgeecg.errors import MeterError
from edgeecg.meters import _polling, hwmon
from edgeecg.resources import load_device


class Chips:
    """``/sys/class/hwmon``."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def add(self, folder: str, name: str, **files: object) -> Path:
        path = self.root / folder
        path.mkdir(parents=True)
        (path / "name").write_text(f"{name}\n")
        for file, content in files.items():
            (path / file).write_text(f"{content}\n")
        return path

    def ina219(self, folder: str = "hwmon2", ma: int = 500, uw: int | None = None) -> Path:
        """5.000 V and a current; the power as the chip computes it, without a sign."""
        return self.add(
            folder,
            "ina219",
            in0_input=round(ma * 0.1),
            in1_input=5000,
            curr1_input=ma,
            power1_input=abs(ma) * 5000 if uw is None else uw,
            shunt_resistor=100_000,
        )

    def ina3221(self, folder: str = "hwmon3", **more: object) -> Path:
        """Channels of 5 V 0.4 A, 3.3 V 0.2 A and 1.8 V 0.1 A: 2.0 W, 0.66 W and 0.18 W."""
        files: dict[str, object] = {"update_interval": 7, "in7_input": 700, "curr4_input": 700}
        for i, (mv, ma) in enumerate(((5000, 400), (3300, 200), (1800, 100)), start=1):
            files |= {f"in{i}_input": mv, f"curr{i}_input": ma, f"in{i + 3}_input": ma * 10}
            files |= {f"shunt{i}_resistor": 10_000, f"in{i}_enable": 1}
        return self.add(folder, "ina3221", **{**files, **more})

    def open(self, where: str | None = None) -> hwmon.HwmonMeter:
        return hwmon.open(where, self.root)


@pytest.fixture
def chips(tmp_path: Path) -> Chips:
    return Chips(tmp_path)


def test_power_is_voltage_times_current(chips: Chips) -> None:
    chips.add("hwmon0", "cpu_thermal", temp1_input=50_000)
    chips.ina219(ma=500)
    meter = chips.open()
    assert (meter.name, meter.zones, meter.replayed) == ("hwmon", ("ina219",), False)
    found = collect(meter, 0.3)
    assert found.watts == pytest.approx(2.5)
    assert found.lost == 0
    # 32 V and 320 mV over 0.1 ohm.
    assert meter.max_watts == pytest.approx(102.4)


def test_power_has_the_sign_of_the_current(chips: Chips) -> None:
    # As seen on an INA219: -40 mA at 4.4 V with a power of +176 mW.
    chips.add("hwmon0", "ina219", in1_input=4400, curr1_input=-40, power1_input=176_000)
    found = collect(chips.open(), 0.3)
    assert found.watts == pytest.approx(-0.176)
    assert any("is negative" in each for each in found.remarks)
    assert not any("contradicts itself" in each for each in found.remarks)


@pytest.mark.parametrize(("uw", "contradicts"), [(1_950_000, True), (2_480_000, False)])
def test_a_power_that_contradicts_voltage_and_current_is_told(
    chips: Chips, uw: int, contradicts: bool
) -> None:
    # An INA234 that is bound as an INA226 shows 22 % too little.
    chips.ina219(uw=uw)
    found = collect(chips.open(), 0.4)
    assert any("contradicts itself" in each for each in found.remarks) is contradicts
    assert found.watts == pytest.approx(2.5)


def test_the_shunt_is_told_once(chips: Chips) -> None:
    chips.ina219()
    shunts = [each for each in collect(chips.open(), 0.4).remarks if "shunt" in each]
    assert len(shunts) == 1
    assert "0.1 ohm" in shunts[0]


class ChangingCurrent:
    """A clock that only the meter moves, and a current that changes at certain times of it."""

    def __init__(self, file: Path, changes: list[tuple[float, int]]) -> None:
        self._file, self._changes = file, list(changes)
        self._now_s = 0.0

    def perf_counter(self) -> float:
        self.sleep(2e-5)
        return self._now_s

    def sleep(self, seconds: float) -> None:
        self._now_s += seconds
        while self._changes and self._now_s >= self._changes[0][0]:
            self._file.write_text(f"{self._changes.pop(0)[1]}\n")


def test_an_energy_at_changing_power_within_one_percent(
    chips: Chips, monkeypatch: pytest.MonkeyPatch
) -> None:
    changes = [(0.5137, 900), (1.0291, 100), (1.5402, 600)]
    clock = ChangingCurrent(chips.ina219() / "curr1_input", changes)
    monkeypatch.setattr(time, "perf_counter", clock.perf_counter)
    monkeypatch.setattr(time, "sleep", clock.sleep)
    found = collect(chips.open(), 1.8)
    (first, _), (second, _), (third, _) = changes
    truth = 5.0 * (0.9 * (second - first) + 0.1 * (third - second))
    assert found.joules(first, third) == pytest.approx(truth, rel=0.01)
    assert found.joules(0.1, 0.4) == pytest.approx(5.0 * 0.5 * 0.3, rel=1e-6)


@pytest.mark.parametrize(
    ("interval_ms", "rate_hz"), [(2, 100.0), (35, 28.57), (140, 7.143), (2253, 0.4439)]
)
def test_it_is_read_once_a_conversion_at_most(
    chips: Chips, interval_ms: int, rate_hz: float
) -> None:
    folder = chips.ina219()
    (folder / "update_interval").write_text(f"{interval_ms}\n")
    assert chips.open().sample_rate_hz == pytest.approx(rate_hz, rel=1e-3)


def test_no_conversion_is_taken_twice(chips: Chips) -> None:
    folder = chips.ina219()
    (folder / "update_interval").write_text("70\n")
    found = collect(chips.open(), 0.8)
    assert np.diff(found.t_s).min() > 0.06
    assert 9 <= found.t_s.size <= 13


@pytest.mark.parametrize(
    ("name", "rate_hz"),
    # INA238: 16 averages of 1.052 ms for each of three values. An unknown chip: 10 Hz.
    [("ina219", 100.0), ("ina238", 19.80), ("ina9000", 10.0)],
)
def test_without_update_interval_the_drivers_default_is_assumed(
    chips: Chips, name: str, rate_hz: float
) -> None:
    chips.add("hwmon0", name, in1_input=5000, curr1_input=100)
    meter = chips.open()
    assert meter.sample_rate_hz == pytest.approx(rate_hz, rel=1e-3)
    assert any("does not say how often" in each for each in meter.read().remarks)


def test_the_channels_of_an_ina3221_are_added_up_but_not_its_sums(chips: Chips) -> None:
    chips.ina3221()
    meter = chips.open()
    assert meter.zones == ("ina3221:1", "ina3221:2", "ina3221:3")
    found = collect(meter, 0.2)
    assert found.watts == pytest.approx(2.84)
    assert any("are added up" in each for each in found.remarks)


@pytest.mark.parametrize(
    ("where", "watts"),
    [
        ("ina3221:CPU", 0.66),
        ("ina3221:2", 0.66),
        ("hwmon3:RAM", 0.18),
        ("hwmon3:CPU+RAM", 0.84),
        ("hwmon3:RAM+3", 0.18),
    ],
)
def test_a_channel_is_named_by_label_or_number(chips: Chips, where: str, watts: float) -> None:
    chips.ina3221(in1_label="5V", in2_label="CPU", in3_label="RAM")
    assert chips.open(where).read().watts == pytest.approx(watts)


def test_a_channel_that_is_the_supply_of_the_others_is_not_added_to_them(chips: Chips) -> None:
    # NVIDIA Jetson Orin: adding all three would count the processor twice.
    chips.ina3221(in1_label="VDD_IN", in2_label="VDD_CPU_GPU_CV", in3_label="VDD_SOC")
    meter = chips.open()
    assert meter.zones == ("ina3221:VDD_IN",)
    assert meter.read().watts == pytest.approx(2.0)


def test_the_rails_of_a_profile_are_added(chips: Chips) -> None:
    # A Jetson AGX Orin has no channel for the whole module.
    rails = load_device("jetson-agx-orin").rails
    chips.ina3221(in1_label=rails[0], in2_label=rails[1], in3_label=rails[2])
    named = chips.open(f":{'+'.join(rails)}")
    assert named.zones == tuple(f"ina3221:{rail}" for rail in rails)
    assert chips.open().zones == named.zones
    assert meters.candidates(load_device("jetson-agx-orin"))[:2] == [
        "hwmon::VDD_GPU_SOC+VDD_CPU_CV+VIN_SYS_5V0",
        "hwmon",
    ]


def test_of_several_chips_the_one_with_the_channels_is_taken(chips: Chips) -> None:
    chips.ina3221(in1_label="VDD_IN", in2_label="VDD_CPU_GPU_CV", in3_label="VDD_SOC")
    chips.ina219()
    assert chips.open(":VDD_IN").zones == ("ina3221:VDD_IN",)
    with pytest.raises(MeterError, match="several power monitor chips"):
        chips.open(":2+3+9")


def test_a_channel_that_is_switched_off_is_not_read(chips: Chips) -> None:
    chips.ina3221(in2_enable=0, in3_enable=0)
    meter = chips.open()
    assert meter.zones == ("ina3221",)
    assert meter.read().watts == pytest.approx(2.0)


def test_two_chips_are_listed_and_one_must_be_named(chips: Chips) -> None:
    chips.ina219("hwmon2", ma=100)
    chips.ina219("hwmon10", ma=300)
    with pytest.raises(MeterError) as caught:
        chips.open()
    assert "ina219 (hwmon2), ina219 (hwmon10)" in caught.value.why
    assert "--meter hwmon:hwmon2" in caught.value.todo
    with pytest.raises(MeterError, match="several"):
        chips.open("ina219")
    assert chips.open("hwmon10").read().watts == pytest.approx(1.5)


def test_other_sensors_with_voltage_and_current_are_taken_only_by_name(chips: Chips) -> None:
    chips.add("hwmon0", "pmbus", in1_input=12_000, curr1_input=1000)
    with pytest.raises(MeterError, match="no power monitor chip"):
        chips.open()
    assert chips.open("pmbus").read().watts == pytest.approx(12.0)


@pytest.mark.parametrize("where", ["ina260", "hwmon9", "../../etc", "-x", "ina219 "])
def test_an_unknown_chip_is_answered_with_those_there_are(chips: Chips, where: str) -> None:
    chips.ina219()
    with pytest.raises(MeterError) as caught:
        chips.open(where)
    assert "ina219 (hwmon2)" in caught.value.why


def test_an_unknown_channel_is_answered_with_those_there_are(chips: Chips) -> None:
    chips.ina3221(in1_label="5V")
    with pytest.raises(MeterError, match="5V, 2, 3"):
        chips.open("ina3221:GPU")


def test_without_a_chip_the_error_says_what_to_buy(tmp_path: Path) -> None:
    with pytest.raises(MeterError) as caught:
        hwmon.open(root=tmp_path / "absent")
    assert "INA219" in caught.value.todo
    assert "modprobe" in caught.value.todo


@pytest.mark.parametrize("content", ["", "many\n", "5.0\n"])
def test_a_reading_that_is_no_number_is_lost_and_not_replaced(chips: Chips, content: str) -> None:
    folder = chips.ina219()
    meter = chips.open()
    meter.read()
    (folder / "curr1_input").write_text(content)
    bad = collect(meter, 0.3)
    assert bad.t_s.size == 0
    assert bad.lost >= 20
    (folder / "curr1_input").write_text("200\n")
    assert collect(meter, 0.2).watts == pytest.approx(1.0)


def test_a_chip_that_cannot_be_read_for_long_ends_the_measurement(
    chips: Chips, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_polling, "_GIVE_UP_S", 1.0)
    folder = chips.ina219()
    meter = chips.open()
    (folder / "in1_input").write_text("?\n")
    with pytest.raises(MeterError, match="cannot be read any more"):
        collect(meter, 6.0)


def test_a_chip_that_vanishes_ends_the_measurement(chips: Chips) -> None:
    folder = chips.ina219()
    meter = chips.open()
    meter.read()
    (folder / "curr1_input").unlink()
    with pytest.raises(MeterError, match="is gone"):
        meter.read()


def test_a_chip_that_fails_at_once_is_explained(chips: Chips) -> None:
    folder = chips.ina219()
    (folder / "curr1_input").write_text("?\n")
    with pytest.raises(MeterError, match="i2cdetect"):
        chips.open()


def test_values_that_never_change_are_told(chips: Chips, monkeypatch: pytest.MonkeyPatch) -> None:
    chips.ina219()
    monkeypatch.setattr(hwmon, "_UNCHANGED_S", 0.2)
    assert any("did not change" in each for each in collect(chips.open(), 0.6).remarks)


def test_no_file_stays_open(chips: Chips) -> None:
    chips.ina219()
    meter = chips.open()
    before = len(list(Path("/proc/self/fd").iterdir()))
    collect(meter, 0.3)
    meter.close()
    assert len(list(Path("/proc/self/fd").iterdir())) == before


def test_reading_costs_little(chips: Chips) -> None:
    chips.ina219()
    meter = chips.open()
    collect(meter, 0.3)
    begun, cpu = time.perf_counter(), time.process_time()
    collect(meter, 1.0)
    assert time.process_time() - cpu < 0.05 * (time.perf_counter() - begun)


def test_the_step_of_the_readings_is_a_milliampere_at_the_bus_voltage(chips: Chips) -> None:
    chips.ina219()
    assert chips.open().resolution_w == pytest.approx(5.0e-3)


def test_channels_that_are_named_in_advice_can_be_opened(chips: Chips) -> None:
    # A Jetson AGX Orin has two chips of one name.
    chips.ina3221("hwmon3", in1_label="VDD_GPU_SOC", in2_label="VDD_CPU_CV", in3_label="VIN")
    chips.ina3221("hwmon4", in1_label="A", in2_label="B", in3_label="C")
    added = chips.open(":VDD_GPU_SOC+VDD_CPU_CV")
    advice = next(each for each in collect(added, 0.1).remarks if "are added up" in each)
    where = advice.rpartition("--meter hwmon:")[2].removesuffix(".")
    assert chips.open(where).zones == ("ina3221:VDD_GPU_SOC",)
    with pytest.raises(MeterError, match="no channel 'D'") as caught:
        chips.open("hwmon4:D")
    where = caught.value.todo.rpartition("--meter hwmon:")[2].removesuffix(".")
    assert chips.open(where).zones == ("ina3221:A",)


def test_a_chip_of_coarse_steps_has_them(chips: Chips) -> None:
    # 40 microvolts over 5 milliohms are 8 mA, of each of three channels.
    chips.ina3221(shunt1_resistor=5000, shunt2_resistor=5000, shunt3_resistor=5000)
    assert chips.open().resolution_w == pytest.approx(8e-3 * (5.0 + 3.3 + 1.8))


def test_an_ina219_with_a_small_shunt_has_coarser_steps(chips: Chips) -> None:
    (chips.ina219() / "shunt_resistor").write_text("2000")
    assert chips.open().resolution_w == pytest.approx(5.0 * 10e-6 / 2e-3)
