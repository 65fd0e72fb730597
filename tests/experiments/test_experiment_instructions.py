"""The experiment of instructions on emulated cores."""

from __future__ import annotations

from harness import experiment
from harness.experiment import Context
from harness.kinds import instructions as kind

from edgeecg import resources


def test_the_settings_decide_which_targets_are_counted() -> None:
    asked = experiment.load("instructions")
    assert {task.rows for task in kind.tasks(asked, Context())} == {2 * 2}
    assert set(asked.settings["targets"].values()) <= set(resources.target_names())
    more = {**asked.settings["targets"], "int8-io": "tflite-int8-io"}
    wider = asked.model_copy(update={"settings": {**asked.settings, "targets": more}})
    assert {task.rows for task in kind.tasks(wider, Context())} == {2 * 3}
