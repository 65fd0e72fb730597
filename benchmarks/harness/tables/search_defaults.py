"""Whether the best setting that a search found is better than the defaults of ``compress``."""

from __future__ import annotations

from ..aggregate import Variant, variants
from ..results import Results
from ..rows import Row
from ..statistics_of_seeds import paired, plus_minus, spread
from .options import LEGEND, differing
from .provenance import made_by


def table(results: Results) -> str:
    """Return the validation score of each setting, and its difference to that of the defaults.

    The first run of each model is that of the defaults.

    Args:
        results: Rows of ``search_defaults``.
    """
    done = [each for each in variants(results) if each.seeds]
    defaults: dict[str | None, Variant] = {}
    for each in done:
        defaults.setdefault(each.run.model, each)
    options = differing([{"variant": each} for each in done])
    lines = [
        _line(each, defaults[each.run.model], own) for each, own in zip(done, options, strict=True)
    ]
    notes = (
        "Same dense models, same budget, float32. Validation: macro-F1, mean ± standard deviation "
        "over seeds. The difference is seed by seed, with the 95 % interval of Student's t; better "
        "or worse: it leaves 0 out. The setting was chosen by the validation score of one of these "
        "seeds, which favours it. Epochs: of fine-tuning, all steps together. A setting becomes "
        f"the default if it is better for all four beat models. {LEGEND}"
    )
    return "\n".join(
        [
            "| setting | seeds | epochs | validation | minus the defaults (95 % interval) "
            "| than the defaults | DS2 | fidelity | options |",
            "|---|--:|--:|--:|--:|---|--:|--:|---|",
            *lines,
            "",
            notes,
            "",
            made_by([row for each in done for row in each.seeds], cpu=True),
        ]
    )


def _line(each: Variant, defaults: Variant, options: str) -> str:
    cells = [
        each.label,
        str(len(each.seeds)),
        plus_minus(spread([float(_epochs(row)) for row in each.seeds]), 0),
        plus_minus(spread(list(_validation(each).values()))),
        "-",
        "-",
        plus_minus(spread([row["test"]["macro_f1"] for row in each.seeds])),
        plus_minus(spread([row["fidelity"]["overall"]["fidelity"] for row in each.seeds])),
        options,
    ]
    difference = None
    if each is not defaults:
        difference = paired(_validation(each), _validation(defaults))
    if difference is not None:
        width = difference.half_width
        cells[4] = f"{difference.mean:+.3f}" + ("" if width is None else f" ± {width:.3f}")
        cells[5] = difference.verdict
    return f"| {' | '.join(cells)} |"


def _validation(each: Variant) -> dict[int, float]:
    return {row["seed"]: row["val"]["macro_f1"] for row in each.seeds}


def _epochs(row: Row) -> int:
    """Return the epochs of fine-tuning; those of steps that a guard has undone do not count."""
    return sum(len(step["train_loss"]) for step in row["steps"])
