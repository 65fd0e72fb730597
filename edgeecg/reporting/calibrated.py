"""The table of what the calibration of a device predicts, against the measurement."""

from __future__ import annotations

from collections.abc import Callable

from edgeecg.reporting import captions, units
from edgeecg.reporting.documents import RunDocuments
from edgeecg.reporting.measured import emulated, replayed
from edgeecg.reporting.rows import Comparison
from edgeecg.reporting.tables import Notes, Row, Table


def predictions(documents: RunDocuments, comparison: Comparison) -> Table | None:
    """Return the table; None when no device profile had a calibration.

    Args:
        documents: The documents of the run.
        comparison: The figures of the run.
    """
    notes = Notes()
    rows: list[Row] = []
    for file in comparison.files:
        m = file.measured
        if m is None or m.calibrated is None:
            continue
        found = m.calibrated
        over = None if not found.seconds else m.p50_s / found.seconds
        joules = m.energy.net_j if m.energy.tier == "measured" else None
        rows.append(
            (
                file.label,
                m.place,
                notes.mark(
                    _figure(found.seconds, found.seconds_error, units.seconds), found.reason
                ),
                emulated(units.seconds(m.p50_s), m.emulated),
                units.DASH if over is None else units.significant(over),
                _figure(found.net_j, found.net_j_error, units.joules)
                + replayed(found.replayed and found.net_j is not None),
                m.energy.tier
                if joules is None
                else emulated(units.joules(joules), m.emulated) + replayed(m.energy.replayed),
            )
        )
    if not rows:
        return None
    return Table(
        title="Calibrated predictions against measurement",
        data=captions.synthetic_only(documents.model.data),
        head=("file", "where", "calibrated time", "measured p50", "p50 ÷ calibrated",
              "calibrated net energy", "measured net energy"),
        rows=tuple(rows),
        notes=(
            *notes.lines(),
            "Calibrated: predicted from MACs and bytes with coefficients that 'edgeecg calibrate' "
            "fitted to other graphs on the same device; ± is the median error on graphs left out "
            "of the fit.",
        ),
    )  # fmt: skip


def _figure(value: float | None, error: float | None, unit: Callable[[float | None], str]) -> str:
    if value is None or error is None:
        return units.DASH
    return f"{unit(value)} ± {100 * error:.0f} %"
