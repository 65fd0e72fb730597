"""Guards: scores on the validation records that no step may push below their bounds."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from edgeecg.data import Dataset, sources
from edgeecg.errors import EdgeECGError, UnknownNameError, UsageError
from edgeecg.models import Architecture
from edgeecg.schema import FEWEST_BEATS, CompressionConfig, Fidelity, Guard, Scores
from edgeecg.schema.constraints import WORST_RECORD

GUARDED = "train"
"""Where a guard of the fidelity is measured, of the splits of ``CompressionStep.fidelity``."""


def in_force(config: CompressionConfig, source: str) -> tuple[Guard, ...]:
    """Return the guards that a run was given, and those that its records' database proposes.

    A guard of the same score replaces a proposed one.

    Args:
        config: The guards, and whether proposed ones are wanted.
        source: Name of the database.
    """
    if not config.default_guards:
        return config.guards
    given = {(guard.class_name, guard.metric) for guard in config.guards}
    proposed = [Guard.parse(text) for text in sources.guards(source)]
    return (
        *config.guards,
        *(guard for guard in proposed if (guard.class_name, guard.metric) not in given),
    )


def check_names(guards: Sequence[Guard], architecture: Architecture) -> None:
    """Refuse guards of a class or metric that the model does not have.

    Raises:
        UnknownNameError: There is no such class.
        UsageError: The metric is not computed for this task.
    """
    for guard in guards:
        if guard.class_name == WORST_RECORD:
            if architecture.TASK == "records":
                raise UsageError(
                    f"The guard '{guard}' cannot be checked.",
                    "For this model each record is one window, decided alike or not.",
                    "Guard the fidelity of a class, or of all records: fidelity>=0.9.",
                )
        elif guard.class_name is not None and guard.class_name not in architecture.CLASSES:
            raise UnknownNameError("class", guard.class_name, architecture.CLASSES)
        if guard.metric in ("auroc", "macro_auroc") and architecture.TASK == "beats":
            raise UsageError(
                f"The guard '{guard}' cannot be checked.",
                "A beat has one class, and beats are scored by recall, precision and F1.",
                "Guard recall, precision, f1 or macro_f1.",
            )


def broken_guards(
    guards: Sequence[Guard], val: Scores, fidelity: Fidelity | None = None
) -> dict[str, float]:
    """Return the guards that a model breaks, and the score of each.

    A score that is not defined on these records (no record without the class) counts as 0: a guard
    that cannot be checked counts as broken.

    Args:
        guards: What has to hold.
        val: Scores of the model on the validation records.
        fidelity: Its agreement with the dense model, for guards of the fidelity.
    """
    found = {str(guard): (guard, guard.value(val, fidelity) or 0.0) for guard in guards}
    return {text: value for text, (guard, value) in found.items() if value < guard.at_least}


def check_support(guards: Sequence[Guard], dataset: Dataset) -> None:
    """Refuse guards on classes that no validation window has: no model could keep them.

    Args:
        guards: What is asked for.
        dataset: The records.

    Raises:
        UsageError: A guard is on such a class.
    """
    y, names = dataset.val.y, dataset.summary.classes
    counts = np.bincount(y, minlength=len(names)) if y.ndim == 1 else (y > 0).sum(axis=0)
    support = dict(zip(names, counts.tolist(), strict=True))
    for guard in guards:
        if guard.metric != "fidelity" and support.get(guard.class_name or "", 1) == 0:
            raise UsageError(
                f"The guard '{guard}' cannot be checked.",
                f"No validation window is of class {guard.class_name}.",
                "Guard another class, or choose records whose validation part has this one.",
            )


def check_dense(guards: Sequence[Guard], val: Scores, again: str) -> None:
    """Refuse to start from a dense model that breaks a guard itself.

    Args:
        guards: What is asked for; those of the fidelity hold for the dense model.
        val: Scores of the dense model on the validation records.
        again: The command that starts from the same dense model once more.

    Raises:
        EdgeECGError: It breaks one; nothing was pruned.
    """
    scored = [guard for guard in guards if guard.metric != "fidelity"]
    for text, value in broken_guards(scored, val).items():
        raise EdgeECGError(
            f"The dense model breaks the guard '{text}' already.",
            f"Its validation score is {value:.3f}.",
            f"Lower the bound in a new run from the same model ({again}), or train a better one "
            "with 'edgeecg train'.",
        )


def few_beats(guards: Sequence[Guard], val: Scores, fidelity: Fidelity) -> tuple[str, ...]:
    """Return a warning for each guard that is measured on few windows.

    Args:
        guards: What is asked for.
        val: Scores of the dense model on the validation records.
        fidelity: A fidelity measured on the windows on which guards of the fidelity are.
    """
    found: list[str] = []
    for guard in guards:
        if guard.class_name is None:
            continue
        if guard.class_name == WORST_RECORD:
            few = {n: r.n for n, r in fidelity.per_record.items() if r.n < FEWEST_BEATS}
            counted = ", ".join(f"{n} of record {name}" for name, n in few.items())
        elif guard.metric == "fidelity":
            n = fidelity.per_class[guard.class_name].n
            few = n < FEWEST_BEATS
            counted = f"{n} that the dense model calls {guard.class_name}"
        else:
            n = val.per_class[guard.class_name].support
            few = n < FEWEST_BEATS
            counted = f"{n} of the class {guard.class_name}"
        if few:
            what = "beats" if val.task == "beats" else "records"
            found.append(
                f"The guard '{guard}' says little: fewer than {FEWEST_BEATS} {what} are behind it "
                f"({counted})."
            )
    return tuple(found)
