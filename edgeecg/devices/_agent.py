"""The program that ``edgeecg bench --on HOST`` runs on the host.

Its source is sent over ssh and run by the host's Python, so it uses the standard library only. It
makes an environment for edgeecg once, keeps the program that was sent, starts the process that
measures, and passes its messages on. When the connection is lost, or nothing comes from the other
side for a while, it ends that process and removes the files of this measurement.

The messages, in their order ("to" is to the host):

- from: ``hello`` (protocol, python, machine, bits)
- to: ``setup`` (program: a hash; requirements; wheels: file names; private: whether an environment
  is to be made), from: ``need`` (program, wheels: whether they have to be sent)
- to: ``upload`` (name, size, then the content), from: ``received``
- to: ``prepare``, from: ``progress``, at last ``ready`` (python)
- to: ``upload``, for the files that are measured, then ``run`` (module, arguments)
- from: the messages of the process that measures, at last ``result``; then ``run`` may follow again
- at any time, to: ``ping`` (id), from: ``pong`` (id, time_s), and from: ``error`` (what, why, todo)

Closing the connection stops everything.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import platform
import shutil
import signal
import subprocess
import sys
import threading
import zipfile
from pathlib import Path
from typing import IO, Any, NoReturn, cast

from edgeecg.devices.messages import (
    MARK,
    PROTOCOL,
    FailedError,
    Link,
    StoppedError,
    Store,
    as_error,
    failure,
    locked,
)

_READY = ".edgeecg-ready"
_POLL_S = 0.2
_INTERNET = ("No matching distribution", "connection", "resolution", "timed out", "Max retries")


def main() -> int:
    """Serve one measurement, and return the exit status."""
    try:
        store = Store()
    except OSError as error:
        return _refused(failure(error))
    link = Link(store)
    signal.signal(signal.SIGTERM, link.stop)
    signal.signal(signal.SIGHUP, link.stop)
    link.send(
        "hello",
        protocol=PROTOCOL,
        python=platform.python_version(),
        machine=platform.machine(),
        bits=64 if sys.maxsize > 2**32 else 32,
    )
    threading.Thread(target=link.follow, daemon=True).start()
    try:
        _serve(link, store)
    except StoppedError:
        return 0
    except FailedError as error:
        link.send("error", **as_error(error))
        return 1
    except OSError as error:
        link.send("error", **as_error(failure(error)))
        return 1
    finally:
        store.remove()


def _refused(error: FailedError) -> int:
    message = {"type": "error", **as_error(error)}
    os.write(1, MARK + json.dumps(message).encode() + b"\n")
    return 1


def _serve(link: Link, store: Store) -> NoReturn:
    setup = link.receive()
    program = store.root / f"program-{setup['program']}"
    environment = _Environment(link, store, setup)
    link.send("need", program=not program.is_dir(), wheels=environment.missing)
    link.receive()
    _unpack(store.work / "program.zip", program)
    python = environment.python()
    link.send("ready", python=python)
    while True:
        _measure(link, store, python, program, link.receive())


def _unpack(archive: Path, program: Path) -> None:
    """Put the program in its place, unless another measurement has done so."""
    if archive.is_file():
        beside = archive.with_name("program")
        with zipfile.ZipFile(archive) as opened:
            opened.extractall(beside)
        with contextlib.suppress(FileExistsError, OSError):
            beside.rename(program)
    os.utime(program)


class _Environment:
    """The Python environment that the program runs in."""

    def __init__(self, link: Link, store: Store, setup: dict[str, Any]) -> None:
        self._link, self._store = link, store
        self._private: bool = setup["private"]
        self._requirements: list[str] = setup["requirements"]
        self._wheels: list[str] = setup["wheels"]
        # A home folder may be shared by machines of several kinds.
        machine = [sys.version, os.path.realpath(sys.executable), platform.machine(), sys.maxsize]
        key = json.dumps([self._requirements, self._wheels, *machine])
        name = f"env-{hashlib.sha256(key.encode()).hexdigest()[:16]}"
        self._folder = store.root / name

    @property
    def missing(self) -> bool:
        """Whether the environment has to be made."""
        return self._private and not (self._folder / _READY).is_file()

    def python(self) -> str:
        """Return the path of its Python; make it first where it is missing.

        Raises:
            FailedError: It cannot be made.
        """
        if not self._private:
            return sys.executable
        handle = self._locked()
        try:
            if self.missing:
                shutil.rmtree(self._folder, ignore_errors=True)
                try:
                    self._make()
                except BaseException:
                    shutil.rmtree(self._folder, ignore_errors=True)
                    raise
            os.utime(self._folder)
        finally:
            os.close(handle)
        return str(self._folder / "bin" / "python")

    def _locked(self) -> int:
        """Wait until no other measurement makes the environment."""
        while True:
            try:
                return locked(self._folder.with_suffix(".lock"))
            except BlockingIOError:
                if self._link.stopped.wait(_POLL_S):
                    raise StoppedError from None

    def _make(self) -> None:
        self._link.send("progress", what="making a Python environment, once", done=0, total=2)
        command = [sys.executable, "-m", "venv", str(self._folder)]
        if sys.maxsize <= 2**32:
            # There are few wheels for 32 bits; the distribution's packages are used.
            command.append("--system-site-packages")
        if self._run(command):
            why = self._store.tail()
            raise self._full(why) or FailedError(
                "A Python environment cannot be made.",
                f"'python3 -m venv' failed: {why}.",
                "Install it there (on Debian and Raspberry Pi OS: sudo apt install python3-venv), "
                "or name a Python that has the packages with --python.",
            )
        self._link.send("progress", what="installing the requirements, once", done=1, total=2)
        if self._run(self._pip()):
            raise self._not_installed()
        (self._folder / _READY).touch()

    def _pip(self) -> list[str]:
        wanted = self._store.work / "requirements.txt"
        wanted.write_text("\n".join(self._requirements) + "\n", encoding="utf-8")
        found = [
            *(str(self._folder / "bin" / "python"), "-m", "pip", "install", "--quiet"),
            *("--disable-pip-version-check", "--no-input", "--prefer-binary"),
            *("--no-cache-dir", "--requirement", str(wanted)),
        ]
        if self._wheels:
            found += ["--no-index", "--find-links", str(self._store.work / "wheels")]
        return found

    def _run(self, command: list[str]) -> int:
        folder = self._store.work
        environment = {**os.environ, "TMPDIR": str(folder)}
        with (
            self._store.log.open("wb") as log,
            self._link.running(command, log, subprocess.STDOUT, environment, folder) as child,
        ):
            return child.wait()

    def _full(self, why: str) -> FailedError | None:
        if "No space left on device" not in why and "quota" not in why.lower():
            return None
        return FailedError(
            "The disk is full.",
            f"Making the environment in {self._folder} failed: {why}.",
            "Free some space there (about 300 MB are needed), and run the command again.",
        )

    def _not_installed(self) -> FailedError:
        why = self._store.tail()
        if (full := self._full(why)) is not None:
            return full
        if self._wheels:
            todo = "Add the wheels that are missing to the folder that --wheels names."
        elif any(sign in why for sign in _INTERNET):
            todo = (
                "Connect that machine to the internet, or download the wheels here and name their "
                "folder with --wheels."
            )
        else:
            todo = "Name a Python that has the packages with --python."
        return FailedError("The requirements of edgeecg cannot be installed.", f"pip: {why}.", todo)


def _measure(link: Link, store: Store, python: str, program: Path, run: dict[str, Any]) -> None:
    """Run the process that measures and pass its messages on."""
    job = store.work / "job.json"
    job.write_text(json.dumps(run["job"]), encoding="utf-8")
    environment = {
        **{name: value for name, value in os.environ.items() if name != "PYTHONHOME"},
        "PYTHONPATH": str(program),
        "TMPDIR": str(store.work),
    }
    answered = False
    command = [python, "-P", "-m", run["module"], str(job)]
    with (
        store.log.open("wb") as log,
        link.running(command, subprocess.PIPE, log, environment, store.work) as child,
    ):
        for line in cast("IO[bytes]", child.stdout):
            if line.startswith(MARK):
                link.relay(line)
                answered = json.loads(line[1:])["type"] in ("result", "error")
            if answered:
                break
        status = None if answered else child.wait()
    if status is not None:
        raise FailedError(*_ended(status, store.tail()))


def _ended(status: int, printed: str) -> tuple[str, str, str]:
    """Return the three sentences about a process that ended without a result."""
    if status >= 0:
        return (
            "The process that measures ended without a result.",
            f"Its exit status is {status}; it printed at last: {printed}.",
            "If it lacks a package, install it in the Python that --python names, or leave "
            "--python out.",
        )
    name = signal.Signals(-status).name
    cause = "it used up the memory" if name == "SIGKILL" else "a file or the runtime crashed it"
    return (
        f"The process that measures was ended by {name}.",
        f"Probably {cause}; it printed at last: {printed}.",
        "Measure one file at a time to find the one that does it.",
    )
