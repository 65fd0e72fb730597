"""LiteRT's profiler, through the C library of the package ai-edge-litert.

``python -m edgeecg.runtimes._litert_profiler FILE INPUT.npy THREADS RUNS`` runs a file with the
profiler on and prints its events as JSON. It is a process of its own, because a library of another
version may have other structures, and would then crash it. The functions and structures are those
of ``litert/c/*.h``.
"""

from __future__ import annotations

import ctypes
import importlib.util
import json
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

NODE = "node"
"""The kind of an event that belongs to a node of the file."""

DELEGATE = "delegate"
"""The kind of an event that a delegate such as XNNPACK reports of its own operations."""

WHOLE = "whole"
"""The kind of the event that covers the whole graph."""

_KINDS = {2: NODE, 8: DELEGATE}
_GENERAL = 1
_INVOKE = "Invoke"
_CPU = 1
_WRITE = 1
_TIMEOUT_S = 120
_WARMUP_RUNS = 20
# LiteRtRankedTensorType is shorter in all versions.
_TENSOR_TYPE_BYTES = 512
_LONGEST_US = 60_000_000
_OPTIONS = (("xnnpack", "num_threads = {threads}\n"), ("runtime_options_string", "{profiling}\n"))


@dataclass(frozen=True)
class Event:
    """The time of one operation.

    Attributes:
        kind: :data:`NODE`, :data:`DELEGATE` or :data:`WHOLE`.
        name: What the library calls it.
        index: Index of the node in the file, for the kind :data:`NODE`.
        microseconds: Its time in every run, rounded down to whole microseconds.
    """

    kind: str
    name: str
    index: int
    microseconds: tuple[int, ...]


class ProfilerError(Exception):
    """The profiler cannot be used here; the message says why."""


def events(path: Path, x: NDArray[np.generic], threads: int, runs: int) -> tuple[Event, ...]:
    """Profile a file in a separate process.

    Args:
        path: A ``.tflite`` file.
        x: Its first input, in the type of the file; other inputs are zeros.
        threads: Number of threads.
        runs: Number of runs.

    Returns:
        The events in the order of execution.

    Raises:
        ProfilerError: The library is missing or of another version, or does not run the file.
    """
    if _library_path() is None:
        raise ProfilerError("The C library of ai-edge-litert is not installed")
    with tempfile.TemporaryDirectory(prefix="edgeecg-") as folder:
        given = Path(folder) / "input.npy"
        np.save(given, np.ascontiguousarray(x))
        command = [sys.executable, "-m", __name__, str(path), str(given), str(threads), str(runs)]
        try:
            done = subprocess.run(command, capture_output=True, timeout=_TIMEOUT_S, check=False)
        except subprocess.TimeoutExpired as error:
            raise ProfilerError(f"LiteRT's profiler took more than {_TIMEOUT_S} s") from error
    try:
        # The library writes to the same streams, and in versions that do not fit also garbage.
        answer = json.loads(done.stdout.strip().rpartition(b"\n")[2])
        if "error" in answer:
            raise ProfilerError(str(answer["error"]))
        return tuple(
            Event(kind, name, index, tuple(times)) for kind, name, index, times in answer["events"]
        )
    except (ValueError, KeyError, TypeError) as error:
        raise ProfilerError(
            f"LiteRT's profiler gave no answer (exit status {done.returncode})"
        ) from error


class _Memory(ctypes.Structure):
    """``LiteRtMemoryUsage``."""

    _fields_ = (
        ("total", ctypes.c_size_t),
        ("in_use", ctypes.c_size_t),
        ("private", ctypes.c_size_t),
    )


class _EventData(ctypes.Structure):
    """``ProfiledEventData``."""

    _fields_ = (
        ("tag", ctypes.c_char_p),
        ("event_type", ctypes.c_int),
        ("start_us", ctypes.c_uint64),
        ("elapsed_us", ctypes.c_uint64),
        ("begin_memory", _Memory),
        ("end_memory", _Memory),
        ("metadata1", ctypes.c_uint64),
        ("metadata2", ctypes.c_uint64),
        ("source", ctypes.c_int),
    )


class _Library:
    """Calls functions of the C library, and checks the status that each returns."""

    def __init__(self, path: Path) -> None:
        self._library = ctypes.CDLL(str(path))

    def call(self, name: str, *arguments: Any) -> None:
        """Call a function.

        Raises:
            ProfilerError: The library lacks the function, or it failed.
        """
        function = getattr(self._library, name, None)
        if function is None:
            raise ProfilerError(f"This version of LiteRT has no {name}")
        function.restype = ctypes.c_int
        status = function(*arguments)
        if status != 0:
            raise ProfilerError(f"{name} failed with status {status}")

    def made(self, name: str, *arguments: Any) -> ctypes.c_void_p:
        """Call a function whose last argument receives a handle, and return the handle."""
        handle = ctypes.c_void_p()
        self.call(name, *arguments, ctypes.byref(handle))
        return handle

    def number(self, name: str, *arguments: Any) -> int:
        """Call a function whose last argument receives a size, and return it."""
        found = ctypes.c_size_t()
        self.call(name, *arguments, ctypes.byref(found))
        return found.value


class _Model:
    """A compiled model with its buffers. Nothing is released: the process ends after the runs."""

    def __init__(self, library: _Library, path: Path, threads: int) -> None:
        self._library = library
        self._environment = library.made("LiteRtCreateEnvironment", 0, None)
        model = library.made("LiteRtCreateModelFromFile", self._environment, str(path).encode())
        self._compiled = library.made(
            "LiteRtCreateCompiledModel", self._environment, model, self._options(threads)
        )
        graph = library.made("LiteRtGetModelSubgraph", model, ctypes.c_size_t(0))
        self._inputs = self._buffers("Input", graph)
        self._outputs = self._buffers("Output", graph)

    def _options(self, threads: int) -> ctypes.c_void_p:
        options = self._library.made("LiteRtCreateOptions")
        self._library.call("LiteRtSetOptionsHardwareAccelerators", options, _CPU)
        self._keep: list[Any] = [ctypes.CFUNCTYPE(None, ctypes.c_void_p)(_release_nothing)]
        for name, template in _OPTIONS:
            text = template.format(threads=threads, profiling="enable_profiling = true")
            self._keep.append(ctypes.create_string_buffer(text.encode()))
            made = self._library.made(
                "LiteRtCreateOpaqueOptions", name.encode(), self._keep[-1], self._keep[0]
            )
            self._library.call("LiteRtAddOpaqueOptions", options, made)
        return options

    def _buffers(self, kind: str, graph: ctypes.c_void_p) -> Any:
        library, zero = self._library, ctypes.c_size_t(0)
        made: list[ctypes.c_void_p] = []
        for place in range(library.number(f"LiteRtGetNumSubgraph{kind}s", graph)):
            index = ctypes.c_size_t(place)
            tensor = library.made(f"LiteRtGetSubgraph{kind}", graph, index)
            shape = ctypes.create_string_buffer(_TENSOR_TYPE_BYTES)
            library.call("LiteRtGetRankedTensorType", tensor, shape)
            needed = library.made(
                f"LiteRtGetCompiledModel{kind}BufferRequirements", self._compiled, zero, index
            )
            made.append(
                library.made(
                    "LiteRtCreateManagedTensorBufferFromRequirements",
                    self._environment,
                    shape,
                    needed,
                )
            )
            if kind == "Input":
                self._write(made[-1], b"")
        return (ctypes.c_void_p * len(made))(*made)

    def _write(self, buffer: ctypes.c_void_p, content: bytes) -> None:
        size = self._library.number("LiteRtGetTensorBufferPackedSize", buffer)
        if content and len(content) != size:
            raise ProfilerError(f"The first input has {size} bytes and {len(content)} were given")
        place = ctypes.c_void_p()
        self._library.call("LiteRtLockTensorBuffer", buffer, ctypes.byref(place), _WRITE)
        ctypes.memmove(place, content or bytes(size), size)
        self._library.call("LiteRtUnlockTensorBuffer", buffer)

    def set_first_input(self, content: bytes) -> None:
        """Set the first input."""
        self._write(ctypes.c_void_p(self._inputs[0]), content)

    def run(self) -> None:
        """Run once."""
        self._library.call(
            "LiteRtRunCompiledModel",
            self._compiled,
            ctypes.c_size_t(0),
            ctypes.c_size_t(len(self._inputs)),
            self._inputs,
            ctypes.c_size_t(len(self._outputs)),
            self._outputs,
        )

    def profiled_run(self) -> list[tuple[str, str, int, int]]:
        """Run once with the profiler; return kind, name, index and microseconds of its events."""
        library = self._library
        profiler = library.made("LiteRtCompiledModelGetProfiler", self._compiled)
        library.call("LiteRtResetProfiler", profiler)
        library.call("LiteRtStartProfiler", profiler)
        self.run()
        library.call("LiteRtStopProfiler", profiler)
        count = ctypes.c_int()
        library.call("LiteRtGetNumProfilerEvents", profiler, ctypes.byref(count))
        if count.value <= 0:
            return []
        data = (_EventData * count.value)()
        library.call("LiteRtGetProfilerEvents", profiler, count, data)
        return [found for each in data if (found := _event(each)) is not None]


def _event(data: _EventData) -> tuple[str, str, int, int] | None:
    """Return kind, name, index and microseconds of an event, or None for one of no interest."""
    name = (data.tag or b"").decode("utf-8", errors="replace")
    kind = _KINDS.get(data.event_type)
    if data.event_type == _GENERAL and name == _INVOKE:
        kind = WHOLE
    if kind is None:
        return None
    if data.elapsed_us > _LONGEST_US:
        raise ProfilerError(f"The profiler reports {data.elapsed_us} microseconds for '{name}'")
    return kind, name, int(data.metadata1) if kind == NODE else 0, int(data.elapsed_us)


def _release_nothing(data: int) -> None:
    """Keep the text of an option: Python owns it."""


def _library_path() -> Path | None:
    found = importlib.util.find_spec("ai_edge_litert")
    for folder in (found.submodule_search_locations or []) if found else []:
        for path in sorted(Path(folder).glob("libLiteRt.*")):
            return path
    return None


def _profiled(path: Path, x: NDArray[np.generic], threads: int, runs: int) -> list[list[Any]]:
    """Return the events of a file as JSON holds them: kind, name, index and times."""
    library = _library_path()
    if library is None:
        raise ProfilerError("The C library of ai-edge-litert is not installed")
    model = _Model(_Library(library), path, threads)
    model.set_first_input(x.tobytes())
    for _ in range(_WARMUP_RUNS):
        model.run()
    found = [model.profiled_run() for _ in range(runs)]
    keys = [each[:3] for each in found[0]]
    if any([each[:3] for each in run] != keys for run in found):
        raise ProfilerError("The profiler reports other operations from run to run")
    return [[*key, [run[place][3] for run in found]] for place, key in enumerate(keys)]


def main(arguments: Sequence[str]) -> int:
    """Profile a file, print its events as JSON, and return the exit status.

    Args:
        arguments: The file, its input, the number of threads and the number of runs.
    """
    path, given, threads, runs = arguments
    try:
        x = cast("NDArray[np.generic]", np.load(given))
        print(json.dumps({"events": _profiled(Path(path), x, int(threads), int(runs))}))
    except (ProfilerError, OSError) as error:
        print(json.dumps({"error": str(error)}))
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
