"""Writing files so that a reader never sees half of one, and a full disk costs nothing old."""

from __future__ import annotations

import contextlib
import hashlib
import os
import tempfile
from collections.abc import Generator
from pathlib import Path

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


def sha256(path: Path) -> str:
    """Return the SHA-256 of a file's content as 64 lower-case hexadecimal digits."""
    with path.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()


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
        "What was there before is untouched; free some space or choose another folder, then run it "
        "again ('edgeecg compress' goes on with --resume).",
    )
