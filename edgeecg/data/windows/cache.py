"""Windows kept on disk, under the hash of everything they were made from.

A file that is incomplete or damaged is made again.
"""

from __future__ import annotations

import hashlib
import json
import logging
import math
import os
import struct
import zipfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np
import platformdirs
from numpy.typing import NDArray

from edgeecg import files
from edgeecg.data.windows import mapped
from edgeecg.data.windows.dataset import Windows
from edgeecg.errors import DataError, EdgeECGError

CACHE_VARIABLE = "EDGEECG_CACHE"
"""Environment variable that names the cache folder."""

VERSION = 2
"""To be raised whenever the same records and settings would give other windows."""

_FIELDS = {
    "x": np.float32,
    "y": np.int64,
    "record": np.str_,
    "patient": np.str_,
    "sample": np.int64,
}

_WINDOWS = ".x"
_READ_BYTES = 1 << 20
_LOCAL_HEADER = struct.Struct("<4s5H3L2H")

# What zipfile and NumPy raise on bytes that they cannot make sense of.
_DAMAGE = (OSError, EOFError, ValueError, KeyError, zipfile.BadZipFile, RuntimeError, struct.error)

_log = logging.getLogger(__name__)


def folder() -> Path:
    """Return ``$EDGEECG_CACHE``, or the user's cache folder for edgeecg."""
    named = os.environ.get(CACHE_VARIABLE)
    if named:
        return Path(named).expanduser()
    return Path(platformdirs.user_cache_dir("edgeecg", appauthor=False))


def content_key(paths: Iterable[Path], settings: Mapping[str, object]) -> str:
    """Return the SHA-256 over the files' names and content and over the settings.

    Args:
        paths: Record files; their folder does not enter the hash, so that moved data stays known.
        settings: What else decides the windows; plain JSON values.

    Raises:
        DataError: A file cannot be read.
    """
    state = hashlib.sha256(json.dumps({"cache": VERSION, **settings}, sort_keys=True).encode())
    for path in sorted(paths, key=lambda path: path.name):
        try:
            state.update(f"\n{path.name} {files.sha256(path)}".encode())
        except OSError as error:
            raise DataError(
                f"The record file '{path}' cannot be read.",
                f"The system reports: {error.strerror or error}.",
                "Check the file and your right to read it.",
            ) from error
    return state.hexdigest()


@dataclass(frozen=True)
class Stored:
    """What the cache keeps for one key.

    Attributes:
        parts: Windows of each part.
        skipped: Number of beats or records left out, by reason.
        left_out: Why a record could not be used, by its name.
    """

    parts: dict[str, Windows]
    skipped: dict[str, int]
    left_out: dict[str, str]


def load(key: str, classes: int) -> Stored | None:
    """Return what is stored under a key, or None when it is not cached.

    Args:
        key: From :func:`content_key`.
        classes: Number of classes that labels may name.

    Returns:
        None too when the file is damaged or is something else; it is then made again. The windows
        are read-only memory maps.
    """
    path = _path(key)
    if not path.is_file():
        return None
    try:
        arrays = _read(path)
        skipped: dict[str, int] = json.loads(str(arrays.pop("skipped")))
        # Files of earlier versions have no such entry.
        left_out: dict[str, str] = json.loads(str(arrays.pop("left_out", "{}")))
        parts = sorted({name.partition(".")[0] for name in arrays})
        return Stored({part: _windows(arrays, part, classes) for part in parts}, skipped, left_out)
    except _DAMAGE as error:
        _log.warning("%s is damaged (%s) and is made again from the records", path, error)
        return None


def store(key: str, stored: Stored) -> None:
    """Write the windows, whole or not at all.

    Raises:
        DataError: The cache folder cannot be written to.
    """
    arrays: dict[str, Any] = {
        f"{part}.{field}": getattr(windows, field)
        for part, windows in stored.parts.items()
        for field in _FIELDS
    }
    arrays["skipped"] = np.array(json.dumps(stored.skipped))
    arrays["left_out"] = np.array(json.dumps(stored.left_out))
    path = _path(key)
    try:
        with files.replacing(path) as beside, beside.open("wb") as opened:
            _write(opened, arrays)
    except EdgeECGError as error:
        raise unwritable(path.parent, error) from error


def unwritable(where: Path, error: Exception) -> DataError:
    """Return the error to raise when the cache cannot be written to.

    Args:
        where: The folder that was to be written to.
        error: What came instead.
    """
    cause = error.why if isinstance(error, EdgeECGError) else f"The system reports: {error}."
    return DataError(
        f"The cache folder '{where}' could not be written to.",
        cause,
        f"Free some space, or set {CACHE_VARIABLE} to a folder that can be written to.",
    )


def _path(key: str) -> Path:
    return folder() / "windows" / f"{key}.npz"


def _write(opened: IO[bytes], arrays: Mapping[str, NDArray[np.generic]]) -> None:
    """Write arrays as ``np.savez`` does, windows a few at a time."""
    with zipfile.ZipFile(opened, "w") as archive:
        for name, array in arrays.items():
            with archive.open(f"{name}.npy", "w", force_zip64=True) as member:
                if name.endswith(_WINDOWS):
                    shape = {"descr": "<f4", "fortran_order": False, "shape": array.shape}
                    np.lib.format.write_array_header_1_0(member, shape)
                    member.writelines(mapped.chunks(array.astype(np.float32, copy=False)))
                else:
                    np.lib.format.write_array(member, array, allow_pickle=False)


def _read(path: Path) -> dict[str, NDArray[np.generic]]:
    # Reading checks the CRC-32 of every array; nothing is ever unpickled.
    with path.open("rb") as opened:
        stored: object = np.load(opened, allow_pickle=False)
        if not isinstance(stored, np.lib.npyio.NpzFile):
            raise ValueError("not a set of arrays")
        with stored:
            return {
                name: _map(path, name) if name.endswith(_WINDOWS) else stored[name]
                for name in stored.files
            }


def _map(path: Path, name: str) -> NDArray[np.float32]:
    """Map an array that is stored in an archive without compression.

    Raises:
        ValueError: It is stored in another way.
        zipfile.BadZipFile: It is damaged.
    """
    with zipfile.ZipFile(path) as archive:
        info = archive.getinfo(f"{name}.npy")
        with archive.open(info) as member:
            if np.lib.format.read_magic(member) != (1, 0):
                raise ValueError(f"{name} has a header of another version")
            shape, by_columns, dtype = np.lib.format.read_array_header_1_0(member)
            header = member.tell()
            while member.read(_READ_BYTES):
                pass  # The end of the array is where its CRC-32 is checked.
    plain = info.compress_type == zipfile.ZIP_STORED and not by_columns
    if not plain or dtype != np.dtype("<f4") or header + 4 * math.prod(shape) != info.file_size:
        raise ValueError(f"{name} is stored in another way")
    if not math.prod(shape):
        return np.zeros(shape, np.float32)
    return np.memmap(path, dtype, "r", _start(path, info) + header, shape)


def _start(path: Path, info: zipfile.ZipInfo) -> int:
    """Return where in an archive the content of a member begins: after its local header."""
    with path.open("rb") as opened:
        opened.seek(info.header_offset)
        *_, name_bytes, extra_bytes = _LOCAL_HEADER.unpack(opened.read(_LOCAL_HEADER.size))
    return info.header_offset + _LOCAL_HEADER.size + name_bytes + extra_bytes


def _windows(arrays: Mapping[str, NDArray[np.generic]], part: str, classes: int) -> Windows:
    found = {field: arrays[f"{part}.{field}"] for field in _FIELDS}
    windows = Windows(**found)  # pyright: ignore[reportArgumentType] (the types are checked below)
    for field, kind in _FIELDS.items():
        if not np.issubdtype(found[field].dtype, kind) or len(found[field]) != len(windows.y):
            raise ValueError(f"{part}.{field} has the wrong type or length")
    if windows.x.ndim != 3 or (
        len(windows.y) and not 0 <= windows.y.min() <= windows.y.max() < classes
    ):
        raise ValueError(f"{part} has windows or labels out of range")
    return windows
