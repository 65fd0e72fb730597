"""What may be searched for."""

from __future__ import annotations

from pathlib import Path

import pytest
from timed_layers import costs

from edgeecg.compression.settings import configuration
from edgeecg.errors import UsageError
from edgeecg.models import architecture
from edgeecg.runs.options import Options
from edgeecg.tuning import objectives


@pytest.mark.parametrize(
    ("names", "costs_given", "said"),
    [
        (("macro_f1", "latency"), False, "needs the seconds of the model's layers"),
        (("macro_f1", "macro_f1"), False, "named twice"),
        (("macro_auroc", "energy"), False, "A beat has one class"),
        (("macro_f1", "energy", "latency"), True, "the same number"),
    ],
)
def test_objectives_that_need_what_is_not_there_are_refused(
    names: tuple[str, ...], costs_given: bool, said: str, tmp_path: Path
) -> None:
    config, _ = configuration(Options({"training": {"model": "cnn1d"}}))
    if costs_given:
        config = config.model_copy(update={"costs": costs(tmp_path)})
    with pytest.raises(UsageError, match=said):
        objectives.check(objectives.named(names), config, architecture("cnn1d"))


def test_an_unknown_objective_is_named() -> None:
    with pytest.raises(UsageError, match="Did you mean 'energy'"):
        objectives.named(["enrgy"])
