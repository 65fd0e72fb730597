"""One process at a time works on a run folder."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Generator

from edgeecg.errors import EdgeECGError
from edgeecg.runs.folder import RunFolder


@contextlib.contextmanager
def locked(run: RunFolder) -> Generator[None]:
    """Hold the run folder's lock; the operating system releases it when the process ends.

    Raises:
        EdgeECGError: Another process holds it.
    """
    if os.name != "posix":
        yield
        return
    import fcntl

    run.path.mkdir(parents=True, exist_ok=True)
    with run.lock.open("a+", encoding="utf-8") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            file.seek(0)
            raise EdgeECGError(
                f"The run '{run.name}' is being worked on.",
                f"Process {file.read().strip() or 'unknown'} holds its lock.",
                "Wait until that process has ended, or choose another --name.",
            ) from error
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
