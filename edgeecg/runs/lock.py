"""One process at a time works on a run folder."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Generator
from typing import TextIO

from edgeecg.errors import EdgeECGError
from edgeecg.files import refuse_dangling
from edgeecg.runs.folder import RunFolder


@contextlib.contextmanager
def locked(run: RunFolder) -> Generator[None]:
    """Hold the run folder's lock; the operating system releases it when the process ends.

    Raises:
        EdgeECGError: Another process holds it, or the folder is behind a link to nothing.
    """
    if os.name != "posix":
        yield
        return
    with _taken(run) as file:
        # The number only serves the message; a full disk is reported when something needs it.
        with contextlib.suppress(OSError):
            file.truncate(0)
            file.write(f"{os.getpid()}\n")
            file.flush()
        try:
            yield
        finally:
            run.lock.unlink(missing_ok=True)
            # A run that was refused before anything was written leaves no folder.
            with contextlib.suppress(OSError):
                run.path.rmdir()


def _taken(run: RunFolder) -> TextIO:
    """Return the lock file, open and locked.

    The process that held the lock removes the file, and perhaps the folder. So a file that was
    opened before that and locked after it holds no lock that anybody else sees.
    """
    import fcntl

    while True:
        try:
            run.path.mkdir(parents=True, exist_ok=True)
            file = run.lock.open("a+", encoding="utf-8")
        except FileNotFoundError:
            refuse_dangling(run.lock)
            continue
        except FileExistsError:
            refuse_dangling(run.path)
            # The folder was there, and was removed before pathlib looked whether it is one.
            if run.path.is_file():
                raise
            continue
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            with file:
                file.seek(0)
                holder = file.read().strip() or "unknown"
            raise EdgeECGError(
                f"The run '{run.name}' is being worked on.",
                f"Process {holder} holds its lock.",
                "Wait until that process has ended, or choose another --name.",
            ) from error
        with contextlib.suppress(FileNotFoundError):
            if os.path.samestat(os.fstat(file.fileno()), run.lock.stat()):
                return file
        file.close()
