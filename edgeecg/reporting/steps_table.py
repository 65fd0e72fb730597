"""The table of compression steps."""

from __future__ import annotations

from edgeecg.reporting import captions, units
from edgeecg.reporting.documents import RunDocuments
from edgeecg.reporting.tables import Row, Table
from edgeecg.schema import CompressionLog, CompressionStep, ModelCard, Scores


def steps(documents: RunDocuments) -> Table | None:
    """Return the table of prune-and-fine-tune steps; None without a log."""
    log = documents.log
    if log is None or not log.steps:
        return None
    classes = documents.model.classes
    labels = documents.model.test.task == "records"
    aimed = any(step.target_sparsity is not None for step in log.steps)

    def row(name: str, step: CompressionStep) -> Row:
        aim = step.target_sparsity
        return (
            name,
            *((units.DASH if aim is None else units.percent(aim),) if aimed else ()),
            units.percent(step.sparsity),
            units.count(step.parameters),
            units.macs(step.macs),
            units.ratio(step.proxy_ideal),
            units.ratio(step.proxy_executed),
            *predicted(step.latency_predicted),
            units.fraction(step.val.headline[1]),
            *_by_class(step.val, classes),
            f"{step.seconds:,.1f}",
        )

    def predicted(latency: float | None) -> Row:
        if log.config.costs is None:
            return ()
        return (units.DASH if latency is None else units.ratio(latency),)

    start: tuple[Row, ...] = ()
    if (dense := documents.baseline) is not None:
        start = (_dense_row(dense, (units.DASH,) * aimed, predicted(1.0), classes),)
    return Table(
        title="Compression, step by step",
        data=captions.validation(log.data),
        head=("step", *(("target sparsity",) if aimed else ()), "sparsity", "parameters", "MACs",
              "proxy, ideal", "proxy, executed",
              *(("latency, predicted",) if log.config.costs else ()),
              documents.model.val.headline[0],
              *(f"{'AUROC' if labels else 'Se'} of {name}" for name in classes), "seconds"),
        rows=(*start, *(row(str(step.step), step) for step in log.steps)),
        notes=("All decisions use the validation records; the test records are used once, at the "
               "end.", *_board(log), *_rollbacks(log), *_int8(documents)),
    )  # fmt: skip


def _board(log: CompressionLog) -> tuple[str, ...]:
    """Return a note about the predicted latency, if there is one."""
    costs = log.config.costs
    if costs is None:
        return ()
    return (
        "Predicted latency: relative to the dense model, from the seconds of its layers on "
        f"{costs.device}{' (emulated)' if costs.emulated else ''}, {costs.runtime}, threads: "
        f"{costs.threads}. The measured latency is in the table of the measured files.",
    )


def _rollbacks(log: CompressionLog) -> tuple[str, ...]:
    """Return a note about the steps that broke a guard, and why the run ended early if it did."""
    if not log.rollbacks:
        return ()
    least = min(rollback.nonzero_parameters for rollback in log.rollbacks)
    tried = (
        f"{len(log.rollbacks)} more steps broke a guard and were rolled back; "
        f"the smallest model had {units.count(least)} non-zero parameters."
    )
    return (tried,) if log.stopped is None else (tried, log.stopped)


def _int8(documents: RunDocuments) -> tuple[str, ...]:
    return () if documents.quantization is None else (documents.quantization.remark,)


def _dense_row(dense: ModelCard, aim: Row, latency: Row, classes: Row) -> Row:
    return (
        "baseline",
        *aim,
        units.DASH,
        units.count(dense.parameters),
        units.macs(dense.macs),
        units.ratio(1.0),
        units.ratio(1.0),
        *latency,
        units.fraction(dense.val.headline[1]),
        *_by_class(dense.val, classes),
        units.DASH,
    )


def _by_class(scored: Scores, classes: Row) -> Row:
    """Return the AUROC of each class for records, or its sensitivity for beats."""
    found = (scored.per_class.get(name) for name in classes)
    values = (
        None if each is None else each.auroc if scored.task == "records" else each.recall
        for each in found
    )
    return tuple(units.DASH if value is None else units.fraction(value) for value in values)
