"""cpio archives, read by the program cpio, and one header written out by hand."""

from __future__ import annotations

import io
import shutil
import subprocess
from pathlib import Path

import pytest

from edgeecg.devices.emulator import archive
from edgeecg.devices.emulator.archive import Entry


def packed(*entries: Entry) -> bytes:
    stream = io.BytesIO()
    archive.write(stream, entries)
    return stream.getvalue()


def test_a_header_is_that_of_the_format() -> None:
    # newc: magic, then 13 fields of 8 hexadecimal digits: inode, mode, uid, gid, links, time, size,
    # device (2), special device (2), length of the name with its NUL, checksum.
    fields = ("00000001", "000081a4", *["00000000"] * 2, "00000001", "00000000", "00000002")
    fields += (*["00000000"] * 4, "00000002", "00000000")
    expected = ("070701" + "".join(fields)).encode() + b"a\0hi\0\0"
    assert packed(archive.file("a", b"hi")).startswith(expected)


def test_console_is_device_5_1() -> None:
    head = packed(archive.character_device("dev/console", 5, 1))[:110].decode()
    assert head[14:22] == "00002180"
    assert head[78:94] == "0000000500000001"


@pytest.mark.skipif(shutil.which("cpio") is None, reason="the program cpio is not installed")
def test_cpio_unpacks_two_archives_as_one(tmp_path: Path) -> None:
    source = tmp_path / "source"
    (source / "folder").mkdir(parents=True)
    (source / "folder" / "file").write_bytes(b"content")
    (source / "folder" / "program").write_bytes(b"#!")
    (source / "folder" / "program").chmod(0o700)
    (source / "link").symlink_to("folder/file")
    (source / "linked").symlink_to("folder")
    (source / "share").mkdir()
    (source / "share" / "notes").write_bytes(b"not wanted")
    content = packed(*archive.tree(source, frozenset({"share"}))) + packed(
        archive.folder("job"), archive.file("job/more", b"x" * 511)
    )
    target = tmp_path / "target"
    target.mkdir()
    # cpio stops at the end of an archive, Linux does not: give it what follows.
    first = content.index(b"TRAILER!!!")
    second = first + (512 - first % 512) % 512
    for archived in (content[:second], content[second:]):
        subprocess.run(
            ["cpio", "--quiet", "-i", "-m"], input=archived, cwd=target, check=True, timeout=60
        )
    assert (target / "folder/file").read_bytes() == b"content"
    assert (target / "folder/program").stat().st_mode & 0o111 == 0o111
    assert not (target / "folder/file").stat().st_mode & 0o111
    assert (target / "link").readlink() == Path("folder/file")
    assert (target / "linked").readlink() == Path("folder")
    assert (target / "job/more").read_bytes() == b"x" * 511
    assert not (target / "share").exists()


def test_equal_folders_give_equal_bytes(tmp_path: Path) -> None:
    for name, order in (("one", "ab"), ("two", "ba")):
        (tmp_path / name).mkdir()
        for letter in order:
            (tmp_path / name / letter).write_text(letter)
    assert packed(*archive.tree(tmp_path / "one")) == packed(*archive.tree(tmp_path / "two"))
