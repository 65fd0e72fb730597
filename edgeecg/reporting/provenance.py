"""Where every figure comes from: hashes, versions, commands, settings, state of the device."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import cast

from edgeecg.reporting import captions, units
from edgeecg.reporting.documents import RunDocuments
from edgeecg.reporting.run_measurements import Measurement
from edgeecg.reporting.tables import Row, Table
from edgeecg.schema import (
    BenchReport,
    BenchResult,
    Budget,
    DeviceState,
    Guard,
    MeasuredCosts,
    ModelCard,
    Preprocessing,
    Value,
)


def tables(documents: RunDocuments) -> list[Table]:
    """Return the tables with everything that is needed to reproduce the figures."""
    found = [_weights(documents), _data(documents), *_settings(documents)]
    if documents.exported:
        found.append(_files(documents))
    found.extend(_bench(measurement, documents) for measurement in _one_per_report(documents))
    return found


def records(documents: RunDocuments) -> Table | None:
    """Return the accuracy of both models on each test record; None without records."""
    after = documents.model.test
    if not after.records:
        return None
    before = documents.baseline.test.records if documents.baseline else {}
    rows: list[Row] = []
    for name in sorted(after.records):
        beats = sum(map(sum, after.records[name]))
        support = (units.count(sum(row)) for row in after.records[name])
        rows.append(
            (
                name,
                units.count(beats),
                *support,
                _accuracy(before.get(name)),
                _accuracy(after.records[name]),
            )
        )
    return Table(
        title="Accuracy by test record",
        data=captions.test(documents.model.data),
        head=("record", "beats", *documents.model.classes, "baseline", "compressed"),
        rows=tuple(rows),
    )


def _accuracy(matrix: tuple[tuple[int, ...], ...] | None) -> str:
    total = sum(map(sum, matrix)) if matrix else 0
    if matrix is None or total == 0:
        return units.DASH
    return units.fraction(sum(row[i] for i, row in enumerate(matrix)) / total)


def _pairs(title: str, rows: Iterable[Row]) -> Table:
    return Table(title=title, data="", head=("what", "value"), rows=tuple(rows))


def _weights(documents: RunDocuments) -> Table:
    rows: list[Row] = [("run", documents.name)]
    for card in (documents.baseline, documents.model):
        if card is not None:
            rows += [
                (f"{card.role}: weights sha256", card.weights_sha256),
                (f"{card.role}: widths", _widths(card.widths)),
                (f"{card.role}: epochs, seed", f"{card.epochs}, {card.seed}"),
                (f"{card.role}: git revision", units.plain(card.git_revision)),
                (f"{card.role}: edgeecg version", card.edgeecg_version),
            ]
    return _pairs("Weights", rows)


def _widths(widths: Mapping[str, tuple[int, ...]]) -> str:
    return "; ".join(f"{name}: {' '.join(map(str, each))}" for name, each in widths.items())


def _data(documents: RunDocuments) -> Table:
    data = documents.model.data
    rows: list[Row] = [
        ("source", captions.title(data)),
        ("class map", f"{data.class_map}: {' '.join(data.classes)}"),
        ("training records", _names(data.train_records)),
        ("validation records", _names(data.val_records)),
        ("test records", _names(data.test_records)),
    ]
    kind = captions.sample_kind(data)
    rows += [(f"{kind}, {split}", _counts(beats)) for split, beats in data.beats.items()]
    rows += [
        (f"{kind} left out", _counts(data.skipped) or "none"),
        ("content sha256", data.content_sha256),
        ("licence and citation", data.licence),
        *_preprocessing(documents.model.preprocessing),
    ]
    return _pairs("Data and preprocessing", rows)


def _preprocessing(made: Preprocessing) -> list[Row]:
    peak = "from the record's start"
    if made.r_index is not None:
        peak = f"R peak at sample {made.r_index}"
    leads = f"lead{'' if len(made.leads) == 1 else 's'} {', '.join(made.leads)}"
    window = f"{made.window} samples at {made.fs_hz:g} Hz, {peak}, {leads}"
    filtered = "no filter"
    if made.highpass_hz is not None:
        filtered = f"causal high-pass {made.highpass_hz:g} Hz"
    scaled: str = made.normalisation
    if made.mean_mv is not None and made.deviation_mv is not None:
        scaled += f" (mean {made.mean_mv:.6g} mV, deviation {made.deviation_mv:.6g} mV)"
    rows: list[Row] = [("window", window), ("preprocessing", f"{filtered}, {scaled}")]
    if (strip := made.rhythm) is not None:
        divided = " / root of its running deviation" if strip.over_deviation else ""
        rows.append(
            (
                "rhythm strip",
                f"first {strip.samples} samples: {strip.beats} RR intervals of {strip.hold} "
                f"samples each, {strip.gain:g} ln(RR / running mean over "
                f"{strip.reference_beats} beats){divided}",
            )
        )
    if made.reference is not None:
        text = (
            "second half of the signal: minus the mean of the previous "
            f"{made.reference.beats} beats"
        )
        rows.append(("patient's mean beat", text))
    return rows


def _names(records: tuple[str, ...]) -> str:
    # The names of folds have two words.
    return (", " if any(" " in name for name in records) else " ").join(records)


def _counts(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{name} {units.count(count)}" for name, count in counts.items())


def _settings(documents: RunDocuments) -> list[Table]:
    found = [_pairs("Training settings", _training(documents))]
    if (log := documents.log) is not None:
        rows: list[Row] = [
            ("command", log.command),
            *(("resumed with", command) for command in log.resumed),
            *_flat(log.config, leave_out=("training", "costs")),
            ("layer costs", _layer_costs(log.config.costs)),
        ]
        found.insert(0, _pairs("Compression settings", rows))
    return found


def _training(documents: RunDocuments) -> list[Row]:
    """Return how the dense model was trained and the compressed one fine-tuned.

    The settings are those in the cards of the models. Those in the configuration of the run do not
    apply to a dense model that was trained before, such as one of the package.
    """
    tuned = _training_of(documents.model)
    if documents.baseline is None:
        return list(tuned.items())
    dense = _training_of(documents.baseline)
    rows: list[Row] = []
    for name in dict.fromkeys([*dense, *tuned]):
        before, after = (each.get(name, units.DASH) for each in (dense, tuned))
        differs = f"baseline: {before}; fine-tuning: {after}"
        rows.append((name, before if before == after else differs))
    return rows


def _training_of(card: ModelCard) -> dict[str, str]:
    training = card.training
    found = dict(_flat(training, leave_out=("preprocessing", "augmentation", "leads")))
    # Neither is final in the settings: no name of a source means that it was chosen.
    found |= {"data": captions.title(card.data), "seed": str(card.seed)}
    found |= {f"lead {ours}": theirs for ours, theirs in training.leads.items()}
    return found | {f"augmentation: {name}": text for name, text in _flat(training.augmentation)}


def _layer_costs(costs: MeasuredCosts | None) -> str:
    if costs is None:
        return "counted"
    emulator = ", emulated" if costs.emulated else ""
    return (
        f"seconds of the dense model's layers on {costs.device}{emulator}, {costs.runtime}; "
        f"sha256 of the bench {costs.bench_sha256}"
    )


def _flat(value: Value, leave_out: tuple[str, ...] = ()) -> list[tuple[str, str]]:
    return [
        (name, _setting(getattr(value, name)))
        for name in type(value).model_fields
        if name not in leave_out
    ]


def _setting(value: object) -> str:
    """Return a setting as on the command line: ``energy=0.2`` for a budget, lists with commas."""
    if isinstance(value, (list, tuple)):
        return ", ".join(_setting(each) for each in cast("Sequence[object]", value)) or "none"
    if isinstance(value, dict):
        pairs = cast("dict[object, object]", value).items()
        return ", ".join(f"{key}={_setting(each)}" for key, each in pairs) or "none"
    if isinstance(value, (Budget, Guard)):
        return str(value)
    if isinstance(value, Value):
        return ", ".join(f"{name}={text}" for name, text in _flat(value))
    if value is None or isinstance(value, (bool, int, float, str)):
        return "none" if value is None else units.plain(value)
    return str(value)


def _files(documents: RunDocuments) -> Table:
    rows: list[Row] = []
    for exported in documents.exported:
        manifest = exported.manifest
        versions = ", ".join(f"{name} {v}" for name, v in manifest.versions.items())
        rows += [
            (exported.file, f"sha256 {exported.sha256}"),
            ("made with", versions or units.MISSING),
            ("git revision", units.plain(manifest.git_revision)),
        ]
    return _pairs("Exported files: hashes and versions", rows)


def _one_per_report(documents: RunDocuments) -> list[Measurement]:
    """Return one measurement per bench report and setup, since the others have equal settings."""
    seen = {(m.source, m.created, m.setup): m for m in reversed(documents.measurements)}
    return list(seen.values())[::-1]


def _bench(measurement: Measurement, documents: RunDocuments) -> Table:
    table = bench_table(
        measurement.result, measurement.report, measurement.source, measurement.place
    )
    return Table(table.title, captions.synthetic_only(documents.model.data), table.head, table.rows)


def bench_table(result: BenchResult, report: BenchReport, source: str, place: str) -> Table:
    """Return the table of how a file was measured: command, processor, its state, suite.

    Args:
        result: The measurement.
        report: The bench report that holds it.
        source: What the report is called.
        place: Device, runtime and threads in words.
    """
    device, latency = result.device, result.latency
    features = "not known" if device.cpu_features is None else " ".join(device.cpu_features)
    rows: list[Row] = [
        ("command", report.command),
        ("document, time", f"{source}, {report.created_utc}"),
        ("edgeecg version", report.edgeecg_version),
        ("processor", f"{units.plain(device.cpu)}, {device.cores} cores, {device.machine}"),
        ("vector extensions", features or "none"),
        ("int8 dot products", units.plain(device.int8_dot_product)),
        ("memory", units.size(device.memory_bytes)),
        ("system", f"{device.system}, Python {device.python}"),
        ("emulated", units.plain(device.emulated)),
        ("state before", _state(device.before)),
        ("state after", _state(device.after)),
        ("threads, pinned to", f"{latency.threads}, {_pinned(latency.pinned_cpu)}"),
        ("meter and tier", f"{units.plain(result.energy.meter)}, {result.energy.tier}"),
        ("times of layers", _layers(result)),
    ]
    rows += [(f"warning {n}", text) for n, text in enumerate(report.warnings, 1)]
    rows += [(f"suite: {name}", text) for name, text in _flat(report.suite)]
    return _pairs(f"Bench on {place}", rows)


def _layers(result: BenchResult) -> str:
    """Return how the operations were timed, and how much of the time they leave out."""
    if result.layers_reason is not None:
        return f"not measured: {result.layers_reason}"
    share = result.layers_unexplained
    if share is None:
        return f"{units.plain(result.layers_method)}; the time in no operation is not known"
    return f"{units.plain(result.layers_method)}; {captions.in_no_operation(share)}"


def _pinned(cpu: int | None) -> str:
    return "no processor (not possible here)" if cpu is None else f"processor {cpu}"


def _state(state: DeviceState) -> str:
    megahertz = None if state.frequency_hz is None else state.frequency_hz / 1e6
    return (
        f"governor {units.plain(state.governor)}; frequency {units.plain(megahertz, 'MHz')}; "
        f"temperature {units.plain(state.temperature_c, '°C')}; "
        f"throttled {units.plain(state.throttled)}{_throttled(state)}; "
        f"load {units.plain(state.load)}"
    )


def _throttled(state: DeviceState) -> str:
    """Return what the firmware or the processor reports of throttling; empty if nothing does."""
    found = [
        f"{when}: {', '.join(flags) or 'nothing'}"
        for when, flags in (("now", state.throttle_now), ("since boot", state.throttle_since_boot))
        if flags is not None
    ]
    if state.throttle_events is not None:
        found.append(f"{units.count(state.throttle_events)} times since boot")
    return f" ({'; '.join(found)})" if found else ""
