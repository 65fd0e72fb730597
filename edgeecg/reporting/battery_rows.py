"""The values of ``edgeecg battery``; ``--json`` writes them."""

from __future__ import annotations

from typing import ClassVar, Literal

from edgeecg.schema import Value

Part = Literal["inference", "sleep", "radio"]

FORMULA = (
    "days = capacity x voltage x 3600 / (net energy x rate + sleep current x voltage + radio) "
    "/ 86400"
)
"""How the days are computed, in Ah, V, J, 1/s, A and W."""

LEFT_OUT = (
    "losses of the voltage converter",
    "self-discharge and ageing of the battery",
    "temperature, which changes the capacity and the currents",
    "amplifier, filters and beat detection, unless they are part of the sleep current",
)
"""What the computation does not contain."""


class BatteryEstimate(Value):
    """How long a battery lasts with one file.

    Attributes:
        days: Days until the battery is empty.
        shares: Fraction of the energy that each part takes: ``"inference"``, ``"sleep"`` and
            ``"radio"``.
        tier: ``"measured"``, or ``"calibrated"``: predicted by the calibration of the device.
        days_range: The days with the highest and with the lowest energy of its interval, or None.
        range_basis: Which interval of the energy that is, or None.
        source: The run or document, as the user named it.
        label: Which of its results.
        device: Name of the device that was measured.
        inference_j: Net energy of one window in joules.
        inference_from: How that energy was found, in words.
        powers_w: Mean power of each part in watts.
        notes: What a reader should know, a sentence each.
        window: What the model classifies at a time.
    """

    days: float
    shares: dict[Part, float]
    tier: Literal["measured", "calibrated"]
    days_range: tuple[float, float] | None
    range_basis: str | None
    source: str
    label: str
    device: str
    inference_j: float
    inference_from: str
    powers_w: dict[Part, float]
    notes: tuple[str, ...] = ()
    window: Literal["beat", "record"] = "beat"


class UnknownEnergy(Value):
    """A file whose energy is not known well enough.

    Attributes:
        label: The file.
        reason: Why.
        source: The run or document, as the user named it.
    """

    label: str
    reason: str
    source: str = ""


class BatteryLife(BatteryEstimate):
    """What ``edgeecg battery --json`` writes: the file that lasts longest, and the others.

    Attributes:
        days: Days with the file that lasts longest; the same is true of all that
            :class:`BatteryEstimate` has.
        capacity_ah: Charge of the battery in ampere-hours.
        voltage_v: Its voltage.
        beats_hz: Heartbeats in a second, each of which is one window; or records in a second.
        sleep_a: Current between two inferences.
        radio_w: Mean power of the radio.
        others: The other files, the longest days first.
        unknown: Files without a known energy.
        formula: How the days were computed.
        left_out: What the computation does not contain.
    """

    version: ClassVar[str] = "edgeecg.battery/1"

    capacity_ah: float
    voltage_v: float
    beats_hz: float
    sleep_a: float
    radio_w: float
    others: tuple[BatteryEstimate, ...] = ()
    unknown: tuple[UnknownEnergy, ...] = ()
    formula: str = FORMULA
    left_out: tuple[str, ...] = LEFT_OUT
