"""The search itself: what ends how, what is tried again, and that nothing is counted twice."""

from __future__ import annotations

import contextlib
import json
import signal
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from small_searches import complete, pretend, small_plan

from edgeecg.data import Dataset
from edgeecg.errors import EdgeECGError, UsageError
from edgeecg.files import sha256
from edgeecg.runs import RunFolder
from edgeecg.schema import CompressionConfig, CustomModule, Front, TrainingConfig
from edgeecg.tuning import page, running
from edgeecg.tuning.running import SearchStatus
from edgeecg.tuning.search import perform
from edgeecg.tuning.trial import Outcome, Task
from edgeecg.tuning.workers import Processes

_PATIENCE_S = 120.0


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(folder: Path, dataset: Dataset, trials: int = 6, **options: Any) -> Front:
    return perform(small_plan(folder, dataset, trials), "edgeecg search", **options)


def test_the_result_has_the_shape_that_scripts_rely_on(
    folder: Path, toy_dataset: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    pretend(monkeypatch, complete)
    front = run(folder, toy_dataset)
    document = json.loads((folder / "runs/S/front.json").read_text(encoding="utf-8"))
    assert document["objectives"] == ["macro_f1", "energy"]
    assert [each["run"] for each in document["trials"]] == [f"S-00{n}" for n in range(6)]
    assert all(each["state"] == "complete" for each in document["trials"])
    assert all(len(each["values"]) == 2 for each in document["trials"])
    assert document["front"] == list(front.front)
    assert set(document["front"]) <= {each["run"] for each in document["trials"]}
    assert "S-003" in (folder / "runs/S/front.html").read_text(encoding="utf-8")


def test_only_the_front_has_test_scores(
    folder: Path, toy_dataset: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    pretend(monkeypatch, complete)
    front = run(folder, toy_dataset)
    assert {trial.run for trial in front.trials if trial.test is not None} == set(front.front)


def test_a_lost_trial_is_tried_again_and_counted_once(
    folder: Path, toy_dataset: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    def outcome(task: Task) -> Outcome:
        if task.number in (1, 4) and task.attempt < 2:
            return Outcome("lost", 3.0, None, "Its node is gone.")
        return complete(task)

    workers = pretend(monkeypatch, outcome)
    front = run(folder, toy_dataset)
    assert [trial.state for trial in front.trials] == ["complete"] * 6
    handed_out = Counter(task.number for task in workers.tasks)
    assert handed_out == {0: 1, 1: 3, 2: 1, 3: 1, 4: 3, 5: 1}
    assert front.trials[1].seconds == 3.0 + 3.0 + 1.0
    assert workers.closed
    configs = {task.config.to_json() for task in workers.tasks if task.number == 1}
    assert len(configs) == 1


def test_a_trial_that_is_lost_again_and_again_fails_with_its_reason(
    folder: Path, toy_dataset: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    def outcome(task: Task) -> Outcome:
        if task.number == 2:
            return Outcome("lost", 1.0, None, "Its process ended with exit code -9.")
        return complete(task)

    workers = pretend(monkeypatch, outcome)
    front = run(folder, toy_dataset)
    failed = front.trials[2]
    assert (failed.state, failed.values) == ("failed", None)
    assert failed.reason == "Tried 3 times. Its process ended with exit code -9."
    assert [trial.state for trial in front.trials].count("complete") == 5
    assert len(workers.tasks) == 5 + 3


def test_pruned_and_failed_trials_are_counted_and_not_on_the_front(
    folder: Path, toy_dataset: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    ends = {
        0: Outcome("pruned", 1.0, None, "A finished trial is better."),
        3: Outcome("failed", 1.0, None, "NaN"),
    }
    pretend(monkeypatch, lambda task: ends.get(task.number) or complete(task))
    front = run(folder, toy_dataset)
    assert Counter(trial.state for trial in front.trials) == {
        "complete": 4,
        "pruned": 1,
        "failed": 1,
    }
    assert front.trials[0].reason == "A finished trial is better."
    assert not {"S-000", "S-003"} & set(front.front)


def test_a_full_disk_stops_the_search_and_loses_nothing(
    folder: Path, toy_dataset: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    full = True

    def outcome(task: Task) -> Outcome:
        if full and task.number == 2:
            return Outcome("full", 1.0, None, "No space left on device")
        return complete(task)

    with monkeypatch.context() as patch:
        pretend(patch, outcome)
        with pytest.raises(EdgeECGError, match="a file could not be written") as raised:
            run(folder, toy_dataset)
        assert "edgeecg search --resume S" in raised.value.todo
    full = False
    workers = pretend(monkeypatch, outcome)
    front = run(folder, toy_dataset)
    assert [trial.state for trial in front.trials] == ["complete"] * 6
    assert workers.tasks[0].number == 2


def test_a_study_whose_journal_cannot_be_written_stops_and_goes_on(
    folder: Path, toy_dataset: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    pretend(monkeypatch, complete)
    with monkeypatch.context() as patch:

        def refused(*_: object) -> None:
            # What a full disk leaves: a part of a line.
            with (folder / "runs/S/optuna.jsonl").open("a", encoding="utf-8") as journal:
                journal.write('{"op_code": 6, "wor')
            raise OSError(28, "No space left on device")

        patch.setattr(running.Study, "complete", refused)
        with pytest.raises(EdgeECGError, match="No space left on device"):
            run(folder, toy_dataset)
    pretend(monkeypatch, complete)
    assert [trial.state for trial in run(folder, toy_dataset).trials] == ["complete"] * 6


def test_an_interrupted_search_goes_on_with_the_same_trials(
    folder: Path, toy_dataset: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(task: Task) -> Outcome:
        if task.number == 3:
            raise KeyboardInterrupt
        return complete(task)

    with monkeypatch.context() as patch:
        before = pretend(patch, interrupted)
        with pytest.raises(KeyboardInterrupt):
            run(folder, toy_dataset)
        assert before.closed
    after = pretend(monkeypatch, complete)
    front = run(folder, toy_dataset)
    assert [trial.run for trial in front.trials] == [f"S-00{number}" for number in range(6)]
    assert [task.number for task in after.tasks] == [3, 4, 5]
    again = {task.number: task.config for task in before.tasks}
    assert all(again[t.number] == t.config for t in after.tasks if t.number in again)


def press_ctrl_c_in_a_library() -> None:
    """Interrupt this process where a library drops what its callbacks raise."""
    with contextlib.suppress(BaseException):
        signal.raise_signal(signal.SIGINT)


@pytest.mark.parametrize("failed", [False, True])
def test_a_ctrl_c_that_a_library_suppresses_interrupts_the_search(
    failed: bool, folder: Path, toy_dataset: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(task: Task) -> Outcome:
        if task.number == 3:
            press_ctrl_c_in_a_library()
            if failed:
                return Outcome("failed", 1.0, None, "PydanticSerializationError")
        return complete(task)

    handler = signal.getsignal(signal.SIGINT)
    with monkeypatch.context() as patch:
        workers = pretend(patch, interrupted)
        with pytest.raises(KeyboardInterrupt):
            run(folder, toy_dataset)
        assert workers.closed
    assert signal.getsignal(signal.SIGINT) is handler
    pretend(monkeypatch, complete)
    front = run(folder, toy_dataset)
    assert [trial.state for trial in front.trials] == ["complete"] * 6


def test_a_ctrl_c_while_the_status_is_written_interrupts_the_search(
    folder: Path, toy_dataset: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[SearchStatus] = []

    def listen(status: SearchStatus) -> None:
        told.append(status)
        if len(told) == 3:
            press_ctrl_c_in_a_library()

    pretend(monkeypatch, complete)
    with pytest.raises(KeyboardInterrupt):
        run(folder, toy_dataset, on_status=listen)
    assert len(told) == 3


def test_a_finished_search_does_nothing_and_more_trials_can_be_added(
    folder: Path, toy_dataset: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    workers = pretend(monkeypatch, complete)
    first = run(folder, toy_dataset, 3)
    assert run(folder, toy_dataset, 3) == first
    assert len(workers.tasks) == 3
    more = run(folder, toy_dataset, 5)
    assert more.trials[:3] == tuple(
        trial.model_copy(update={"test": more.trials[number].test})
        for number, trial in enumerate(first.trials)
    )
    assert len(more.trials) == 5


def test_a_dry_run_does_two_trials_and_estimates_the_others(
    folder: Path, toy_dataset: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    workers = pretend(monkeypatch, complete)
    front = run(folder, toy_dataset, dry_run=True)
    assert len(workers.tasks) == 2
    assert not front.finished
    assert not any(trial.test for trial in front.trials)
    # Each took a second: four more take four, or two at a time two.
    assert running.seconds_left(front, 6, 1) == 4
    assert running.seconds_left(front, 6, 2) == 2
    failed = front.trials[0].model_copy(update={"state": "failed", "seconds": 3.0})
    slow = front.model_copy(update={"trials": (failed, front.trials[1])})
    assert running.seconds_left(slow, 6, 1) == 8
    assert running.seconds_left(front.model_copy(update={"trials": (failed,)}), 6, 1) is None
    for number, size in ((0, 1000), (1, 3000)):
        (folder / f"runs/S-00{number}").mkdir()
        (folder / f"runs/S-00{number}/model.safetensors").write_bytes(bytes(size))
    assert running.bytes_per_trial(front, folder / "runs") == 2000


def test_a_dry_run_of_a_finished_search_keeps_its_test_scores(
    folder: Path, toy_dataset: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    pretend(monkeypatch, complete)
    finished = run(folder, toy_dataset, 3)
    assert finished.finished
    assert run(folder, toy_dataset, 3, dry_run=True) == finished


def test_another_search_that_got_the_same_name_is_refused_and_changes_nothing(
    folder: Path, toy_dataset: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    pretend(monkeypatch, complete)
    # Both chose the name before either had written anything.
    plan = small_plan(folder, toy_dataset, 2)
    config = plan.config.model_copy(update={"objectives": ("macro_f1", "size")})
    second = replace(plan, config=config)
    perform(plan, "edgeecg search")
    before = plan.written.read_bytes()
    with pytest.raises(UsageError, match="another 'objectives'") as raised:
        perform(second, "edgeecg search")
    assert "--name" in raised.value.todo
    assert "--resume" in raised.value.todo
    assert plan.written.read_bytes() == before
    assert len(perform(plan, "edgeecg search").trials) == 2


def test_the_page_of_a_search_that_is_not_finished_claims_no_test_scores(
    folder: Path, toy_dataset: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    pretend(monkeypatch, complete)
    written = folder / "runs/S/front.html"
    run(folder, toy_dataset, dry_run=True)
    assert "test records were scored" not in written.read_text(encoding="utf-8")
    run(folder, toy_dataset)
    assert "test records were scored once" in written.read_text(encoding="utf-8")


def test_the_axes_of_the_page_say_which_value_is_of_the_validation_records(
    folder: Path, toy_dataset: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    pretend(monkeypatch, complete)
    front = run(folder, toy_dataset, 2)
    turned = front.model_copy(update={"objectives": tuple(reversed(front.objectives))})
    assert ">macro_f1 (validation)</text>" in page.render(front)
    assert ">energy</text>" in page.render(turned)
    assert ">macro_f1 (validation)</text>" in page.render(turned)


def test_the_status_is_reported_as_it_changes(
    folder: Path, toy_dataset: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    pretend(monkeypatch, complete)
    told: list[SearchStatus] = []
    run(folder, toy_dataset, 3, on_status=told.append)
    assert told[0].seconds_left is None
    assert max(len(status.running) for status in told) == 2
    # One of three trials has ended, of a second each, and two are performed at a time.
    assert {s.seconds_left for s in told if len(s.front.trials) == 1} == {1.0}
    assert [len(status.front.trials) for status in told][-1] == 3
    assert told[-1].seconds_left == 0


def test_a_custom_module_is_not_sent_to_a_cluster(
    folder: Path, toy_dataset: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = small_plan(folder, toy_dataset)
    config = plan.config.model_copy(update={"ray": "auto"})
    plan = replace(plan, config=config, custom=object())  # pyright: ignore[reportArgumentType]
    with pytest.raises(UsageError, match="cannot be searched on a Ray cluster"):
        perform(plan, "edgeecg search")
    assert not (folder / "runs").exists()


def test_no_process_reads_a_custom_module_that_has_changed_meanwhile(folder: Path) -> None:
    net = folder / "net.py"
    net.write_text("old", encoding="utf-8")
    origin = CustomModule(file=f"{net}:build", sha256=sha256(net))
    net.write_text("new", encoding="utf-8")
    with pytest.raises(UsageError, match="has changed since the search was started"):
        Processes(1, CompressionConfig(custom=origin), lambda _number, _progress: None)


def test_a_worker_process_that_cannot_start_costs_no_trial(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The process looks for the records by itself, and there are none.
    monkeypatch.setenv("EDGEECG_DATA", str(folder / "nowhere"))
    base = CompressionConfig(training=TrainingConfig(data="mitdb"))
    workers = Processes(1, base, lambda _number, _progress: None)
    try:
        workers.start(Task(0, 0, "S-000", base, ("macro_f1", "energy"), (), "edgeecg search"))
        with pytest.raises(EdgeECGError, match="A worker process cannot start"):
            workers.wait(_PATIENCE_S)
    finally:
        workers.close()


def test_the_workers_score_the_front_at_the_end(
    folder: Path, toy_dataset: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    def reduced(run: RunFolder, _dense: RunFolder, config: CompressionConfig) -> None:
        run.path.mkdir(parents=True)
        run.config.write_text(config.to_json(), encoding="utf-8")
        run.compression_log.touch()
        run.model_weights.touch()

    workers = pretend(monkeypatch, complete)
    monkeypatch.setattr(running, "prepare", reduced)
    front = run(folder, toy_dataset, 4)
    scored = [task.run for task in workers.tasks if task.score_test]
    assert scored == list(front.front)
    assert [task.run for task in workers.tasks[:4]] == [trial.run for trial in front.trials]
