"""Reading and writing files: a reader never sees half of one, a full disk costs nothing old."""

from __future__ import annotations

import contextlib
import csv
import errno
import hashlib
import io
import os
import tempfile
import tomllib
from collections.abc import Generator, Iterable, Sequence
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgeecg.errors import EdgeECGError

if TYPE_CHECKING:
    from numpy.typing import NDArray

_FORMULA = ("=", "+", "-", "@", "\t", "\n")


@contextlib.contextmanager
def replacing(path: Path) -> Generator[Path]:
    """Yield a path beside ``path`` to write to; on success it takes ``path``'s place at once.

    The new file is flushed to the disk before the rename and the folder after it, so that after a
    crash, a kill or a full disk ``path`` holds either the whole old content or the whole new one.
    A symbolic link stays, and what it leads to is replaced. A device such as ``/dev/stdout`` or a
    named pipe is not replaced: the content is written to it at the end.

    Args:
        path: The file to create or replace. Its folder is created when missing.

    Raises:
        EdgeECGError: The disk is full or not writable; the old file is untouched.
    """
    if _is_special(path):
        with _written_at_the_end(path) as elsewhere:
            yield elsewhere
        return
    try:
        target = _target(path)
        target.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(prefix=f".{target.name}.", dir=target.parent)
        os.close(handle)
    except OSError as error:
        raise _cannot_write(path, error) from error
    beside = Path(name)
    try:
        yield beside
        with beside.open("rb+") as written:
            os.fsync(written.fileno())
        # mkstemp makes private files; what is published gets the modes of a plain open().
        beside.chmod(0o666 & ~_umask())
        beside.replace(target)
        _sync_folder(target.parent)
    except OSError as error:
        raise _cannot_write(path, error) from error
    finally:
        beside.unlink(missing_ok=True)


def write_bytes(path: Path, content: bytes) -> None:
    """Write ``content`` to ``path`` as a whole or not at all.

    Symbolic links, devices and named pipes are not replaced, see :func:`replacing`.

    Raises:
        EdgeECGError: The disk is full or not writable; the old file is untouched.
    """
    with replacing(path) as beside:
        beside.write_bytes(content)


def write_text(path: Path, content: str) -> None:
    """Write ``content`` as UTF-8 to ``path`` as a whole or not at all.

    Raises:
        EdgeECGError: The disk is full or not writable; the old file is untouched.
    """
    write_bytes(path, content.encode("utf-8"))


def write_new_text(path: Path, content: str) -> Path:
    """Write ``content`` as UTF-8 to a file that is not there yet, as a whole or not at all.

    Args:
        path: The file. Where it is taken, ``-2``, ``-3`` and so on are appended to its stem.
        content: The text.

    Returns:
        The file that was written.

    Raises:
        EdgeECGError: The disk is full or not writable.
    """
    new = _reserved(path)
    try:
        write_text(new, content)
    except BaseException:
        new.unlink(missing_ok=True)
        raise
    return new


def _reserved(path: Path) -> Path:
    """Make an empty file with the first name that is free, so that no other process takes it."""
    new, number = path, 1
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        while True:
            with contextlib.suppress(FileExistsError), new.open("x"):
                return new
            number += 1
            new = path.with_name(f"{path.stem}-{number}{path.suffix}")
    except OSError as error:
        raise _cannot_write(path, error) from error


def check_writable(path: Path) -> None:
    """Refuse a file that cannot be written, before the work whose result it is to hold.

    Nothing is left behind: neither the file nor its folder is made.

    Args:
        path: The file.

    Raises:
        EdgeECGError: It is a folder, or its folder is not writable or cannot be made.
    """
    if _is_special(path):
        return
    try:
        target = _target(path).absolute()
        refuse_dangling(target)
        folder = next(each for each in target.parents if each.exists())
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise _cannot_write(path, error) from error


def refuse_dangling(path: Path) -> None:
    """Refuse a path through a symbolic link to nothing, in whose place no folder can be made.

    Args:
        path: A file or folder that is to be made.

    Raises:
        EdgeECGError: It is such a link, or one of the folders that it is in.
    """
    for each in (path, *path.parents):
        if each.is_symlink() and not each.exists():
            raise EdgeECGError(
                f"{path} could not be written.",
                f"'{each}' is a symbolic link to '{each.readlink()}', which is not there.",
                "Make that folder or mount its disk, or remove the link; then run it again.",
            )


def read_bytes(path: Path, shown: str, kind: type[EdgeECGError], todo: str) -> bytes:
    """Return the content of a file that a user named.

    Args:
        path: The file.
        shown: What messages call it, at the beginning of a sentence.
        kind: Type of the error.
        todo: What to do about a file that cannot be read.

    Raises:
        EdgeECGError: It cannot be read; of the type that is asked for.
    """
    try:
        return path.read_bytes()
    except OSError as error:
        raise kind(
            f"{shown} cannot be read.",
            f"The operating system reports: {error.strerror or error}.",
            todo,
        ) from error


def read_toml(
    path: Path | Traversable,
    shown: str,
    kind: type[EdgeECGError],
    todo: str = "Correct the file at the place named.",
) -> dict[str, Any]:
    """Return the document of a TOML file.

    Args:
        path: The file.
        shown: What messages call it, at the beginning of a sentence.
        kind: Type of the error.
        todo: What to do about a file that is not valid TOML.

    Raises:
        EdgeECGError: It cannot be read, or is not valid TOML; of the type that is asked for.
    """
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise kind(
            f"{shown} cannot be read.",
            f"The operating system reports: {error.strerror}.",
            "Check its name, and that you may read it. If a package brings it, install that again.",
        ) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise kind(f"{shown} is not valid TOML.", f"{error}.", todo) from error


def read_arrays(
    path: Path, shown: str, kind: type[EdgeECGError], todo: str
) -> NDArray[Any] | dict[str, NDArray[Any]]:
    """Return the array of a ``.npy`` file, or the arrays of an ``.npz`` file by their names.

    Nothing is unpickled: reading a file runs no code.

    Args:
        path: The file.
        shown: What messages call it, at the beginning of a sentence.
        kind: Type of the error.
        todo: What to do about a file that cannot be read.

    Raises:
        EdgeECGError: It cannot be read, or is damaged; of the type that is asked for.
    """
    import numpy as np

    try:
        # Opened here because np.load leaves its file open when the content is not an archive.
        with path.open("rb") as opened:
            loaded = np.load(opened, allow_pickle=False)
            if isinstance(loaded, np.ndarray):
                return loaded
            with loaded:
                return {name: _array(loaded, name) for name in loaded.files}
    except OSError as error:
        why = f"The operating system reports: {error.strerror or error}."
        raise kind(f"{shown} cannot be read.", why, todo) from error
    except Exception as error:
        # Damaged bytes raise some dozen types of errors in zipfile, zlib and NumPy, which takes any
        # other file for pickled objects and advises to load them.
        known = str(error) and "pickle" not in str(error)
        why = f"It is damaged or no file of numeric arrays{f' ({error})' if known else ''}."
        raise kind(f"{shown} cannot be read.", why, todo) from error


def _array(archive: Any, name: str) -> NDArray[Any]:
    """Return an array of an archive; NumPy returns the bytes of a member that is no array."""
    member = archive[name]
    if isinstance(member, bytes):
        raise ValueError(f"'{name}' is no array")
    return member


def csv_text(head: Sequence[str], rows: Iterable[Iterable[object]]) -> str:
    """Return a table as comma-separated values.

    A text that a spreadsheet would run as a formula has an apostrophe in front of it
    (https://owasp.org/www-community/attacks/CSV_Injection); numbers are as they are.

    Args:
        head: The names of the columns.
        rows: The values; None is an empty cell.
    """
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    for row in (head, *rows):
        writer.writerow([_cell(value) for value in row])
    return text.getvalue()


def _cell(value: object) -> object:
    if not isinstance(value, str):
        return value
    # The writer does not quote a carriage return, which would begin another row.
    text = value.replace("\r", "\n")
    return f"'{text}" if text.startswith(_FORMULA) else text


def sha256(path: Path) -> str:
    """Return the SHA-256 of a file's content as 64 lower-case hexadecimal digits."""
    with path.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()


def _target(path: Path) -> Path:
    """Return the file to replace: the one that a symbolic link leads to, or the path itself."""
    target = Path(os.path.realpath(path)) if path.is_symlink() else path
    if target.is_dir():
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
    if target.is_symlink():
        raise OSError(errno.ELOOP, os.strerror(errno.ELOOP))
    return target


def _is_special(path: Path) -> bool:
    """Return whether a path is no place for a file: a device, a pipe, an open file."""
    if _descriptor(path) is not None:
        return True
    return path.exists() and not path.is_file() and not path.is_dir()


def _descriptor(path: Path) -> int | None:
    """Return the open file of this process that a path such as ``/dev/stdout`` names, or None."""
    opened = Path("/dev/fd").resolve()
    # Links that lead in a circle do not exist.
    while path.is_symlink() and path.exists():
        folder = path.parent.resolve()
        if folder == opened:
            return int(path.name)
        path = folder / path.readlink()
    return None


@contextlib.contextmanager
def _written_at_the_end(path: Path) -> Generator[Path]:
    """Yield an empty file whose content is written to a device, a pipe or an open file then."""
    try:
        with tempfile.TemporaryDirectory(prefix="edgeecg-output-") as folder:
            made = Path(folder, path.name)
            made.touch()
            yield made
            descriptor = _descriptor(path)
            with (
                path.open("wb")
                if descriptor is None
                else os.fdopen(os.dup(descriptor), "wb") as opened
            ):
                opened.write(made.read_bytes())
    except OSError as error:
        raise _cannot_write(path, error) from error


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _cannot_write(path: Path, error: OSError) -> EdgeECGError:
    return EdgeECGError(
        f"{path} could not be written.",
        f"The system said: {error.strerror or error}.",
        "What was there before is untouched; free some space or choose another place, then run it "
        "again (a run goes on with --resume).",
    )
