"""What a command says about the records that it has loaded."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edgeecg.data import sources

if TYPE_CHECKING:
    from rich.console import Console

    from edgeecg.data import Dataset


def describe(dataset: Dataset, console: Console) -> None:
    """Print which records were loaded, and how many windows each split has."""
    sizes = {part: len(dataset.split(part).y) for part in ("train", "val", "test")}
    console.print(
        f"Data: {sources.title(dataset.summary.source)}; {dataset.task}: "
        f"train {sizes['train']:,}, validation {sizes['val']:,}, test {sizes['test']:,}."
    )
