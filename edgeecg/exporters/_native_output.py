"""What converters print stays off the user's terminal, and is kept for ``--debug``."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import tempfile
import threading
import warnings
from collections.abc import Generator
from types import FrameType

_NOTE_BYTES = 4000


@contextlib.contextmanager
def quiet() -> Generator[None]:
    """Send standard output, standard error and warnings of the block to nowhere.

    Meant for calls into a converter or a runtime alone: litert-torch prints its stages, its C++
    parts log past Python straight to the terminal, torch warns about its own internals. None of it
    is about the user's model; whether the file is right is checked on the file. When the block
    raises, the last of what was printed is added to the exception as a note, so that a traceback
    shows it. Ctrl-C always ends the block, also where a library catches everything.
    """
    with _interruptible(), tempfile.TemporaryFile() as log, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        sys.stdout.flush()
        sys.stderr.flush()
        # The streams of the process and not sys.stdout: the C++ parts know only these.
        kept = [(number, os.dup(number)) for number in (1, 2)]
        try:
            for number, _ in kept:
                os.dup2(log.fileno(), number)
            yield
        except Exception as error:
            error.add_note(_tail(log.fileno()))
            raise
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            for number, copy in kept:
                os.dup2(copy, number)
                os.close(copy)


@contextlib.contextmanager
def _interruptible() -> Generator[None]:
    """Raise KeyboardInterrupt at the block's end when one was raised inside and got lost."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    pressed = threading.Event()
    usual = signal.getsignal(signal.SIGINT)

    def press(number: int, frame: FrameType | None) -> None:
        pressed.set()
        if callable(usual):
            usual(number, frame)

    signal.signal(signal.SIGINT, press)
    try:
        yield
    except Exception as error:
        if pressed.is_set():
            raise KeyboardInterrupt from error
        raise
    finally:
        signal.signal(signal.SIGINT, usual)
    if pressed.is_set():
        raise KeyboardInterrupt


def _tail(handle: int) -> str:
    start = max(0, os.fstat(handle).st_size - _NOTE_BYTES)
    return os.pread(handle, _NOTE_BYTES, start).decode("utf-8", errors="replace")
