"""A file is replaced as a whole or not at all."""

from __future__ import annotations

import contextlib
import csv
import errno
import io
import os
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from mutated_files import mutated

from edgeecg.errors import DataError, EdgeECGError
from edgeecg.files import (
    check_writable,
    csv_text,
    read_arrays,
    replacing,
    sha256,
    write_bytes,
    write_new_text,
    write_text,
)


def test_content_and_folder_appear(tmp_path: Path) -> None:
    path = tmp_path / "new" / "file.txt"
    write_text(path, "Größe\n")
    assert path.read_bytes() == "Größe\n".encode()
    assert os.listdir(path.parent) == ["file.txt"]


def test_a_new_file_takes_the_first_free_name(tmp_path: Path) -> None:
    path = tmp_path / "new" / "rpi5-20260102T030405Z.json"
    written = [write_new_text(path, text) for text in ("a", "b", "c")]
    assert [each.name for each in written] == [
        "rpi5-20260102T030405Z.json",
        "rpi5-20260102T030405Z-2.json",
        "rpi5-20260102T030405Z-3.json",
    ]
    assert [each.read_text() for each in written] == ["a", "b", "c"]


def test_a_new_file_that_cannot_be_written_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(EdgeECGError, match="No space left"):
        write_new_text(tmp_path / "a.json", "{}")
    assert not os.listdir(tmp_path)
    (tmp_path / "file").touch()
    with pytest.raises(EdgeECGError, match="could not be written"):
        write_new_text(tmp_path / "file" / "a.json", "{}")


def test_modes_are_those_of_a_plain_file(tmp_path: Path) -> None:
    write_bytes(tmp_path / "ours", b"")
    (tmp_path / "plain").write_bytes(b"")
    assert (tmp_path / "ours").stat().st_mode == (tmp_path / "plain").stat().st_mode


def test_a_failure_while_writing_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text("old")

    def interrupted() -> None:
        with replacing(path) as beside:
            beside.write_text("half of the ne")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert path.read_text() == "old"
    assert os.listdir(tmp_path) == ["file"]


def test_a_full_disk_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "file"
    path.write_text("old")

    def full(handle: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(EdgeECGError, match="No space left on device") as caught:
        write_text(path, "new")
    assert "untouched" in caught.value.todo
    assert path.read_text() == "old"
    assert os.listdir(tmp_path) == ["file"]


def test_a_file_that_can_be_written_is_not_made_by_the_check(tmp_path: Path) -> None:
    check_writable(tmp_path / "new" / "folder" / "file.json")
    assert not list(tmp_path.iterdir())


def test_a_path_that_cannot_be_written_is_refused_before_the_work(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    for path in (tmp_path, tmp_path / "file" / "below.json", Path("/proc/report.json")):
        with pytest.raises(EdgeECGError, match="could not be written"):
            check_writable(path)


def test_a_pipe_is_written_to_and_not_replaced(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    try:
        check_writable(pipe)
        write_text(pipe, "content")
        assert os.read(reader, 100) == b"content"
    finally:
        os.close(reader)
    assert pipe.is_fifo()


def test_a_file_that_is_made_piece_by_piece_reaches_a_pipe(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe.npz"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    try:
        with replacing(pipe) as beside, beside.open("wb") as opened:
            np.savez(opened, x=np.arange(3))
        assert np.load(io.BytesIO(os.read(reader, 10000)))["x"].tolist() == [0, 1, 2]
    finally:
        os.close(reader)
    assert pipe.is_fifo()


@pytest.mark.parametrize("there", [True, False])
def test_the_target_of_a_link_is_written_and_the_link_stays(tmp_path: Path, there: bool) -> None:
    for folder in ("links", "data"):
        (tmp_path / folder).mkdir()
    target, link = tmp_path / "data/report.json", tmp_path / "links/newest.json"
    link.symlink_to("report.json")
    (tmp_path / "links/report.json").symlink_to("../data/report.json")
    if there:
        target.write_text("old")
        os.link(target, tmp_path / "old.json")
    check_writable(link)
    write_text(link, "new")
    assert link.is_symlink()
    assert target.read_text() == "new"
    assert os.listdir(target.parent) == ["report.json"]
    # Replaced at once, not overwritten.
    assert not there or (tmp_path / "old.json").read_text() == "old"


def test_links_that_cannot_be_written_are_refused(tmp_path: Path) -> None:
    (tmp_path / "a").symlink_to("b")
    (tmp_path / "b").symlink_to("a")
    (tmp_path / "c").symlink_to("/proc/report.json")
    for name in ("a", "c"):
        with pytest.raises(EdgeECGError, match="could not be written"):
            check_writable(tmp_path / name)
        with pytest.raises(EdgeECGError, match=f"{name} could not be written"):
            write_text(tmp_path / name, "new")
        assert (tmp_path / name).is_symlink()


def test_a_folder_behind_a_link_to_nothing_is_refused(tmp_path: Path) -> None:
    (tmp_path / "runs").symlink_to("unmounted/runs")
    with pytest.raises(EdgeECGError, match=r"runs' is a symbolic link to 'unmounted/runs', which"):
        check_writable(tmp_path / "runs" / "mine" / "config.json")
    (tmp_path / "unmounted" / "runs").mkdir(parents=True)
    check_writable(tmp_path / "runs" / "mine" / "config.json")


def test_standard_output_that_is_a_file_is_written_in_order(tmp_path: Path) -> None:
    link, out = tmp_path / "stdout", tmp_path / "out.txt"
    # What /dev/stdout is; a test must not touch the one of the machine.
    link.symlink_to("/proc/self/fd/1")
    code = """
import sys
from pathlib import Path
from edgeecg.files import check_writable, write_text
link = Path(sys.argv[1])
check_writable(link)
print("before", flush=True)
write_text(link, "content\\n")
print("after")
"""
    with out.open("w") as opened:
        subprocess.run([sys.executable, "-c", code, str(link)], stdout=opened, check=True)
    assert out.read_text() == "before\ncontent\nafter\n"
    assert sorted(os.listdir(tmp_path)) == ["out.txt", "stdout"]
    assert link.is_symlink()


def test_texts_of_a_table_are_no_formulas() -> None:
    texts = ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "a=1", "", "it's"]
    found = csv_text(["=head", "n"], [[text, -0.5] for text in texts] + [[None, -3]])
    rows = list(csv.reader(io.StringIO(found, newline="")))
    assert [row[0] for row in rows] == [
        "'=head", "'=1+1", "'+1", "'-1", "'@SUM(A1)", "'\t=1", "'\n=1", "a=1", "", "it's", "",
    ]  # fmt: skip
    assert {row[1] for row in rows[1:]} == {"-0.5", "-3"}


def test_sha256_of_a_known_text(tmp_path: Path) -> None:
    (tmp_path / "abc").write_text("abc")  # FIPS 180-2, appendix B.1
    assert sha256(tmp_path / "abc") == (
        "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    )


def test_a_folder_is_not_replaced_by_a_file(tmp_path: Path) -> None:
    with pytest.raises(EdgeECGError, match="Is a directory"):
        write_text(tmp_path / ".", "text")
    assert not list(tmp_path.iterdir())


def arrays(path: Path) -> object:
    return read_arrays(path, "It", DataError, "Write it again.")


def test_arrays_are_read_by_name(tmp_path: Path) -> None:
    np.savez_compressed(tmp_path / "a.npz", x=np.arange(3), name=np.array("MLII"))
    found = arrays(tmp_path / "a.npz")
    assert isinstance(found, dict)
    assert (found["x"].tolist(), str(found["name"])) == ([0, 1, 2], "MLII")
    np.save(tmp_path / "a.npy", np.arange(3))
    alone = arrays(tmp_path / "a.npy")
    assert isinstance(alone, np.ndarray)
    assert alone.tolist() == [0, 1, 2]


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_damaged_arrays_are_an_error_of_the_type_asked_for(
    tmp_path: Path, save: Callable[..., None]
) -> None:
    buffer = io.BytesIO()
    save(buffer, x=np.ones((4, 1, 16), np.float32), logits=np.ones((4, 3), np.float32))
    path, rng, whole = tmp_path / "a.npz", np.random.default_rng(0), 0
    for _ in range(300):
        path.write_bytes(mutated(buffer.getvalue(), rng))
        with contextlib.suppress(DataError):
            arrays(path)
            whole += 1
    assert whole < 100


@pytest.mark.parametrize(
    ("names", "content"),
    [
        # A header that ends in the middle of an expression.
        (["x.npy"], b"\x93NUMPY\x01\x00\x10\x00{'descr': ((((  \n"),
        (["x.txt"], b"no array"),
        ([], b""),
    ],
)
def test_archives_of_something_else(tmp_path: Path, names: list[str], content: bytes) -> None:
    path = tmp_path / "a.npz"
    with zipfile.ZipFile(path, "w") as archive:
        for name in names:
            archive.writestr(name, content)
    if not names:
        assert arrays(path) == {}
        return
    with pytest.raises(DataError, match="damaged or no file of numeric arrays"):
        arrays(path)


@pytest.mark.parametrize("content", [b"", b"text", b"\x80\x04}.", b"PK\x03\x04 and no more"])
def test_a_file_without_arrays_is_an_error_that_does_not_advise_to_unpickle(
    tmp_path: Path, content: bytes
) -> None:
    (tmp_path / "a.npz").write_bytes(content)
    with pytest.raises(DataError, match="cannot be read") as caught:
        arrays(tmp_path / "a.npz")
    assert "pickle" not in str(caught.value)
    with pytest.raises(DataError, match="No such file"):
        arrays(tmp_path / "nowhere.npz")
