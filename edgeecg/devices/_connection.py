"""The messages between this machine and the agent on a host, over one ``ssh`` process."""

from __future__ import annotations

import contextlib
import io
import itertools
import json
import queue
import subprocess
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import IO, Any, cast

from edgeecg.devices import _ssh
from edgeecg.devices._program import agent_message
from edgeecg.devices.clock_offset import RoundTrip
from edgeecg.devices.messages import MARK, PROTOCOL
from edgeecg.errors import RemoteError
from edgeecg.schema import Host

HEARTBEAT_S = 5.0
"""So often a message is sent to the host."""

SILENCE_S = 30.0
"""After this time without an answer the host is taken for lost."""

_HELLO_S = 90.0
_STOP_S = 8.0
_TRIES = 16
_JOIN_S = 1.0
_POLL_S = 0.5
_TAIL = 600

Message = dict[str, Any]
Handler = Callable[[Message], None]


class Connection:
    """An open connection to the agent on a host.

    Attributes:
        round_trips: All round trips so far; every heartbeat is one.
        bits: Bits of the Python on the host: 32 or 64.
        handlers: Called with messages that come while another kind is awaited, by their type.
    """

    def __init__(self, host: Host, on_progress: Handler, cancelled: threading.Event) -> None:
        """Connect, and start the agent.

        Args:
            host: The machine.
            on_progress: Called with every message about progress.
            cancelled: When it is set, waiting for a message ends with KeyboardInterrupt.

        Raises:
            UsageError: The destination is not one.
            RemoteError: The host cannot be reached, asks for a password, has no Python, or has an
                agent of another version.
        """
        self.round_trips: list[RoundTrip] = []
        self.bits = 64
        self.handlers: dict[str, Handler] = {"progress": on_progress}
        self._name = host.host
        self._cancelled = cancelled
        # None is put here when the host has ended the connection.
        self._inbox: queue.Queue[Message | RemoteError | None] = queue.Queue()
        self._pongs: queue.Queue[RoundTrip] = queue.Queue()
        self._sending = threading.Lock()
        self._pinged: dict[int, float] = {}
        self._numbers = itertools.count()
        self._closing = threading.Event()
        # What ssh and login scripts have printed; only its end is shown.
        self._noise: deque[str] = deque(maxlen=100)
        self._process = self._ssh(_ssh.command(host.host, host.port, host.python))
        self._threads = [self._thread(self._read_noise)]
        self._threads.append(self._thread(self._read))
        try:
            self._greet()
        except BaseException:
            self.close()
            raise

    def send(self, **message: Any) -> None:
        """Send a message; one that cannot be sent is noticed by the next :meth:`receive`."""
        self._write([json.dumps(message).encode() + b"\n"])

    def upload(self, name: str, content: Path | bytes) -> None:
        """Send a file and wait until it is stored.

        Args:
            name: Its name there, relative to the folder of this measurement.
            content: The file here, or what it contains.

        Raises:
            RemoteError: The disk of the host is full, or the connection is lost.
            OSError: The file cannot be read.
        """
        data = content if isinstance(content, bytes) else content.read_bytes()
        header = json.dumps({"type": "upload", "name": name, "size": len(data)}).encode() + b"\n"
        self._write([header, data])
        self.receive("received")

    def receive(self, kind: str, timeout_s: float | None = None) -> Message:
        """Wait for a message of a kind; hand those that have a handler to it meanwhile.

        Args:
            kind: Its ``type``.
            timeout_s: How long to wait for the first message; None for as long as the host answers
                the heartbeats.

        Raises:
            RemoteError: The host reports an error, sends another kind, or the connection is lost.
        """
        while True:
            found = self._next(timeout_s)
            if found is None:
                raise self._ended(before_hello=kind == "hello")
            if isinstance(found, RemoteError):
                raise found
            if found["type"] == kind:
                return found
            if found["type"] == "error":
                raise RemoteError(
                    f"On {self._name}: {found['what']}",
                    found["why"],
                    found["todo"],
                    found.get("exit_code", 1),
                )
            if found["type"] not in self.handlers:
                raise _ssh.strange(self._name, f"'{found['type']}' came in the place of '{kind}'")
            self.handlers[found["type"]](found)

    def _pong(self) -> RoundTrip:
        begun = time.monotonic()
        while not self._cancelled.is_set():
            with contextlib.suppress(queue.Empty):
                return self._pongs.get(timeout=_POLL_S)
            if self._process.poll() is not None:
                raise self._ended(before_hello=False)
            if time.monotonic() - begun > SILENCE_S:
                raise self._lost()
        raise KeyboardInterrupt

    def _next(self, timeout_s: float | None) -> Message | RemoteError | None:
        begun = time.monotonic()
        while not self._cancelled.is_set():
            with contextlib.suppress(queue.Empty):
                return self._inbox.get(timeout=_POLL_S)
            if timeout_s is not None and time.monotonic() - begun > timeout_s:
                return _ssh.failure(self._name, None, self._printed())
        raise KeyboardInterrupt

    def measured_round_trips(self) -> list[RoundTrip]:
        """Make several round trips, one after another.

        Raises:
            RemoteError: The connection is lost.
        """
        found: list[RoundTrip] = []
        for _ in range(_TRIES):
            while not self._pongs.empty():
                self._pongs.get_nowait()
            self._ping()
            found.append(self._pong())
        return found

    def close(self) -> None:
        """Disconnect, upon which the agent stops what runs on the host."""
        self._closing.set()
        with contextlib.suppress(OSError):
            cast("IO[bytes]", self._process.stdin).close()
        for end in (None, self._process.terminate, self._process.kill):
            if end is not None:
                end()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(_STOP_S)
                break
        for thread in self._threads:
            # A connection that ssh shares (ControlPersist) keeps the pipe of its messages open.
            thread.join(_JOIN_S)

    def _ssh(self, command: list[str]) -> subprocess.Popen[bytes]:
        try:
            return subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                # Unbuffered, so that closing a pipe never waits for a host that reads no more.
                bufsize=0,
                # A Ctrl-C in the terminal is for this process, which then stops the host in order.
                start_new_session=True,
            )
        except OSError as error:
            raise RemoteError(
                f"{self._name} cannot be reached over ssh.",
                f"The program '{command[0]}' cannot be started: {error.strerror}.",
                f"Install OpenSSH, or name the program in {_ssh.COMMAND_VARIABLE}.",
            ) from error

    def _greet(self) -> None:
        self._write([agent_message()])
        message = self.receive("hello", _HELLO_S)
        if message.get("protocol") != PROTOCOL:
            raise RemoteError(
                f"{self._name} runs another version of edgeecg.",
                f"Its messages are of version {message.get('protocol')}, those here of {PROTOCOL}.",
                f"Remove ~/.cache/edgeecg on {self._name}, and run the command again.",
            )
        self.bits = message.get("bits", 64)
        self._threads.append(self._thread(self._beat))

    def _thread(self, target: Callable[[], None]) -> threading.Thread:
        thread = threading.Thread(target=target, daemon=True)
        thread.start()
        return thread

    def _write(self, parts: Iterable[bytes]) -> None:
        # A connection that is closed is noticed by whoever waits for an answer.
        with self._sending, contextlib.suppress(OSError, ValueError):
            self._write_unlocked(parts)

    def _write_unlocked(self, parts: Iterable[bytes]) -> None:
        pipe = cast("IO[bytes]", self._process.stdin)
        for part in parts:
            left = part
            while left:
                left = left[pipe.write(left) :]

    def _ping(self) -> None:
        with self._sending, contextlib.suppress(OSError, ValueError):
            number = next(self._numbers)
            message = json.dumps({"type": "ping", "id": number}).encode() + b"\n"
            self._pinged[number] = time.perf_counter()
            self._write_unlocked([message])

    def _beat(self) -> None:
        """Send heartbeats, and notice when they are not answered."""
        while not self._closing.wait(HEARTBEAT_S):
            waiting = list(self._pinged.values())
            if waiting and time.perf_counter() - waiting[0] > SILENCE_S:
                self._inbox.put(self._lost())
                return
            self._ping()

    def _read(self) -> None:
        """Sort what comes: round trips, messages, and what login scripts print."""
        try:
            with _buffered(self._process.stdout) as pipe:
                for line in pipe:
                    now = time.perf_counter()
                    printed, mark, text = line.partition(MARK)
                    self._noise.append(printed.decode("utf-8", "replace"))
                    if mark:
                        self._sort(json.loads(text), now)
        except (ValueError, KeyError, TypeError) as error:
            self._inbox.put(_ssh.strange(self._name, f"a message cannot be read: {error}"))
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(_STOP_S)
        self._threads[0].join(_JOIN_S)
        self._inbox.put(None)

    def _sort(self, message: Message, now: float) -> None:
        if message["type"] != "pong":
            self._inbox.put(message)
            return
        trip = RoundTrip(self._pinged.pop(message["id"]), now, message["time_s"])
        self.round_trips.append(trip)
        self._pongs.put(trip)

    def _read_noise(self) -> None:
        with _buffered(self._process.stderr) as pipe:
            for line in pipe:
                self._noise.append(line.decode("utf-8", "replace"))

    def _printed(self) -> str:
        return "\n".join(filter(None, map(str.strip, self._noise)))[-_TAIL:]

    def _ended(self, before_hello: bool) -> RemoteError:
        status = self._process.poll()
        if before_hello:
            return _ssh.failure(self._name, status, self._printed())
        return self._lost(f"The program ssh ended with status {status}")

    def _lost(self, cause: str | None = None) -> RemoteError:
        cause = cause or f"It has not answered for {SILENCE_S:g} s"
        return _ssh.lost(self._name, cause, self._printed())


def _buffered(pipe: IO[bytes] | None) -> io.BufferedReader:
    return io.BufferedReader(cast(io.RawIOBase, pipe))
