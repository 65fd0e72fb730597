"""Run the experiments of ``benchmarks/experiments/``, and write the tables that are made of them.

::

    python benchmarks/run.py methods --minutes 50      # measure what is missing, then the tables
    python benchmarks/run.py --all --seeds 0           # a part of every experiment
    python benchmarks/run.py --all --ray auto          # spread over a Ray cluster
    python benchmarks/run.py export_table --only times # the rows of one kind
    python benchmarks/run.py my_experiment.toml        # an experiment of your own
    python benchmarks/run.py --render                  # the tables alone, from the stored rows
    python benchmarks/run.py --all --quick             # try everything at toy size

What was measured is kept in ``benchmarks/results/NAME.jsonl`` row by row and is not measured again.
A process that was killed goes on where it was. Real records are found through ``EDGEECG_DATA``.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import sys
import tempfile
import time
from collections.abc import Generator, Sequence
from pathlib import Path

from harness import experiment, render, runner, toy
from harness.experiment import Context, Experiment

from edgeecg.errors import EdgeECGError, UsageError

ROOT = Path(__file__).resolve().parents[1]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run what the command line asks for, and return the exit code."""
    try:
        _run(_parser().parse_args(arguments))
    except EdgeECGError as error:
        print(f"{error.what}\n{error.why}\n{error.todo}", file=sys.stderr)
        return error.exit_code
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description="Measure what is missing of an experiment, and write its tables.",
        epilog=f"Experiments: {', '.join(experiment.names())}.",
    )
    parser.add_argument("name", nargs="*", metavar="NAME", help="an experiment, or a .toml file")
    parser.add_argument("--all", action="store_true", help="every experiment")
    parser.add_argument("--minutes", type=float, default=float("inf"), help="begin nothing later")
    parser.add_argument("--seeds", help="a part of the seeds, e.g. 0,1")
    parser.add_argument("--runs", help="a part of the runs by label, separated by semicolons")
    parser.add_argument("--only", metavar="WHAT", help="rows of one kind, e.g. times")
    parser.add_argument("--ray", metavar="ADDRESS", help="Ray cluster: auto, or HOST:PORT")
    parser.add_argument("--again", action="store_true", help="also measure what was measured")
    parser.add_argument("--quick", action="store_true", help="toy size, synthetic records")
    parser.add_argument("--keep", metavar="FOLDER", help="with --quick: keep the rows there")
    parser.add_argument("--render", action="store_true", help="write the tables, measure nothing")
    return parser


def _run(asked: argparse.Namespace) -> None:
    if asked.render:
        render.write(ROOT)
        return
    if asked.all == bool(asked.name):
        raise UsageError(
            "There is nothing to run.",
            "Either the name of an experiment or --all is needed, and not both.",
            f"The experiments are: {', '.join(experiment.names())}.",
        )
    names = experiment.names() if asked.all else asked.name
    chosen = [experiment.checked(experiment.load(name)) for name in names]
    if asked.quick:
        _quickly(chosen, asked.ray, None if asked.keep is None else Path(asked.keep).resolve())
        return
    os.chdir(ROOT)
    plan = runner.Plan(
        until_s=time.monotonic() + 60 * asked.minutes,
        seeds=_seeds(asked.seeds),
        labels=asked.runs.split(";") if asked.runs else None,
        what=asked.only,
        again=asked.again,
    )
    _perform(chosen, Context(), plan, asked.ray)
    render.write(ROOT)


def _perform(
    chosen: Sequence[Experiment], context: Context, plan: runner.Plan, address: str | None
) -> None:
    """Measure what is missing, and say how far each experiment is."""
    if address is None:
        for each in chosen:
            _report(each, runner.perform(each, context, plan))
        return
    try:
        from harness import cluster
    except ImportError as error:
        raise UsageError(
            "The experiments cannot be spread over a cluster.",
            f"{error}.",
            "Install Ray: pip install 'edgeecg[search]'.",
        ) from error
    outcomes = cluster.perform(chosen, context, plan, address)
    for each, outcome in zip(chosen, outcomes, strict=True):
        _report(each, outcome)


def _seeds(text: str | None) -> list[int] | None:
    if text is None:
        return None
    try:
        return [int(each) for each in text.split(",")]
    except ValueError as error:
        raise UsageError(
            "The seeds cannot be read.",
            f"'{text}' is not a list of whole numbers.",
            "Write them with commas: --seeds 0,1,2.",
        ) from error


def _report(each: Experiment, outcome: runner.Outcome) -> None:
    left = f", {outcome.missing} left" if outcome.missing else ""
    print(f"{each.name}: {outcome.measured} of {outcome.tasks} measured now{left}", flush=True)


def _quickly(chosen: Sequence[Experiment], address: str | None, keep: Path | None) -> None:
    """Measure everything at toy size in a folder of its own, and make its tables."""
    with _toy_folder() as folder:
        results = keep or folder / "results"
        context, plan = Context(quick=True), runner.Plan(results=results)
        if address is not None:
            _perform([each.quickly() for each in chosen], context, plan, address)
        for each in chosen:
            began = time.monotonic()
            if address is None:
                _perform([each.quickly()], context, plan, None)
            for table in each.tables:
                # A table that cannot be made of toy rows stops here.
                render.table([e.quickly() for e in render.needed(each, table)], table, results)
            print(f"{each.name}: {time.monotonic() - began:.0f} s", flush=True)


@contextlib.contextmanager
def _toy_folder() -> Generator[Path]:
    """Work in a temporary folder with synthetic databases."""
    with tempfile.TemporaryDirectory(prefix="edgeecg-benchmarks-") as name:
        folder = Path(name)
        toy.databases(folder / "data")
        kept = {key: os.environ.get(key) for key in ("EDGEECG_DATA", "EDGEECG_CACHE")}
        os.environ["EDGEECG_DATA"] = str(folder / "data")
        os.environ["EDGEECG_CACHE"] = str(folder / "cache")
        try:
            with contextlib.chdir(folder):
                yield folder
        finally:
            for key, value in kept.items():
                os.environ.pop(key, None)
                if value is not None:
                    os.environ[key] = value


if __name__ == "__main__":
    sys.exit(main())
