"""Messages and files of the program that runs on the host; see :mod:`edgeecg.devices._agent`.

Messages are JSON objects, one a line. Those from the host start with the control character RS (as
in RFC 7464), by which they differ from what login scripts print. This module is sent as source and
uses the standard library only.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import json
import os
import queue
import select
import shutil
import signal
import subprocess
import tempfile
import threading
import time
from collections.abc import Generator
from pathlib import Path
from typing import IO, Any

PROTOCOL = 1
"""Version of the messages."""
MARK = b"\x1e"
"""The first byte of every message from the host."""
SILENCE_S = 30.0
"""After this time without a message the other side is taken for lost; it sends one every 5 s."""

_FRESH_S = 60.0
_KEEP_S = 90 * 24 * 3600.0
_GRACE_S = 2.0
_CHUNK = 1 << 16
_TAIL = 3000
_FULL = (errno.ENOSPC, errno.EDQUOT)


class StoppedError(Exception):
    """The other side has closed the connection, or is silent."""


class FailedError(Exception):
    """What failed, why, and what to do, as three arguments."""


class Link:
    """Messages from and to the machine that started this program.

    A thread reads. It answers ``ping`` with ``pong`` and the time, stores the files of ``upload``
    (whose content follows as so many bytes) and confirms them with ``received``. It puts all other
    messages into ``inbox``; None is put there when the connection is closed or silent.
    """

    def __init__(self, store: Store) -> None:
        self.inbox: queue.Queue[dict[str, Any] | None] = queue.Queue()
        self.stopped = threading.Event()
        self._store = store
        self._held = b""
        self._sending = threading.Lock()
        self._child: subprocess.Popen[bytes] | None = None
        # A signal may ask to stop while this very thread starts a process.
        self._children = threading.RLock()

    def send(self, kind: str, **values: Any) -> None:
        """Send a message; one that cannot be sent is lost with the connection."""
        self.relay(MARK + json.dumps({"type": kind, **values}).encode() + b"\n")

    def relay(self, line: bytes) -> None:
        """Send a line as it is."""
        with self._sending:
            try:
                while line:
                    line = line[os.write(1, line) :]
            except OSError:
                self.stop()

    def receive(self) -> dict[str, Any]:
        """Wait for the next message.

        Raises:
            StoppedError: The connection is closed.
        """
        found = self.inbox.get()
        if found is None or self.stopped.is_set():
            raise StoppedError
        return found

    def follow(self) -> None:
        """Read messages until the connection is lost."""
        try:
            while True:
                message = json.loads(self._line())
                now = time.perf_counter()
                kind = message["type"]
                if kind == "ping":
                    self.send("pong", id=message["id"], time_s=now)
                elif kind == "upload":
                    self._upload(message)
                else:
                    self.inbox.put(message)
        except (EOFError, OSError, ValueError, KeyError, TypeError):
            return
        finally:
            self.stop()

    def stop(self, *_: object) -> None:
        """End the process that is running, and all waiting for a message; handles signals, too."""
        self.stopped.set()
        with self._children:
            _end(self._child)
        self.inbox.put(None)

    @contextlib.contextmanager
    def running(
        self,
        command: list[str],
        stdout: int | IO[bytes],
        stderr: int | IO[bytes],
        environment: dict[str, str],
        folder: Path,
    ) -> Generator[subprocess.Popen[bytes]]:
        """Run a process in a group of its own, which does not outlive the block."""
        with self._children:
            if self.stopped.is_set():
                raise StoppedError
            child = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=stdout,
                stderr=stderr,
                env=environment,
                cwd=folder,
                start_new_session=True,
            )
            self._child = child
        try:
            yield child
        finally:
            with self._children:
                _end(child)
                self._child = None
        if self.stopped.is_set():
            raise StoppedError

    def _upload(self, message: dict[str, Any]) -> None:
        left = int(message["size"])
        try:
            with self._store.create(message["name"]) as file:
                while left:
                    piece = self._bytes(min(left, _CHUNK))
                    left -= len(piece)
                    file.write(piece)
        except OSError as error:
            self.send("error", **as_error(failure(error)))
            raise
        self.send("received", name=message["name"])

    def _line(self) -> bytes:
        while b"\n" not in self._held:
            self._held += self._more()
        line, _, self._held = self._held.partition(b"\n")
        return line

    def _bytes(self, size: int) -> bytes:
        if not self._held:
            self._held = self._more()
        piece, self._held = self._held[:size], self._held[size:]
        return piece

    def _more(self) -> bytes:
        ready, _, _ = select.select([0], [], [], SILENCE_S)
        found = os.read(0, _CHUNK) if ready else b""
        if not found:
            raise EOFError
        return found


class Store:
    """The folder of edgeecg on this host: environments, programs, and files of one measurement."""

    def __init__(self) -> None:
        base = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
        self.root = Path(base).expanduser() / "edgeecg"
        self.root.mkdir(parents=True, exist_ok=True)
        self._remove_old()
        self.work = Path(tempfile.mkdtemp(prefix="work-", dir=self.root))
        self._lock = locked(self.work / "lock")
        self.log = self.work / "log"
        self.log.touch()

    def create(self, name: str) -> Any:
        """Create a file among those of this measurement and open it for writing."""
        path = self.work / name
        path.parent.mkdir(parents=True, exist_ok=True)
        return path.open("xb")

    def tail(self) -> str:
        """Return the end of what the last process printed."""
        text = self.log.read_bytes()[-_TAIL:].decode("utf-8", "replace").strip()
        return " ".join(text.split())[-600:] or "It printed nothing"

    def remove(self) -> None:
        """Remove the files of this measurement."""
        shutil.rmtree(self.work, ignore_errors=True)
        os.close(self._lock)

    def _remove_old(self) -> None:
        """Remove what a host that lost its power has left, and what was long not used."""
        for folder in self.root.glob("work-*"):
            with contextlib.suppress(OSError):
                if time.time() - folder.stat().st_mtime > _FRESH_S:
                    os.close(locked(folder / "lock"))
                    shutil.rmtree(folder, ignore_errors=True)
        for folder in (*self.root.glob("program-*"), *self.root.glob("env-*")):
            with contextlib.suppress(OSError):
                if time.time() - folder.stat().st_mtime > _KEEP_S:
                    shutil.rmtree(folder) if folder.is_dir() else folder.unlink()


def locked(path: Path) -> int:
    """Open and lock a file; return its descriptor, whose closing unlocks it.

    Raises:
        BlockingIOError: It is locked by another process.
    """
    handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(handle)
        raise
    return handle


def _end(child: subprocess.Popen[bytes] | None) -> None:
    """End a process and all of its group, first politely."""
    if child is None:
        return
    for number in (signal.SIGTERM, signal.SIGKILL):
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(child.pid, number)
        with contextlib.suppress(subprocess.TimeoutExpired):
            child.wait(_GRACE_S)


def failure(error: OSError) -> FailedError:
    """Return what a file that cannot be written means to the user."""
    place = error.filename or "its cache folder"
    if error.errno in _FULL:
        return FailedError(
            "The disk is full.",
            f"Writing {place} failed: {error.strerror}.",
            "Free some space there, and run the command again.",
        )
    return FailedError(
        "The files of edgeecg cannot be written.",
        f"Writing {place} failed: {error.strerror}.",
        "Make ~/.cache writable there, or set XDG_CACHE_HOME to a folder that is.",
    )


def as_error(error: FailedError) -> dict[str, Any]:
    """Return the values of the message about an error."""
    what, why, todo = error.args
    return {"what": what, "why": why, "todo": todo, "exit_code": 1}
