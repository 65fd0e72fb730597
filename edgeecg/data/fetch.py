"""Getting a database from PhysioNet, file by file, each one checked.

wfdb says where PhysioNet is (``wfdb.io.download.config``), and the files come through requests,
which wfdb brings: wfdb's own ``dl_files`` writes half files under their final names, appends to
what it takes for one, and checks no hash. Here a file gets its name when its SHA-256 is the one of
``SHA256SUMS.txt``. What is there already with the right hash is kept, so a download that was
stopped goes on where it was; ``SHA256SUMS.txt`` itself is written last.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path

from edgeecg import files
from edgeecg.data.records.paths import inside
from edgeecg.errors import DataError, UnknownNameError

Transport = Callable[[str], Iterator[bytes]]
"""URL -> content in pieces; raises :class:`DataError` when it cannot be had."""

OnFile = Callable[[int, int], None]
"""(files downloaded, files to download)."""

SUMS = "SHA256SUMS.txt"

_SUM = re.compile(r"([0-9a-fA-F]{64}) [ *](.+)")
# wfdb's own limit, out of consideration for the server.
_CONNECTIONS = 2
_TIMEOUT_S = 60
_PIECE_BYTES = 1 << 16


@dataclass(frozen=True)
class Database:
    """What there is to fetch.

    Attributes:
        path: Its place on PhysioNet, version included.
        wanted: Pattern of the names of its files that edgeecg reads.
        sizes: Usual size in bytes by the end of the name; the first that fits counts.
        licence: Licence, and where it is described.
    """

    path: str
    wanted: str
    sizes: tuple[tuple[str, int], ...]
    licence: str


_BEATS = r"[^/]+\.(hea|dat|atr)|RECORDS"
DATABASES = {
    "mitdb": Database(
        "mitdb/1.0.0/",
        _BEATS,
        ((".dat", 1_950_000), (".atr", 5_000), ("", 300)),
        "Open Data Commons Attribution License 1.0, https://physionet.org/content/mitdb/1.0.0/",
    ),
    "nstdb": Database(
        "nstdb/1.0.0/",
        _BEATS,
        ((".dat", 2_500_000), (".atr", 5_000), ("", 300)),
        "Open Data Commons Attribution License 1.0, https://physionet.org/content/nstdb/1.0.0/",
    ),
    "ptbxl": Database(
        "ptb-xl/1.0.3/",
        r"ptbxl_database\.csv|scp_statements\.csv|LICENSE\.txt|records100/.+\.(hea|dat)",
        (("_lr.dat", 24_000), ("_hr.dat", 120_000), ("base.csv", 6_300_000), ("", 700)),
        "Creative Commons Attribution 4.0, https://physionet.org/content/ptb-xl/1.0.3/",
    ),
}
"""The databases by the names that edgeecg gives them."""

_PTBXL_500 = r"|records500/.+\.(hea|dat)"


@dataclass(frozen=True)
class Plan:
    """What a download will do.

    Attributes:
        folder: Where the files go.
        url: Where they come from, with a final slash.
        missing: SHA-256 by name of every file that is not there yet, or not whole.
        present: Number of files that are there, with the right hash.
        size_bytes: Roughly what is to be downloaded.
        sums: Content of ``SHA256SUMS.txt``.
    """

    folder: Path
    url: str
    missing: dict[str, str]
    present: int
    size_bytes: int
    sums: bytes


def plan(name: str, folder: Path, fs_hz: int, transport: Transport) -> Plan:
    """Find out what of a database is missing in a folder.

    Args:
        name: One of :data:`DATABASES`.
        folder: Where the database is, or will be.
        fs_hz: For PTB-XL: 100 for its records at 100 Hz, 500 for those at 500 Hz too.
        transport: Gets ``SHA256SUMS.txt``.

    Raises:
        UnknownNameError: There is no such database.
        DataError: ``SHA256SUMS.txt`` cannot be had, is something else, or names a file outside the
            folder.
    """
    if name not in DATABASES:
        raise UnknownNameError("database", name, DATABASES)
    from wfdb.io import download

    database = DATABASES[name]
    url = f"{download.config.db_index_url.rstrip('/')}/{database.path}"
    sums = b"".join(transport(url + SUMS))
    wanted = database.wanted + (_PTBXL_500 if name == "ptbxl" and fs_hz == 500 else "")
    listed = {
        file_name: digest
        for file_name, digest in _parsed(sums, folder).items()
        if re.fullmatch(wanted, file_name)
    }
    if not listed:
        raise _bad_sums(folder, "It names none of the files that edgeecg reads.")
    missing = {
        file_name: digest
        for file_name, digest in listed.items()
        if not (folder / file_name).is_file() or files.sha256(folder / file_name) != digest
    }
    size = sum(
        next(size for end, size in database.sizes if file_name.endswith(end))
        for file_name in missing
    )
    return Plan(folder, url, missing, len(listed) - len(missing), size, sums)


def download(planned: Plan, transport: Transport, on_file: OnFile | None = None) -> None:
    """Download what is missing; each file appears under its name when it is whole and right.

    Args:
        planned: From :func:`plan`.
        transport: Gets the files; called from two threads at a time.
        on_file: Called after each file.

    Raises:
        DataError: A file cannot be had, or is not the one listed; the others are kept.
        EdgeECGError: The folder cannot be written to.
    """
    with ThreadPoolExecutor(_CONNECTIONS) as pool:
        waiting = [
            pool.submit(_one, planned, name, digest, transport)
            for name, digest in planned.missing.items()
        ]
        try:
            for done, finished in enumerate(as_completed(waiting), start=1):
                finished.result()
                if on_file is not None:
                    on_file(done, len(waiting))
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise
    files.write_bytes(planned.folder / SUMS, planned.sums)


def over_http() -> Transport:
    """Return a transport that keeps its connections open between files."""
    import requests

    session = requests.Session()

    def get(url: str) -> Iterator[bytes]:
        try:
            with session.get(url, stream=True, timeout=_TIMEOUT_S) as answer:
                answer.raise_for_status()
                yield from answer.iter_content(_PIECE_BYTES)
        except requests.RequestException as error:
            raise DataError(
                f"'{url}' could not be downloaded.",
                f"{error}.",
                "Check the connection and run it again; what is there already is kept.",
            ) from error

    return get


def _one(planned: Plan, name: str, digest: str, transport: Transport) -> None:
    with files.replacing(planned.folder / name) as beside:
        found = hashlib.sha256()
        with beside.open("wb") as opened:
            for piece in transport(planned.url + name):
                found.update(piece)
                opened.write(piece)
        if found.hexdigest() != digest:
            raise DataError(
                f"'{planned.url}{name}' is not the file it should be.",
                f"Its SHA-256 is {found.hexdigest()[:12]}..., {SUMS} says {digest[:12]}....",
                "Run it again; if it stays so, the server's copy is damaged.",
            )


def _parsed(sums: bytes, folder: Path) -> dict[str, str]:
    """Return SHA-256 by name."""
    listed: dict[str, str] = {}
    for line in sums.decode("utf-8", errors="replace").splitlines():
        match = _SUM.fullmatch(line)
        if match is None:
            raise _bad_sums(folder, f"'{line[:80]}' is no line of it.")
        digest, name = match.groups()
        inside(folder, name, SUMS)
        listed[name] = digest.lower()
    return listed


def _bad_sums(folder: Path, why: str) -> DataError:
    return DataError(
        f"The database cannot be downloaded to '{folder}'.",
        f"The server's {SUMS} is not what it should be. {why}",
        "Run it again; if it stays so, get the files from https://physionet.org by hand.",
    )
