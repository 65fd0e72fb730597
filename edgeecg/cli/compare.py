"""``edgeecg compare``: what differs between results by more than their uncertainty."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from rich.console import Console

    from edgeecg.reporting.difference_rows import Differences

EXTRA = "device"

_STANDARD_OUTPUT = Path("-")
_EXAMPLES = ("p50 > 1.05x", "size > 1.0x", "macro_f1 < -0.01", "macro_auroc < -0.01")

_Results = Annotated[
    list[str],
    typer.Argument(
        metavar="RESULT",
        help="Two or more runs, or JSON files of 'bench' or 'evaluate'; the first is the "
        "reference. RESULT#LABEL is one of several in it.",
    ),
]
_FailIf = Annotated[
    list[str] | None,
    typer.Option(
        metavar="CONDITION",
        help="Exit with 1 if it is true, e.g. 'p50 > 1.05x' or 'recall.S < -0.02'; may be "
        "repeated.",
    ),
]
_FailOnTies = Annotated[
    bool,
    typer.Option(
        "--fail-on-ties", help="A condition can fail on a change within its interval, too."
    ),
]
_Force = Annotated[
    bool, typer.Option("--force", help="Compare other devices, test sets and so on, too.")
]
_Markdown = Annotated[
    Path | None, typer.Option(metavar="FILE|-", help="Write Markdown; - is standard output.")
]
_Page = Annotated[
    Path | None, typer.Option("--html", "-o", "--output", help="Write a page of figures.")
]
_Json = Annotated[
    Path | None, typer.Option("--json", help="Write the comparison; - is standard output.")
]


def compare(
    results: _Results,
    fail_if: _FailIf = None,
    fail_on_ties: _FailOnTies = False,
    force: _Force = False,
    markdown: _Markdown = None,
    html: _Page = None,
    json_path: _Json = None,
) -> None:
    """Compare results, and fail on regressions.

    A difference is called one only where it is outside its interval: for scores by a paired
    bootstrap over records, for latency by rounds of the measurement. Exit status: 0 fine, 1 a
    condition failed, 2 wrong usage, or a quantity that is missing or may not be compared.
    """
    from edgeecg.cli._console import emit_json, errors, output, refuse_unwritable
    from edgeecg.reporting import difference_tables, differences

    _check(results, markdown, json_path)
    refuse_unwritable(html, markdown, json_path)
    console = output(_STANDARD_OUTPUT if _STANDARD_OUTPUT in (markdown, json_path) else None)
    found = differences.compare(
        *results, fail_if=fail_if or (), fail_on_ties=fail_on_ties, force=force
    )
    emit_json(json_path, found.to_json())
    emit_json(markdown, difference_tables.as_markdown(found))
    if html is not None:
        _write_page(html, found)
    _show(found, console)
    _explain(found, errors())
    if status := _exit_status(found):
        raise typer.Exit(status)
    console.print(_next(results, found, markdown), soft_wrap=True, markup=False)


def _check(results: Sequence[str], markdown: Path | None, json_path: Path | None) -> None:
    """Refuse arguments that do not fit together, before anything is read."""
    from edgeecg.errors import UsageError

    if len(results) < 2:
        raise UsageError(
            "There is nothing to compare.",
            "Two results at least are needed: the reference, and what is compared with it.",
            "Run e.g.: edgeecg compare main.json branch.json",
        )
    if markdown == json_path == _STANDARD_OUTPUT:
        raise UsageError(
            "Standard output cannot hold both documents.",
            "'--json' and '--markdown' both name it.",
            "Write one of them to a file.",
        )


def _exit_status(found: Differences) -> int:
    """Return 1 where a condition failed, 2 where something was refused or unknown, else 0."""
    unknown = any(each.outcome == "unknown" for each in found.conditions)
    if unknown or (found.refused and not found.conditions):
        return 2
    return 1 if found.failed else 0


def _write_page(html: Path, found: Differences) -> None:
    from edgeecg.files import write_text
    from edgeecg.reporting.run import needs_packages

    with needs_packages():
        from edgeecg.reporting.html import compare_page

        write_text(html, compare_page.render(found))


def _show(found: Differences, console: Console) -> None:
    from edgeecg.reporting import difference_tables
    from edgeecg.reporting.terminal import print_table

    for table in difference_tables.tables(found):
        print_table(table, console)


def _explain(found: Differences, console: Console) -> None:
    """Print the outcome of every condition, and what was refused, on standard error."""
    from edgeecg.reporting import difference_tables, units

    styles = {"failed": "bold red", "unknown": "bold red", "tie": "yellow", "passed": "green"}
    for result in found.conditions:
        console.print(
            units.printable(difference_tables.outcome(result)),
            style=styles[result.outcome],
            soft_wrap=True,
            markup=False,
        )
    for line in difference_tables.refusals(found):
        console.print(units.printable(line), style="red", soft_wrap=True, markup=False)
    if found.refused:
        console.print(
            "To do: compare results of equal setups and test sets, or give --force.", markup=False
        )


def _known(condition: str, found: Differences) -> bool:
    """Return whether a result has the quantity of an example."""
    name = condition.partition(" ")[0]
    return any(pair.of(name) is not None for pair in found.pairs)


def _next(results: Sequence[str], found: Differences, markdown: Path | None) -> str:
    import shlex

    named = shlex.join(["edgeecg", "compare", *results])
    if not found.conditions:
        condition = next((each for each in _EXAMPLES if _known(each, found)), _EXAMPLES[0])
        return f"Next: {named} --fail-if '{condition}'"
    if markdown is None:
        return f"Next: the same command with --markdown -, for a pull request: {named}"
    return "Next: edgeecg report"
