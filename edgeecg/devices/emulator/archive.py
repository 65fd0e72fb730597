"""Writing cpio archives, from which Linux unpacks its initial file system.

Archives can be concatenated: Linux unpacks them one after the other. They are written here and not
by the program ``cpio`` so that device nodes need no root and equal content gives equal bytes.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

_MAGIC = "070701"
_END = "TRAILER!!!"
_BLOCK = 512


@dataclass(frozen=True)
class Entry:
    """A file, folder, link or device in an archive.

    Attributes:
        name: Path without leading slash.
        mode: Type and permissions, as in ``stat.st_mode``.
        content: Content of a file or target of a link; a path is read when it is written.
        device: Major and minor number of a device.
    """

    name: str
    mode: int
    content: bytes | Path = b""
    device: tuple[int, int] = (0, 0)


def folder(name: str) -> Entry:
    """Return an empty folder."""
    return Entry(name, stat.S_IFDIR | 0o755)


def file(name: str, content: bytes | Path, executable: bool = False) -> Entry:
    """Return a file."""
    return Entry(name, stat.S_IFREG | (0o755 if executable else 0o644), content)


def character_device(name: str, major: int, minor: int) -> Entry:
    """Return a character device."""
    return Entry(name, stat.S_IFCHR | 0o600, device=(major, minor))


def tree(root: Path, left_out: frozenset[str] = frozenset()) -> Iterator[Entry]:
    """Yield what is in a folder, in alphabetical order, with paths relative to it.

    Args:
        root: The folder.
        left_out: Names of files and folders that are left out, and relative paths of such.
    """
    for path, folders, names in os.walk(root):
        here = Path(path)
        relative = here.relative_to(root)
        kept = [n for n in folders if n not in left_out and str(relative / n) not in left_out]
        folders[:] = sorted(kept)
        if relative.parts:
            yield folder(str(relative))
        # os.walk counts links to folders as folders, and does not follow them.
        links = [n for n in folders if (here / n).is_symlink()]
        for name in sorted([*links, *names]):
            entry = _entry(here / name, str(relative / name))
            if entry is not None and not {name, entry.name} & left_out:
                yield entry


def _entry(path: Path, name: str) -> Entry | None:
    mode = path.lstat().st_mode
    if stat.S_ISLNK(mode):
        return Entry(name, stat.S_IFLNK | 0o777, os.readlink(path).encode())
    if stat.S_ISREG(mode):
        return file(name, path, executable=bool(mode & 0o100))
    return None


def write(stream: BinaryIO, entries: Iterable[Entry]) -> None:
    """Write an archive in the format ``newc``, padded so that another one can follow.

    Args:
        stream: Where to.
        entries: Folders come before what is in them.
    """
    written = 0
    for number, entry in enumerate(entries, start=1):
        content = entry.content if isinstance(entry.content, bytes) else entry.content.read_bytes()
        written += _write_entry(stream, number, entry, content)
    written += _write_entry(stream, 0, Entry(_END, 0), b"")
    stream.write(bytes(-written % _BLOCK))


def _write_entry(stream: BinaryIO, number: int, entry: Entry, content: bytes) -> int:
    name = entry.name.encode() + b"\0"
    owner, group, links, changed, major, minor, checksum = 0, 0, 1, 0, 0, 0, 0
    fields = (number, entry.mode, owner, group, links, changed, len(content), major, minor)
    fields += (*entry.device, len(name), checksum)
    head = _MAGIC + "".join(f"{field:08x}" for field in fields)
    # Name and content each end at a multiple of four bytes.
    named = _padded(head.encode() + name)
    data = _padded(content)
    stream.write(named)
    stream.write(data)
    return len(named) + len(data)


def _padded(content: bytes) -> bytes:
    return content + bytes(-len(content) % 4)
