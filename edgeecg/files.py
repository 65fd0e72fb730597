"""Reading and writing files: a reader never sees half of one, a full disk costs nothing old."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import tempfile
import tomllib
from collections.abc import Generator
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any

from edgeecg.errors import EdgeECGError


@contextlib.contextmanager
def replacing(path: Path) -> Generator[Path]:
    """Yield a path beside ``path`` to write to; on success it takes ``path``'s place at once.

    The new file is flushed to the disk before the rename and the folder after it, so that after a
    crash, a kill or a full disk ``path`` holds either the whole old content or the whole new one.

    Args:
        path: The file to create or replace. Its folder is created when missing.

    Raises:
        EdgeECGError: The disk is full or not writable; the old file is untouched.
    """
    try:
        if path.is_dir():
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
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
        beside.replace(path)
        _sync_folder(path.parent)
    except OSError as error:
        raise _cannot_write(path, error) from error
    finally:
        beside.unlink(missing_ok=True)


def write_bytes(path: Path, content: bytes) -> None:
    """Write ``content`` to ``path`` as a whole or not at all.

    A device such as ``/dev/null`` or a named pipe is written to, and not replaced.

    Raises:
        EdgeECGError: The disk is full or not writable; the old file is untouched.
    """
    if _is_special(path):
        try:
            path.write_bytes(content)
        except OSError as error:
            raise _cannot_write(path, error) from error
        return
    with replacing(path) as beside:
        beside.write_bytes(content)


def write_text(path: Path, content: str) -> None:
    """Write ``content`` as UTF-8 to ``path`` as a whole or not at all.

    Raises:
        EdgeECGError: The disk is full or not writable; the old file is untouched.
    """
    write_bytes(path, content.encode("utf-8"))


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
        if path.is_dir():
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
        folder = next(each for each in path.absolute().parents if each.exists())
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise _cannot_write(path, error) from error


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


def sha256(path: Path) -> str:
    """Return the SHA-256 of a file's content as 64 lower-case hexadecimal digits."""
    with path.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()


def _is_special(path: Path) -> bool:
    return path.exists() and not path.is_file() and not path.is_dir()


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
