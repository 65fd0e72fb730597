"""Ctrl-C where libraries suppress exceptions: the KeyboardInterrupt is raised again.

Python raises it in whatever function runs at that moment. Where C or Rust code called that function
(a validator of pydantic, a generator that is being closed), the exception may be dropped or become
another one, and the program would go on.
"""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Callable, Generator
from types import FrameType


@contextlib.contextmanager
def interruptible() -> Generator[Callable[[], None]]:
    """Raise KeyboardInterrupt at the end of the block if Ctrl-C was pressed inside.

    Nothing changes in another thread than the main one, and where Ctrl-C raises no exception.

    Yields:
        A function for long blocks to call now and then: it raises KeyboardInterrupt if Ctrl-C was
        pressed since the block began.

    Raises:
        KeyboardInterrupt: Ctrl-C was pressed, whatever became of the exception in the block.
    """
    previous = signal.getsignal(signal.SIGINT)
    pressed = threading.Event()

    def check() -> None:
        if pressed.is_set():
            raise KeyboardInterrupt

    if threading.current_thread() is not threading.main_thread() or not callable(previous):
        yield check
        return

    def on_interrupt(number: int, frame: FrameType | None) -> None:
        pressed.set()
        previous(number, frame)

    signal.signal(signal.SIGINT, on_interrupt)
    try:
        yield check
    except Exception as error:
        if pressed.is_set():
            raise KeyboardInterrupt from error
        raise
    finally:
        signal.signal(signal.SIGINT, previous)
    check()
