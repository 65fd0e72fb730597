"""The tables of every model in every export target."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from edgeecg import resources

from ..results import Results
from ..rows import Row, same_machine
from .instructions import CORES, ROLES
from .options import on_the_command_line
from .provenance import known, made_by

_Counts = dict[tuple[str, str, str], dict[str, Any]]
"""Instructions by run, file and the hash of the file."""

_SCORES = {"macro-F1": "macro-F1", "macro AUROC": "AUROC"}
_PYTORCH = "PyTorch"
_NOT_TIMED = "not timed"
_TIME = "time relative to the `tflite` file of the same model, and "
_MUCH_LOST = 0.01
_AS_FEW = 1.003
"""Two counts of one file differ by up to 0.3 %: of files that are closer the first is named."""

_MUCH_SLOWER = 1.3


def whole(results: Results) -> str:
    """Return a line for every file and every PyTorch model, the refused files, and the legend."""
    files, times, counts = _files(results), _times(results), _counts(results)
    lines = [
        "| model | file | kB | operations | p50, µs | relative to `tflite` | A72: million "
        "instructions | A76 | same labels | largest difference | score | lost |",
        "|---|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|",
    ]
    for run in _runs(files):
        for role in ROLES:
            found = [row for row in files if (row["run"], row["role"]) == (run, role)]
            timed = times.get(run, {})
            lines += [
                _line(row, timed.get(f"{role}-{row['target']}"), _counted(row, counts))
                for row in found
            ]
            if found:
                lines.append(_pytorch(found[0], timed.get(f"{role}-pytorch")))
    refused = [
        f"- `{row['run']}`, {ROLES[row['role']]}, `{row['target']}`: {row['refused']}"
        for row in files
        if row["refused"]
    ]
    parts = ["\n".join(lines)]
    if refused:
        parts.append("\n".join(["Refused:", "", *refused]))
    parts += [_lost_much(files), *_slower_in_litert(times), *_fewest_instructions(files, counts)]
    return "\n\n".join([*parts, _legend(results, files), _provenance(results, files)])


def in_short(results: Results) -> str:
    """Return time and lost score of the compressed models, a line for each target."""
    files, times = _files(results), _times(results)
    runs = _runs([row for row in files if row["role"] == "compressed"])
    lines = [
        f"| target | {' | '.join(f'`{run}`' for run in runs)} |",
        "|---|" + "--:|" * len(runs),
    ]
    for target in dict.fromkeys(row["target"] for row in files):
        cells: list[str] = []
        for run in runs:
            key = (run, "compressed", target)
            row = next((r for r in files if (r["run"], r["role"], r["target"]) == key), None)
            cells.append(_cell(row, times.get(run, {}).get(f"compressed-{target}"), bool(times)))
        lines.append(f"| `{target}` | {' | '.join(cells)} |")
    return "\n".join(
        [
            *lines,
            "",
            f"Compressed models ({_budgets(results, files)}; all with "
            f"`{_fine_tuning(results)}`): {_TIME if times else ''}what the "
            "score on the test records lost against PyTorch (negative: gained). "
            f"{_processor(results)}",
        ]
    )


def _files(results: Results) -> list[Row]:
    rows = [
        row
        for row in results.newest("what", "run", "seed", "target", "role")
        if row["what"] == "files"
    ]
    # TFLite first, and the float32 file of each format before the others.
    order = sorted({row["target"] for row in rows}, key=lambda t: (not t.startswith("tflite"), t))
    roles = list(ROLES)
    return sorted(rows, key=lambda r: (r["run"], roles.index(r["role"]), order.index(r["target"])))


def _timed(results: Results) -> list[Row]:
    return [r for r in results.newest("what", "run", "seed") if r["what"] == "times"]


def _times(results: Results) -> dict[str, dict[str, dict[str, Any]]]:
    rows = _timed(results)
    if rows:
        same_machine(rows, "The table of export targets")
    return {row["run"]: row["files"] for row in rows}


def _counting(results: Results) -> list[Row]:
    return [r for r in results.newest("what", "run", "seed") if r["what"] == "instructions"]


def _counts(results: Results) -> _Counts:
    return {
        (row["run"], name, counted["sha256"]): counted
        for row in _counting(results)
        for name, counted in row["files"].items()
    }


def _counted(row: Row, counts: _Counts) -> dict[str, Any] | None:
    """Return the instructions of a file; None if they were not counted, or those of another."""
    if row["refused"]:
        return None
    return counts.get((row["run"], f"{row['role']}-{row['target']}", row["sha256"]))


def _runs(files: Sequence[Row]) -> list[str]:
    return list(dict.fromkeys(row["run"] for row in files))


def _model(row: Row) -> str:
    return f"`{row['run']}`, {ROLES[row['role']]}"


def _line(row: Row, time: dict[str, Any] | None, counted: dict[str, Any] | None) -> str:
    if row["refused"]:
        return f"| {_model(row)} | `{row['target']}` | refused |" + " - |" * 9
    instructions = " | ".join(
        "-" if counted is None else f"{counted[core] / 1e6:.3f}" for core in CORES
    )
    return (
        f"| {_model(row)} | `{row['target']}` | {row['size_bytes'] / 1000:,.0f} | {row['ops']} "
        f"| {_p50(time)} | {_ratio(time)} | {instructions} | {100 * row['same_labels']:.1f} % "
        f"| {row['max_abs_diff']:.2g} | {_SCORES[row['metric']]} {row['score']:.4f} "
        f"| {_lost(row)} |"
    )


def _pytorch(row: Row, time: dict[str, Any] | None) -> str:
    return (
        f"| {_model(row)} | {_PYTORCH} | - | - | {_p50(time)} | {_ratio(time)} | - | - | - | - "
        f"| {_SCORES[row['metric']]} {row['score_of_pytorch']:.4f} | - |"
    )


def _cell(row: Row | None, time: dict[str, Any] | None, any_timed: bool) -> str:
    if row is None:
        return "not exported"
    if row["refused"]:
        return "refused"
    if not any_timed:
        return _lost(row, 3)
    ratio = _NOT_TIMED if time is None or "ratio" not in time else f"{time['ratio']:.2f} ×"
    return f"{ratio}, {_lost(row, 3)}"


def _lost(row: Row, digits: int = 4) -> str:
    # Without a negative zero.
    return f"{round(row['score_of_pytorch'] - row['score'], digits) + 0.0:+.{digits}f}"


def _p50(time: dict[str, Any] | None) -> str:
    return _NOT_TIMED if time is None else f"{time['p50_s'] * 1e6:,.0f}"


def _ratio(time: dict[str, Any] | None) -> str:
    if time is None or "ratio" not in time:
        return "-"
    return f"{time['ratio']:.2f} ({time['ratio_low']:.2f}-{time['ratio_high']:.2f})"


def _lost_much(files: Sequence[Row]) -> str:
    """Name the files whose score is clearly lower than that of PyTorch."""
    found = [
        f"{_model(row)}, `{row['target']}` ({_lost(row)})"
        for row in files
        if not row["refused"] and float(_lost(row)) > _MUCH_LOST
    ]
    if not found:
        return f"No file lost more than {_MUCH_LOST} of its score."
    return f"Lost more than {_MUCH_LOST} of the score: {'; '.join(found)}."


def _slower_in_litert(times: dict[str, dict[str, dict[str, Any]]]) -> list[str]:
    """Name the models whose float32 file is much slower in LiteRT than in ONNX Runtime."""
    found: list[str] = []
    for run, files in times.items():
        for role, name in ROLES.items():
            onnx = files.get(f"{role}-onnx", {})
            if onnx.get("ratio", 1.0) * _MUCH_SLOWER < 1.0:
                middle, low, high = (1 / onnx[key] for key in ("ratio", "ratio_high", "ratio_low"))
                found.append(f"`{run}`, {name}: {middle:.2f} ({low:.2f}-{high:.2f})")
    if not found:
        return []
    return [
        f"`tflite` takes more than {_MUCH_SLOWER} times as long as `onnx`: {'; '.join(found)}. "
        "LSTM layers are a reason (docs/export.md): LiteRT multiplies their inputs step by step, "
        "ONNX Runtime those of all steps at once."
    ]


def _fewest_instructions(files: Sequence[Row], counts: _Counts) -> list[str]:
    """Name the file with the fewest instructions of every compressed model on every core."""
    found: dict[str, list[str]] = {core: [] for core in CORES}
    for run in _runs(files):
        counted = {
            (row["role"], row["target"]): count
            for row in files
            if row["run"] == run and (count := _counted(row, counts)) is not None
        }
        dense = counted.get(("baseline", "tflite"))
        compressed = {target: c for (role, target), c in counted.items() if role == "compressed"}
        if dense is None or not compressed:
            continue
        for core, parts in found.items():
            enough = _AS_FEW * min(count[core] for count in compressed.values())
            best = next(each for each, count in compressed.items() if count[core] <= enough)
            ratio = compressed[best][core] / dense[core]
            parts.append(f"`{run}` `{best}` ({ratio:.3f})")
    return [
        f"Fewest instructions of the compressed files on the {core[-3:].upper()}, relative to the "
        f"dense `tflite` file: {', '.join(parts)}."
        for core, parts in found.items()
        if parts
    ]


def _emulator(results: Results) -> str:
    rows = _counting(results)
    if not rows:
        return ""
    used = "; ".join(dict.fromkeys(f"{row['emulator']}, {row['kernel']}" for row in rows))
    return (
        f" Instructions of one inference: EMULATED ({used}), not a time of a Raspberry Pi; each "
        "is counted once."
    )


def _budget(results: Results, label: str) -> str:
    budgets = results.experiment.run(label).options.get("budgets", ())
    return f"`{on_the_command_line({'budgets': list(budgets)})}`"


def _budgets(results: Results, files: Sequence[Row]) -> str:
    by_budget: dict[str, list[str]] = {}
    for run in _runs([row for row in files if row["role"] == "compressed"]):
        by_budget.setdefault(_budget(results, run), []).append(f"`{run}`")
    return "; ".join(f"{budget} for {', '.join(runs)}" for budget, runs in by_budget.items())


def _fine_tuning(results: Results) -> str:
    """Return the options of compression that all models share."""
    options = next((r.options for r in results.experiment.runs if r.options.get("budgets")), {})
    return on_the_command_line({key: options[key] for key in options if key != "budgets"})


def _processor(results: Results) -> str:
    rows = _timed(results)
    if not rows:
        return "Not timed yet."
    features = ", ".join(dict.fromkeys(name for row in rows for name in row["cpu_features"] or ()))
    vnni = "has" if "vnni" in features else "does not have"
    return (
        f"Timed on {'; '.join(known(rows, 'cpu'))} ({features}), which {vnni} int8 dot-product "
        f"instructions (VNNI), load average up to {max(row['load'] for row in rows):.1f}."
    )


def _legend(results: Results, files: Sequence[Row]) -> str:
    timed = _timed(results)
    rounds = timed[0]["rounds"] if timed else results.experiment.settings["rounds"]
    runtimes = dict.fromkeys(each["runtime"] for row in timed for each in row["files"].values())
    windows = dict.fromkeys((row["metric"], row["windows"]) for row in files)
    scored = ", ".join(f"{_SCORES[metric]} on all {n:,} test windows" for metric, n in windows)
    probes = max((row["probes"] for row in files if not row["refused"]), default=0)
    return (
        f"Dense: the package's weights. Compressed: {_budgets(results, files)}, with "
        f"`{_fine_tuning(results)}`, seed {results.experiment.seeds[0]}. p50: one thread, batch 1"
        f"{', ' + ', '.join(runtimes) if runtimes else ''}. Relative: to the `tflite` file of the "
        f"same model; all files of a model and PyTorch are timed in {rounds} rounds in one call, "
        "and the ratio is the median of the rounds, with the smallest and the largest. Same "
        f"labels, and largest difference of a logit: against PyTorch on {probes} validation "
        f"windows. Score of the file: {scored}; lost: against PyTorch, negative is a gain. "
        "`tflite-mixed` is searched on the machine that exports. "
        f"{_processor(results)}{_emulator(results)}"
    )


def _provenance(results: Results, files: Sequence[Row]) -> str:
    targets = results.experiment.settings["targets"] or resources.target_names()
    missing: list[str] = []
    for run in results.experiment.runs:
        found = {row["target"] for row in files if row["run"] == run.label}
        missing += [f"{run.label} ({each})" for each in targets if each not in found and found]
        missing += [] if found else [f"{run.label} (files)"]
        timed = results.last(what="times", run=run.label) is not None
        missing += [] if timed else [f"{run.label} (times)"]
        counted = results.last(what="instructions", run=run.label) is not None
        missing += [] if counted else [f"{run.label} (instructions)"]
    left = f" Still to be measured: {', '.join(missing)}." if missing else ""
    made = made_by(results.newest("what", "run", "seed", "target", "role"), cpu=True)
    return f"{made}{_uncommitted(files)}{left}"


def _uncommitted(files: Sequence[Row]) -> str:
    """Name the models that were compressed by code that was not committed, or return nothing."""
    models = dict.fromkeys(
        f"`{row['run']}`" for row in files if str(row.get("made_by")).endswith("+")
    )
    if not models:
        return ""
    return f" Compressed by a revision with uncommitted changes: {', '.join(models)}."
