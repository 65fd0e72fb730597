"""Which of several files can be measured."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol, TypeVar

from edgeecg.errors import ArtifactError, MissingDependencyError
from edgeecg.schema import FileFailure


class _HasPath(Protocol):
    @property
    def path(self) -> Path: ...


_Item = TypeVar("_Item", bound=Path | _HasPath)
_Done = TypeVar("_Done")


@dataclass
class Usable:
    """Keeps count of the files that can be measured: one that cannot must not cost the others.

    Attributes:
        paths: All files.
        baseline: The file without which the others cannot be compared, or None.
        failed: Those that cannot be measured, with the reason.
        complete: Whether there are results already, which a failure must not cost.
    """

    paths: list[Path]
    baseline: Path | None
    failed: dict[Path, FileFailure] = field(default_factory=dict[Path, FileFailure])
    complete: bool = False

    def each(self, items: Sequence[_Item], work: Callable[[_Item], _Done]) -> list[_Done]:
        """Do something with each file, and leave out those that are damaged or cannot be run here.

        Args:
            items: Files.
            work: What to do.

        Raises:
            ArtifactError: There are no results yet, and it is the baseline, or no file is left.
            MissingDependencyError: Likewise, and the runtime of the file is not installed.
        """
        done: list[_Done] = []
        for item in items:
            path = item if isinstance(item, Path) else item.path
            try:
                done.append(work(item))
            except (ArtifactError, MissingDependencyError) as error:
                last = len(self.failed) + 1 == len(self.paths)
                named = self.baseline is not None and same(path, self.baseline)
                if not self.complete and (last or named):
                    for each in self.failed.values():
                        error.add_note(f"Not measured, {each.file}: {each.what} {each.why}")
                    raise
                self.failed[path] = FileFailure(
                    file=str(path), what=error.what, why=error.why, todo=error.todo
                )
        return done


def same(path: Path, other: Path) -> bool:
    """Return whether two paths are those of one file."""
    return path.absolute() == other.absolute()
