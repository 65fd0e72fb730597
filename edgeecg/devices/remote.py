"""A host that is reached over ssh, and runs a part of edgeecg there.

One ``ssh`` process carries everything: the agent (:mod:`edgeecg.devices._agent`), the program, the
files and all messages, so a host needs an ssh server and Python 3.11 or later, and nothing else.
Both sides send a message every few seconds. When one of them falls silent, the other one stops: the
agent ends what it has started and removes its files; here the measurement is an error.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from edgeecg.devices._connection import Connection, Handler, Message
from edgeecg.devices._program import program, requirements
from edgeecg.devices.clock_offset import RoundTrip
from edgeecg.errors import EdgeECGError
from edgeecg.progress import ProgressCallback, ignore
from edgeecg.schema import Host


class RemoteHost:
    """A connection to a host that is ready to measure; a context manager, which stops it.

    Attributes:
        name: The destination.
    """

    def __init__(
        self,
        host: Host,
        on_step: ProgressCallback | None = None,
        cancelled: threading.Event | None = None,
    ) -> None:
        """Connect, send the program, and make the environment where it is missing.

        Args:
            host: The machine.
            on_step: Called with what is being done, how much is done, and how much there is.
            cancelled: Set it from another thread to end all waiting with KeyboardInterrupt.

        Raises:
            UsageError: The destination is not one.
            RemoteError: The host cannot be reached or cannot be prepared; the message says what is
                missing.
            EdgeECGError: The folder with wheels has none.
        """
        self.name = host.host
        self._on_step = on_step or ignore
        wheels = _wheels(host.wheels)
        self._on_step("connecting", 0, 0)
        self._connection = Connection(host, self._progress, cancelled or threading.Event())
        try:
            self._prepare(host, wheels)
        except BaseException:
            self._connection.close()
            raise

    def __enter__(self) -> Self:
        """Return the host."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Stop what runs there, and disconnect."""
        self._connection.close()

    @property
    def round_trips(self) -> list[RoundTrip]:
        """All round trips so far; every heartbeat is one."""
        return list(self._connection.round_trips)

    def measured_round_trips(self) -> list[RoundTrip]:
        """Make several round trips, one after another.

        Raises:
            RemoteError: The connection is lost.
        """
        return self._connection.measured_round_trips()

    def send_file(self, path: Path, name: str) -> None:
        """Copy a file into the folder of this measurement.

        Args:
            path: The file here.
            name: Its name there, relative to the folder.

        Raises:
            RemoteError: The disk of the host is full, or the connection is lost.
            OSError: The file cannot be read.
        """
        self._on_step(f"sending {path.name}", 0, 0)
        self._connection.upload(name, path)

    def send_content(self, content: bytes, name: str) -> None:
        """Store a file in the folder of this measurement; also while a module runs there.

        Args:
            content: What it contains.
            name: Its name there, relative to the folder.

        Raises:
            RemoteError: The disk of the host is full, or the connection is lost.
        """
        self._connection.upload(name, content)

    def run(
        self, module: str, job: Message, handlers: Mapping[str, Handler] | None = None
    ) -> Message:
        """Run a module of edgeecg on the host and return its result.

        Args:
            module: The module, which is given the path of a JSON file with the job.
            job: What it needs to know.
            handlers: Called with the messages that the module sends before its result, by their
                type.

        Raises:
            RemoteError: It failed there, or the connection is lost.
        """
        self._connection.handlers |= handlers or {}
        self._connection.send(type="run", module=module, job=job)
        return self._connection.receive("result")

    def _prepare(self, host: Host, wheels: list[Path]) -> None:
        connection, sent = self._connection, program()
        connection.send(
            type="setup",
            program=sent.digest,
            requirements=requirements(connection.bits),
            wheels=[path.name for path in wheels],
            private=host.python is None,
        )
        need = connection.receive("need")
        if need["program"]:
            self._on_step("sending the program", 0, 0)
            connection.upload("program.zip", sent.archive)
        for path in wheels if need["wheels"] else ():
            self.send_file(path, f"wheels/{path.name}")
        connection.send(type="prepare")
        connection.receive("ready")

    def _progress(self, message: dict[str, Any]) -> None:
        self._on_step(message["what"], message["done"], message["total"])


def _wheels(folder: Path | None) -> list[Path]:
    if folder is None:
        return []
    found = sorted(folder.glob("*.whl"))
    if not found:
        raise EdgeECGError(
            f"There are no wheels in '{folder}'.",
            "Files NAME.whl were expected there, as 'pip download' writes them.",
            "Download them for the host: pip download --only-binary :all: --platform PLATFORM "
            "--python-version VERSION -d FOLDER PACKAGES (--platform once for every tag, such as "
            "manylinux_2_28_aarch64 and manylinux_2_27_aarch64)",
        )
    return found
