"""A temporary file of windows, so that preparing many records takes the memory of one."""

from __future__ import annotations

import tempfile
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from typing import IO

import numpy as np
from numpy.typing import NDArray

from edgeecg.data.windows import cache, mapped


class Spool:
    """Keeps windows in an open file."""

    def __init__(self, file: IO[bytes]) -> None:
        """Append to a file."""
        self._file = file

    def keep(self, pieces: Sequence[NDArray[np.float32]]) -> NDArray[np.float32]:
        """Write windows to the file and return them, one piece after another, as a read-only map.

        Args:
            pieces: At least one array ``(n, leads, samples)``, which may be a map of the same file.

        Raises:
            DataError: The disk is full.
        """
        try:
            start = self._file.seek(0, 2)
            # Plain writes: a memory map on a full disk ends the process instead of raising.
            for piece in pieces:
                self._file.writelines(mapped.chunks(piece))
            self._file.flush()
        except OSError as error:
            raise cache.unwritable(cache.folder(), error) from error
        shape = (sum(map(len, pieces)), *pieces[0].shape[1:])
        if not shape[0]:
            return np.zeros(shape, np.float32)
        return np.memmap(self._file, np.dtype("<f4"), "r", start, shape)


@contextmanager
def spool() -> Generator[Spool]:
    """Yield a spool in the cache folder; its maps are valid after the block, too.

    Raises:
        DataError: The cache folder cannot be written to.
    """
    folder = cache.folder()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        file = tempfile.TemporaryFile(dir=folder)  # noqa: SIM115 (closed below)
    except OSError as error:
        raise cache.unwritable(folder, error) from error
    with file:
        yield Spool(file)
