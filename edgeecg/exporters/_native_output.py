"""Keeps the output of converters off the terminal, and available for ``--debug``."""

from __future__ import annotations

import contextlib
import importlib
import io
import logging
import os
import sys
import tempfile
import warnings
from collections.abc import Generator
from typing import Any

from wurlitzer import Wurlitzer

from edgeecg.interrupts import interruptible

_NOTE_BYTES = 4000


@contextlib.contextmanager
def quiet() -> Generator[None]:
    """Hide standard output, standard error and warnings of the block, in a notebook displays, too.

    Meant for calls into a converter or a runtime: litert-torch prints its stages, its C++ parts
    write to the file descriptors directly, and torch warns about its own internals. None of this is
    about the user's model; the written file is verified instead. When the block raises, the end of
    the output is added to the exception as a note, so that a traceback shows it. Ctrl-C always ends
    the block, even where a library catches every exception.
    """
    with (
        interruptible(),
        tempfile.TemporaryFile() as log,
        _python_output() as printed,
        warnings.catch_warnings(),
    ):
        warnings.simplefilter("ignore")
        try:
            with Wurlitzer(stdout=log, stderr=log):
                yield
        except Exception as error:
            error.add_note(printed.getvalue()[-_NOTE_BYTES:] + _tail(log.fileno()))
            raise


@contextlib.contextmanager
def _python_output() -> Generator[io.StringIO]:
    """Collect what Python code prints.

    In a notebook it does not go through the file descriptors: IPython replaces ``sys.stdout`` and
    ``sys.stderr``, and rich, which litert-torch prints with, displays HTML instead. Loggers that
    exist already keep what ``sys.stderr`` was, so that their warnings are switched off.
    """
    printed = io.StringIO()
    with contextlib.ExitStack() as stack:
        ipython: Any = sys.modules.get("IPython")
        if ipython is not None and ipython.get_ipython() is not None:
            capture: Any = importlib.import_module("IPython.utils.capture")
            stack.enter_context(capture.capture_output())
            stack.callback(logging.disable, logging.root.manager.disable)
            logging.disable(logging.WARNING)
        stack.enter_context(contextlib.redirect_stdout(printed))
        stack.enter_context(contextlib.redirect_stderr(printed))
        yield printed


def _tail(handle: int) -> str:
    start = max(0, os.fstat(handle).st_size - _NOTE_BYTES)
    return os.pread(handle, _NOTE_BYTES, start).decode("utf-8", errors="replace")
