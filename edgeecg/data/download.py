"""Getting a database, file by file, each one checked.

The server has a list of SHA-256 hashes, ``SHA256SUMS.txt``, as PhysioNet has for every database.
pooch downloads each file under a temporary name and renames it when the hash is right.
Files that are there with the right hash are kept, so a download that was stopped continues where it
was; ``SHA256SUMS.txt`` itself is written last.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgeecg import files
from edgeecg.data.records.paths import inside
from edgeecg.errors import DataError, EdgeECGError

if TYPE_CHECKING:
    from pooch import Pooch

Transport = Callable[[str], Iterator[bytes]]
"""URL -> content in pieces; raises ``requests.RequestException`` when it cannot be had."""

OnFile = Callable[[int, int], None]
"""(files downloaded, files to download)."""

SUMS = "SHA256SUMS.txt"

WFDB_FILES = r"[^/]+\.(hea|dat|atr)|RECORDS"
"""Pattern of the files of records with annotations, all in one folder."""

_SUM = re.compile(r"([0-9a-fA-F]{64}) [ *](.+)")
# The limit that wfdb keeps, out of consideration for the server.
_CONNECTIONS = 2
_TIMEOUT_S = 60
_PIECE_BYTES = 1 << 16
_RETRIES = 2


@dataclass(frozen=True)
class Download:
    """Where a database can be downloaded from.

    Attributes:
        url: Folder on a web server, version included, with a final slash; on PhysioNet unless it
            begins with ``https://``.
        wanted: Pattern of the names of the files that edgeecg reads.
        sizes: Usual size in bytes by the end of a file's name; the first that fits counts.
        at_rate: Pattern of further files, by the sampling rate in hertz that brings them.
    """

    url: str
    wanted: str
    sizes: tuple[tuple[str, int], ...]
    at_rate: Mapping[int, str] = field(default_factory=dict[int, str])


@dataclass(frozen=True)
class Plan:
    """What a download will do.

    Attributes:
        folder: Where the files are written to.
        url: Where they come from, with a final slash.
        missing: SHA-256 by name of every file that is absent or damaged.
        present: Number of files that are there with the right hash.
        size_bytes: Roughly what is to be downloaded.
        sums: Content of ``SHA256SUMS.txt``.
    """

    folder: Path
    url: str
    missing: dict[str, str]
    present: int
    size_bytes: int
    sums: bytes


def plan(database: Download, folder: Path, fs_hz: int, transport: Transport) -> Plan:
    """Find out which files of a database are missing in a folder.

    Args:
        database: What there is to download.
        folder: Where the database is, or will be.
        fs_hz: Sampling rate of the records wanted; matters where ``database.at_rate`` names it.
        transport: Gets ``SHA256SUMS.txt``.

    Raises:
        DataError: ``SHA256SUMS.txt`` cannot be had, is something else, or names a file outside the
            folder.
    """
    url = _full_url(database.url)
    sums = _content(url + SUMS, transport)
    patterns = [database.wanted, *(p for at, p in database.at_rate.items() if at == fs_hz)]
    listed = {
        file_name: digest
        for file_name, digest in _parsed(sums, folder).items()
        if any(re.fullmatch(pattern, file_name) for pattern in patterns)
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
    import pooch

    # It reports every file on standard error, where the progress bar is.
    pooch.get_logger().setLevel(logging.WARNING)
    registry = pooch.create(
        path=planned.folder,
        base_url=planned.url,
        registry={name: f"sha256:{digest}" for name, digest in planned.missing.items()},
        retry_if_failed=_RETRIES,
    )
    with ThreadPoolExecutor(_CONNECTIONS) as pool:
        waiting = [pool.submit(_fetch, registry, name, transport) for name in planned.missing]
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
    """Return a transport that keeps its connections open between files.

    pooch opens a connection for each file, and PTB-XL has more than 40,000 files.
    """
    import requests

    session = requests.Session()

    def get(url: str) -> Iterator[bytes]:
        with session.get(url, stream=True, timeout=_TIMEOUT_S) as answer:
            answer.raise_for_status()
            yield from answer.iter_content(_PIECE_BYTES)

    return get


def _fetch(registry: Pooch, name: str, transport: Transport) -> None:
    """Download one file, or keep it if it is there and right."""
    import requests

    def write(url: str, output_file: str, _: Pooch) -> None:
        # pooch's temporary file can be read by its owner alone; a new one has the usual rights.
        Path(output_file).unlink()
        with Path(output_file).open("wb") as opened:
            opened.writelines(transport(url))

    path = Path(registry.abspath) / name
    downloader: Any = write  # pooch documents these three arguments, and annotates others.
    try:
        # pooch makes it too, but not in two threads at once.
        path.parent.mkdir(parents=True, exist_ok=True)
        registry.fetch(name, downloader=downloader)
    except requests.RequestException as error:
        raise _not_downloaded(registry.get_url(name), error) from error
    except ValueError as error:
        raise DataError(
            f"'{registry.get_url(name)}' is not the file it should be.",
            f"Its SHA-256 is not the one in {SUMS}. {error}.",
            "Run it again; if the error stays, the server's copy is damaged.",
        ) from error
    except OSError as error:
        raise EdgeECGError(
            f"{path} could not be written.",
            f"The system reports: {error.strerror or error}.",
            "Free some space or choose another folder, then run it again.",
        ) from error


def _full_url(url: str) -> str:
    if url.startswith("https://"):
        return url
    from wfdb.io import download

    return f"{download.config.db_index_url.rstrip('/')}/{url}"


def _content(url: str, transport: Transport) -> bytes:
    import requests

    try:
        return b"".join(transport(url))
    except requests.RequestException as error:
        raise _not_downloaded(url, error) from error


def _not_downloaded(url: str, error: Exception) -> DataError:
    return DataError(
        f"'{url}' could not be downloaded.",
        f"{error}.",
        "Check the connection and run it again; files that are there already are kept.",
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
        "Run it again; if the error stays, get the files from https://physionet.org by hand.",
    )
