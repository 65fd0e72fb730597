"""A program ``ssh`` for the tests: every host is this machine, with a home folder for tests.

It passes bytes on as ssh does, so that its end is the end of the connection. What a host does
before the command runs, or in its place, is a shell script of the host's name.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from pathlib import Path

import psutil
import pytest

_PROGRAM = """#!{python} -IS
import json, os, pathlib, subprocess, sys, threading
arguments = sys.argv[1:]
dash = arguments.index("--")
host, command = arguments[dash + 1], " ".join(arguments[dash + 2:])
root = pathlib.Path({root!r})
with (root / "log").open("a") as log:
    log.write(json.dumps([os.getpid(), *arguments]) + "\\n")
script = root / "hosts" / host
begin = script.read_text() if script.is_file() else ""
home = root / "home"
child = subprocess.Popen(
    ["/bin/sh", "-c", begin + "\\nexec /bin/sh -c \\"$0\\"", command],
    stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=home, start_new_session=True,
    env={{"HOME": str(home), "PATH": os.environ["PATH"]}},
)
def copy(source, target):
    while data := os.read(source, 65536):
        try:
            while data:
                data = data[os.write(target, data):]
        except OSError:
            break
    os.close(target)
threading.Thread(target=copy, args=(0, child.stdin.fileno()), daemon=True).start()
copy(child.stdout.fileno(), 1)
os._exit(child.wait())
"""


class FakeSsh:
    """The fake program, and what it leaves behind."""

    def __init__(self, root: Path) -> None:
        """Install it.

        Args:
            root: A folder for everything.
        """
        self.root = root
        self.home = root / "home"
        self.cache = self.home / ".cache" / "edgeecg"
        for folder in (root / "bin", root / "hosts", self.home):
            folder.mkdir(parents=True)
        program = root / "bin" / "ssh"
        program.write_text(_PROGRAM.format(python=sys.executable, root=str(root)))
        program.chmod(0o755)

    def host(self, name: str, script: str) -> None:
        """Let a host run a script before the command; one that exits is all that happens."""
        (self.root / "hosts" / name).write_text(script)

    def environment(self, name: str, python: str, venv: str = "") -> None:
        """Let environments on a host be made at once, with a shell script as their Python.

        Args:
            name: The host.
            python: What follows when it is not asked to run pip, which does nothing.
            venv: Python code that runs in the place of making an environment.
        """
        folder = self.root / f"modules-{name}" / "venv"
        folder.mkdir(parents=True)
        pip = (
            'if [ "$2" = pip ]; then echo "$@" >> "$HOME/pip"; cat "${10}" >> "$HOME/pip"; exit; fi'
        )
        script = f"#!/bin/sh\n{pip}\n{python}\n"
        made = (
            "import pathlib, sys\n"
            "path = pathlib.Path(sys.argv[1]) / 'bin' / 'python'\n"
            f"path.parent.mkdir(parents=True)\npath.write_text({script!r})\npath.chmod(0o755)\n"
        )
        (folder / "__init__.py").touch()
        (folder / "__main__.py").write_text(venv or made)
        self.host(name, f"export PYTHONPATH='{folder.parent}'")

    def calls(self) -> list[list[str]]:
        """Return the arguments of every call, after the number of its process."""
        log = self.root / "log"
        return [json.loads(line) for line in log.read_text().splitlines()] if log.exists() else []

    def kill(self) -> None:
        """End the connection as a lost network does."""
        os.kill(int(self.calls()[-1][0]), signal.SIGKILL)

    def running(self) -> list[psutil.Process]:
        """Return the processes of the host that are still there."""
        home = str(self.home)
        return [p for p in psutil.process_iter() if _home_of(p) == home]

    def commands(self) -> list[str]:
        """Return what runs on the host."""
        return [" ".join(_words_of(process)) for process in self.running()]

    def left(self, seconds: float = 15.0) -> list[str]:
        """Return the processes and working files that are left when the host has had some time."""
        end = time.monotonic() + seconds
        while (found := self._left()) and time.monotonic() < end:
            time.sleep(0.1)
        return found

    def _left(self) -> list[str]:
        files = [path.name for path in self.cache.glob("work-*")]
        return files + self.commands()


def _home_of(process: psutil.Process) -> str | None:
    try:
        return process.environ().get("HOME")
    except (psutil.Error, OSError):
        return None


def _words_of(process: psutil.Process) -> list[str]:
    try:
        return process.cmdline()
    except (psutil.Error, OSError):
        return []


def install(monkeypatch: pytest.MonkeyPatch, root: Path) -> FakeSsh:
    """Make the fake program the one that is found, and return it."""
    fake = FakeSsh(root)
    monkeypatch.setenv("PATH", f"{root / 'bin'}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.delenv("EDGEECG_SSH", raising=False)
    return fake
