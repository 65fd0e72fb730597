"""Keeping what an index names inside its folder."""

from __future__ import annotations

from pathlib import Path

from edgeecg.errors import DataError


def inside(folder: Path, name: str, named_by: str) -> Path:
    """Return the path of a file or record that an index names.

    Args:
        folder: Folder that it has to be in.
        name: Path relative to it, as the index gives it.
        named_by: The index, for the error message.

    Raises:
        DataError: The path is absolute, or leads out of the folder.
    """
    path = folder / name
    lexical = not Path(name).is_absolute() and ".." not in Path(name).parts and "\0" not in name
    if not lexical or not path.parent.resolve().is_relative_to(folder.resolve()):
        raise DataError(
            f"{named_by} in '{folder}' names '{name}', which is refused.",
            "It lies outside the folder.",
            "Copy the file into the folder, and name it by its path from there.",
        )
    return path
