"""Downloads, against a server on this machine: checked, resumed, and kept inside the folder."""

from __future__ import annotations

import functools
import hashlib
import http.server
import threading
from collections.abc import Generator, Iterator
from pathlib import Path

import pytest
import requests
from wfdb.io import download as wfdb_download

from edgeecg.data import download
from edgeecg.data.sources import mitdb, ptbxl
from edgeecg.errors import DataError, EdgeECGError

CONTENT = {
    "100.hea": b"header",
    "100.dat": bytes(range(256)) * 1000,
    "100.atr": b"annotations",
    "RECORDS": b"100\n",
    "x_mitdb/x_108.dat": b"not read by edgeecg",
    "100.xws": b"nor this",
}
READ = {"100.hea", "100.dat", "100.atr", "RECORDS"}


class _Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Generator[Path]:
    """Serve a folder as if it were PhysioNet's index; yields the folder of mitdb in it."""
    root = tmp_path / "server"
    folder = root / "mitdb" / "1.0.0"
    for name, content in CONTENT.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    _write_sums(folder)
    handler = functools.partial(_Quiet, directory=str(root))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as running:
        threading.Thread(target=running.serve_forever, args=(0.01,), daemon=True).start()
        url = f"http://127.0.0.1:{running.server_address[1]}/"
        monkeypatch.setattr(wfdb_download.config, "db_index_url", url)
        monkeypatch.setattr(download, "_RETRIES", 0)
        yield folder
        running.shutdown()


def _write_sums(folder: Path, extra: str = "") -> None:
    lines = [f"{hashlib.sha256(content).hexdigest()}  {name}" for name, content in CONTENT.items()]
    (folder / download.SUMS).write_text("\n".join(lines) + "\n" + extra)


def _get(folder: Path, transport: download.Transport | None = None) -> download.Plan:
    transport = transport or download.over_http()
    planned = download.plan(mitdb.DOWNLOAD, folder, 100, transport)
    download.download(planned, transport)
    return planned


def _names(folder: Path) -> set[str]:
    return {str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file()}


def test_what_edgeecg_reads_arrives_whole_and_nothing_else(server: Path, tmp_path: Path) -> None:
    folder = tmp_path / "here"
    planned = _get(folder)
    assert set(planned.missing) == READ
    assert planned.size_bytes > 1_900_000
    assert _names(folder) == READ | {download.SUMS}
    assert all((folder / name).read_bytes() == CONTENT[name] for name in READ)


def test_what_is_there_is_kept_and_what_is_damaged_comes_again(
    server: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "here"
    _get(folder)
    (folder / "100.dat").write_bytes(CONTENT["100.dat"][:500])
    kept = (folder / "100.hea").stat().st_mtime_ns
    planned = _get(folder)
    assert set(planned.missing) == {"100.dat"}
    assert planned.present == 3
    assert (folder / "100.dat").read_bytes() == CONTENT["100.dat"]
    assert (folder / "100.hea").stat().st_mtime_ns == kept


def test_a_broken_connection_leaves_no_half_file_and_the_next_try_goes_on(
    server: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "here"
    real = download.over_http()

    def breaking(url: str) -> Iterator[bytes]:
        for piece in real(url):
            yield piece
            if url.endswith(".dat"):
                raise DataError("The line broke.", "A test cut it.", "Run it again.")

    with pytest.raises(DataError, match="line broke"):
        _get(folder, breaking)
    assert not (folder / "100.dat").exists()
    assert download.SUMS not in _names(folder)
    assert _names(folder) <= READ
    done = download.plan(mitdb.DOWNLOAD, folder, 100, real).present
    assert done == len(_names(folder))
    _get(folder)
    assert _names(folder) == READ | {download.SUMS}


def test_a_file_that_is_not_the_one_listed_is_refused(server: Path, tmp_path: Path) -> None:
    (server / "100.atr").write_bytes(b"something else")
    with pytest.raises(DataError, match=r"100\.atr' is not the file it should be"):
        _get(tmp_path / "here")
    assert not (tmp_path / "here" / "100.atr").exists()


@pytest.mark.parametrize("name", ["../evil.dat", "/tmp/evil.dat", "a/../../evil.dat"])
def test_names_outside_the_folder_are_refused_before_anything_is_written(
    server: Path, tmp_path: Path, name: str
) -> None:
    _write_sums(server, f"{'0' * 64}  {name}\n")
    with pytest.raises(DataError, match="outside the folder"):
        _get(tmp_path / "here")
    assert not (tmp_path / "here").exists()


@pytest.mark.parametrize("content", [b"", b"<html>moved</html>", b"\xff\xfe", b"0" * 64 + b"  a\n"])
def test_a_list_of_hashes_that_is_something_else(
    server: Path, tmp_path: Path, content: bytes
) -> None:
    (server / download.SUMS).write_bytes(content)
    with pytest.raises(DataError, match=download.SUMS.replace(".", r"\.")):
        _get(tmp_path / "here")


def test_a_file_that_the_server_does_not_have(server: Path, tmp_path: Path) -> None:
    (server / "100.hea").unlink()
    with pytest.raises(DataError, match="404"):
        _get(tmp_path / "here")


def test_a_connection_that_breaks_once_is_tried_again(
    server: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    waited: list[float] = []
    monkeypatch.setattr(download, "_RETRIES", 1)
    monkeypatch.setattr("time.sleep", waited.append)
    real, broken = download.over_http(), ["100.dat"]

    def breaking(url: str) -> Iterator[bytes]:
        yield next(real(url))
        if broken and url.endswith(broken[0]):
            broken.clear()
            raise requests.ConnectionError("cut")
        yield from list(real(url))[1:]

    _get(tmp_path / "here", breaking)
    assert not broken
    assert len(waited) == 1
    assert (tmp_path / "here" / "100.dat").read_bytes() == CONTENT["100.dat"]


def test_downloaded_files_have_the_usual_rights(server: Path, tmp_path: Path) -> None:
    _get(tmp_path / "here")
    (tmp_path / "plain").touch()
    usual = (tmp_path / "plain").stat().st_mode
    assert {path.stat().st_mode for path in (tmp_path / "here").iterdir()} == {usual}


def test_a_folder_that_cannot_be_written_to_is_named(server: Path, tmp_path: Path) -> None:
    (tmp_path / "here").touch()
    with pytest.raises(EdgeECGError, match="here"):
        _get(tmp_path / "here" / "mitdb")


def test_no_server_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wfdb_download.config, "db_index_url", "http://127.0.0.1:9/")
    with pytest.raises(DataError, match="could not be downloaded"):
        _get(tmp_path / "here")


@pytest.mark.parametrize(("fs_hz", "expected"), [(100, 4), (500, 6)])
def test_ptbxl_comes_at_one_rate_unless_both_are_wanted(
    tmp_path: Path, fs_hz: int, expected: int
) -> None:
    names = ["ptbxl_database.csv", "scp_statements.csv", "example_physionet.py"]
    for kind, rate in (("lr", 100), ("hr", 500)):
        names += [f"records{rate}/00000/00001_{kind}.{end}" for end in ("hea", "dat")]
    sums = "".join(f"{'a' * 64}  {name}\n" for name in names).encode()
    planned = download.plan(ptbxl.DOWNLOAD, tmp_path, fs_hz, lambda url: iter([sums]))
    assert len(planned.missing) == expected
