"""Strips of the records around beats that the compressed model classifies otherwise.

They are stored in the probe set of the compressed model, so that a report can show a beat with the
beats around it, in millivolts, on a machine without the records.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edgeecg.data import sources
from edgeecg.data.records import reader
from edgeecg.errors import EdgeECGError
from edgeecg.exporters._probe import ProbeOrigin, ProbeSet, ProbeStrips
from edgeecg.reporting.changed_windows import surest_changes
from edgeecg.schema import ModelCard
from edgeecg.signal.filters import hold_last_valid
from edgeecg.training.start import as_trained

_MOST = 12
_SECONDS = 4.0
"""How much of the record is kept on either side of the R peak."""

_LARGEST_UV = 32_767


@dataclass(frozen=True)
class _Cut:
    """A part of a record.

    Attributes:
        microvolts: Its first lead, int16, ``(samples,)``.
        fs_hz: Sampling rate of the record.
        start: Position of its first sample in the record, 0-based.
    """

    microvolts: NDArray[np.int16]
    fs_hz: float
    start: int


def with_strips(probe: ProbeSet, dense: ProbeSet, card: ModelCard) -> ProbeSet:
    """Return a probe set with strips of the windows whose class changed.

    Where the records cannot be read any more, as where the windows came from the cache, the probe
    set is returned as it is.

    Args:
        probe: The windows, with the outputs of the compressed model.
        dense: The same windows, with the outputs of the dense model.
        card: The compressed model: which records it is of, and what their leads are called.
    """
    if probe.task != "beats" or probe.origin is None:
        return probe
    chosen = surest_changes(dense.logits, probe.logits)[:_MOST]
    if not len(chosen):
        return probe
    try:
        cuts = _cuts(probe.origin, chosen, card)
    except EdgeECGError:
        return probe
    return replace(probe, strips=_joined(chosen, cuts))


def _cuts(origin: ProbeOrigin, chosen: NDArray[np.int64], card: ModelCard) -> list[_Cut]:
    """Return a part of a record for each chosen window; each record is read once."""
    config = as_trained(card)
    folder, lead = (
        sources.find(config.data or card.data.source).folder(),
        card.preprocessing.leads[0],
    )
    called = {lead: config.leads[lead]} if lead in config.leads else {}
    records: dict[str, reader.Record] = {}
    cuts: list[_Cut] = []
    for n in chosen:
        name = str(origin.record[n])
        if name not in records:
            records[name] = _read(folder, name, lead, called)
        cuts.append(_cut(records[name], int(origin.sample[n])))
    return cuts


def _read(folder: Path, name: str, lead: str, called: dict[str, str]) -> reader.Record:
    return reader.read(folder, name, (lead,), called=called, strict=False, annotated=False)


def _cut(record: reader.Record, peak: int) -> _Cut:
    signal = hold_last_valid(record.signal_mv)[0]
    reach = round(_SECONDS * record.fs_hz)
    start = max(0, peak - reach)
    part = np.clip(np.round(1e3 * signal[start : peak + reach + 1]), -_LARGEST_UV, _LARGEST_UV)
    return _Cut(part.astype(np.int16), record.fs_hz, start)


def _joined(chosen: NDArray[np.int64], cuts: Sequence[_Cut]) -> ProbeStrips:
    length = np.array([len(each.microvolts) for each in cuts], np.int64)
    microvolts = np.zeros((len(cuts), int(length.max())), np.int16)
    for row, each in zip(microvolts, cuts, strict=True):
        row[: len(each.microvolts)] = each.microvolts
    return ProbeStrips(
        window=chosen,
        microvolts=microvolts,
        length=length,
        fs_hz=np.array([each.fs_hz for each in cuts], np.float64),
        start=np.array([each.start for each in cuts], np.int64),
    )
