"""Guards: scores on the validation records that no step may push below their bounds."""

from __future__ import annotations

from collections.abc import Sequence

from edgeecg.errors import EdgeECGError, UnknownNameError, UsageError
from edgeecg.models import Architecture
from edgeecg.schema import Guard, Scores


def check_names(guards: Sequence[Guard], architecture: Architecture) -> None:
    """Refuse guards of a class or metric that the model does not have.

    Raises:
        UnknownNameError: There is no such class.
        UsageError: The metric is not computed for this task.
    """
    for guard in guards:
        if guard.class_name is not None and guard.class_name not in architecture.CLASSES:
            raise UnknownNameError("class", guard.class_name, architecture.CLASSES)
        if guard.metric in ("auroc", "macro_auroc") and architecture.TASK == "beats":
            raise UsageError(
                f"The guard '{guard}' cannot be checked.",
                "A beat has one class, and beats are scored by recall, precision and F1.",
                "Guard recall, precision, f1 or macro_f1.",
            )


def broken_guards(guards: Sequence[Guard], val: Scores) -> dict[str, float]:
    """Return the guards that validation scores break, and the score of each.

    A score that is not defined on these records (no record without the class) counts as 0: what
    cannot be seen to hold does not hold.
    """
    found = {str(guard): (guard, guard.value(val) or 0.0) for guard in guards}
    return {text: value for text, (guard, value) in found.items() if value < guard.at_least}


def check_dense(guards: Sequence[Guard], val: Scores, run: str) -> None:
    """Refuse to start from a dense model that breaks a guard itself.

    Args:
        guards: What is asked for.
        val: Scores of the dense model on the validation records.
        run: Name of the run, which holds the dense model.

    Raises:
        EdgeECGError: It breaks one; nothing was cut.
    """
    for text, value in broken_guards(guards, val).items():
        raise EdgeECGError(
            f"The dense model breaks the guard '{text}' already.",
            f"Its validation score is {value:.3f}.",
            "Lower the bound in a new run from the same model (edgeecg compress --start "
            f"{run}), or train a better one with 'edgeecg train'.",
        )
