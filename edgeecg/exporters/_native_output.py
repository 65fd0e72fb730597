"""Keeps the output of converters off the terminal, and available for ``--debug``."""

from __future__ import annotations

import contextlib
import os
import signal
import tempfile
import threading
import warnings
from collections.abc import Generator
from types import FrameType

from wurlitzer import Wurlitzer

_NOTE_BYTES = 4000


@contextlib.contextmanager
def quiet() -> Generator[None]:
    """Hide standard output, standard error and warnings of the block.

    Meant for calls into a converter or a runtime: litert-torch prints its stages, its C++ parts
    write to the file descriptors directly, and torch warns about its own internals. None of this is
    about the user's model; the written file is verified instead. When the block raises, the end of
    the output is added to the exception as a note, so that a traceback shows it. Ctrl-C always ends
    the block, even where a library catches every exception.
    """
    with _interruptible(), tempfile.TemporaryFile() as log, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            with Wurlitzer(stdout=log, stderr=log):
                yield
        except Exception as error:
            error.add_note(_tail(log.fileno()))
            raise


@contextlib.contextmanager
def _interruptible() -> Generator[None]:
    """Raise KeyboardInterrupt at the end of the block if one was raised inside and suppressed."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    pressed = threading.Event()
    previous = signal.getsignal(signal.SIGINT)

    def on_interrupt(number: int, frame: FrameType | None) -> None:
        pressed.set()
        if callable(previous):
            previous(number, frame)

    signal.signal(signal.SIGINT, on_interrupt)
    try:
        yield
    except Exception as error:
        if pressed.is_set():
            raise KeyboardInterrupt from error
        raise
    finally:
        signal.signal(signal.SIGINT, previous)
    if pressed.is_set():
        raise KeyboardInterrupt


def _tail(handle: int) -> str:
    start = max(0, os.fstat(handle).st_size - _NOTE_BYTES)
    return os.pread(handle, _NOTE_BYTES, start).decode("utf-8", errors="replace")
