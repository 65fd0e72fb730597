"""LiteRT, or its predecessor tflite-runtime, which 32-bit Raspberry Pi OS needs."""

from __future__ import annotations

import contextlib
import importlib
import importlib.metadata
import os
import sys
import tempfile
from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from typing import Any, Protocol, cast

import numpy as np
from numpy.typing import NDArray

from edgeecg.costs import tflite_file
from edgeecg.costs.input_shapes import Shapes
from edgeecg.errors import ArtifactError, MissingDependencyError
from edgeecg.runtimes import Profile

FORMAT = "tflite"
SPIN_SWITCH = False

_PACKAGES = (
    ("ai_edge_litert.interpreter", "ai-edge-litert", "litert"),
    ("tflite_runtime.interpreter", "tflite-runtime", "tflite-runtime"),
)


class _Interpreter(Protocol):
    """The methods of both packages' interpreters that are used here."""

    def allocate_tensors(self) -> None: ...
    def get_input_details(self) -> list[dict[str, Any]]: ...
    def resize_tensor_input(self, input_index: int, tensor_size: list[int]) -> None: ...
    def get_output_details(self) -> list[dict[str, Any]]: ...
    def set_tensor(self, tensor_index: int, value: NDArray[np.generic]) -> None: ...
    def get_tensor(self, tensor_index: int) -> NDArray[np.generic]: ...
    def invoke(self) -> None: ...
    def reset_all_variables(self) -> None: ...


class _InterpreterClass(Protocol):
    def __call__(self, *, model_path: str, num_threads: int) -> _Interpreter: ...


class LiteRTSession:
    """A ``.tflite`` file, loaded into an interpreter."""

    def __init__(self, path: Path, interpreter: _Interpreter) -> None:
        """Set every input to zeros.

        Args:
            path: The file.
            interpreter: An interpreter of the file, with allocated tensors.
        """
        self._path = path
        self._interpreter = interpreter
        self._input = interpreter.get_input_details()[0]
        self._output = interpreter.get_output_details()[0]
        for detail in interpreter.get_input_details():
            interpreter.set_tensor(detail["index"], np.zeros(detail["shape"], detail["dtype"]))

    @property
    def input_shape(self) -> tuple[int, ...]:
        """Shape of the first input."""
        return tuple(int(size) for size in self._input["shape"])

    @property
    def dtype(self) -> str:
        """Element type of the first input."""
        return np.dtype(self._input["dtype"]).name

    def run(self, x: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return the first output; inputs and outputs of a quantised file are converted.

        The state of recurrent layers is reset first, so that windows do not affect one another.

        Args:
            x: One input of shape ``input_shape``.
        """
        self._interpreter.reset_all_variables()
        self._interpreter.set_tensor(self._input["index"], _quantised(x, self._input))
        self._interpreter.invoke()
        output = self._interpreter.get_tensor(self._output["index"])
        scale, zero_point = self._output["quantization"]
        if scale:
            return ((output.astype(np.float32) - zero_point) * scale).astype(np.float32)
        return output.astype(np.float32)

    def invoke(self) -> None:
        """Run once on the input that is already set."""
        self._interpreter.invoke()

    def manifest_json(self) -> str | None:
        """Return the embedded manifest, or None."""
        from edgeecg.schema import MANIFEST_KEY

        return tflite_file.metadata(self._path, MANIFEST_KEY)


def load(
    path: Path, threads: int = 1, spin: bool | None = None, shapes: Shapes | None = None
) -> LiteRTSession:
    """Load a ``.tflite`` file.

    Args:
        path: The file.
        threads: Number of threads.
        spin: Has no effect.
        shapes: Shapes of the inputs that have free axes; a free axis has length 1 otherwise.

    Raises:
        ArtifactError: The interpreter does not accept the file.
        MissingDependencyError: Neither LiteRT nor tflite-runtime is installed.
    """
    del spin
    return LiteRTSession(path, _interpreter(path, threads, shapes))


def _interpreter(path: Path, threads: int, shapes: Shapes | None = None) -> _Interpreter:
    """Return an interpreter of a file, with allocated tensors.

    Raises:
        ArtifactError: The interpreter does not accept the file.
        MissingDependencyError: Neither LiteRT nor tflite-runtime is installed.
    """
    module, _ = _installed()
    interpreter_class = cast(_InterpreterClass, importlib.import_module(module).Interpreter)
    with _captured_stderr() as captured:
        try:
            interpreter = interpreter_class(model_path=str(path), num_threads=threads)
            for detail in interpreter.get_input_details():
                shape = (shapes or {}).get(detail["name"])
                if shape is not None and list(shape) != list(detail["shape"]):
                    interpreter.resize_tensor_input(detail["index"], list(shape))
            interpreter.allocate_tensors()
            return interpreter
        except (ValueError, RuntimeError, TypeError, KeyError, IndexError) as error:
            cause = " ".join(f"{error} {captured()}".split())[:300]
    raise ArtifactError(
        f"{path} cannot be run.",
        f"LiteRT reports: {cause}",
        "It is corrupt, or has operations this runtime lacks; export or copy it again.",
    )


def profile(
    path: Path,
    x: NDArray[np.float32],
    threads: int,
    runs: int,
    shapes: Shapes | None = None,
) -> Profile:
    """Time the operations of a file with LiteRT's profiler, or else each as a file of its own.

    Args:
        path: The file.
        x: The input, of the file's input shape.
        threads: Number of threads.
        runs: Number of runs to profile.
        shapes: Shapes of the inputs that have free axes.

    Returns:
        The profile; empty, with the reason, with tflite-runtime, which has neither a profiler nor
        the schema of the format, and for free axes, which the operations alone do not have.

    Raises:
        ArtifactError: The runtime does not accept the file.
        MissingDependencyError: Neither LiteRT nor tflite-runtime is installed.
    """
    if _installed()[1] != "litert":
        return Profile(
            (), "tflite-runtime has no profiler. Measure on a machine with ai-edge-litert."
        )
    if any((shapes or {}).get(t.name, t.shape) != t.shape for t in tflite_file.read(path).inputs):
        return Profile((), "The operations of a file with free axes cannot be timed.")
    from edgeecg.runtimes import _litert_layers
    from edgeecg.runtimes._litert_profiler import ProfilerError

    given = _quantised(x, _interpreter(path, threads).get_input_details()[0])
    try:
        return _litert_layers.with_profiler(path, given, threads, runs)
    except ProfilerError as error:
        found = _litert_layers.one_by_one(path, lambda file: _ready(file, threads), runs)
        if found.operations:
            return found
        return Profile((), f"{error}. {found.reason}")


def _ready(path: Path, threads: int) -> Callable[[], None]:
    """Load a file, set its inputs to noise, integers other than int8 to zeros."""
    interpreter = _interpreter(path, threads)
    noise = np.random.default_rng(0)
    for detail in interpreter.get_input_details():
        shape, dtype = tuple(detail["shape"]), np.dtype(detail["dtype"])
        values = noise.standard_normal(shape) if dtype.kind == "f" else np.zeros(shape)
        if dtype.itemsize == 1 and dtype.kind in "iu":
            limits = np.iinfo(dtype)
            values = noise.integers(limits.min, limits.max, shape, endpoint=True)
        interpreter.set_tensor(detail["index"], values.astype(dtype))
    return interpreter.invoke


def version() -> str:
    """Load the library and return its name and version.

    Raises:
        MissingDependencyError: Neither LiteRT nor tflite-runtime is installed.
    """
    module, name = _installed()
    package = next(package for known, package, _ in _PACKAGES if known == module)
    return f"{name} {importlib.metadata.version(package)}"


def empty_graph() -> bytes | None:
    """Return a file with no operations; None with tflite-runtime, which cannot build one."""
    if _installed()[1] != "litert":
        return None
    from edgeecg.runtimes import _tflite_graphs

    return _tflite_graphs.empty()


def peak_graph(dtype: str) -> tuple[bytes, int] | None:
    """Return a file of one large fully connected layer and its MACs; None with tflite-runtime.

    Args:
        dtype: ``"int8"``, or another type for float32.
    """
    if _installed()[1] != "litert":
        return None
    from edgeecg.runtimes import _tflite_graphs

    return _tflite_graphs.fully_connected(quantised=dtype == "int8")


def ladder() -> Iterator[tuple[str, bytes]]:
    """Yield small files of increasing size with their names, for a calibration.

    Raises:
        MissingDependencyError: LiteRT is not installed, and tflite-runtime cannot build files.
    """
    if _installed()[1] != "litert":
        raise MissingDependencyError("ai-edge-litert", "device", "a calibration")
    from edgeecg.runtimes import _tflite_graphs

    yield from _tflite_graphs.ladder()


def _installed() -> tuple[str, str]:
    for module, _, name in _PACKAGES:
        try:
            importlib.import_module(module)
        except ModuleNotFoundError as error:
            if error.name not in (module, module.partition(".")[0]):
                raise
            continue
        return module, name
    raise MissingDependencyError("ai-edge-litert", "device", "running a .tflite file")


def _quantised(x: NDArray[np.float32], detail: dict[str, Any]) -> NDArray[np.generic]:
    dtype = np.dtype(detail["dtype"])
    scale, zero_point = detail["quantization"]
    if not scale:
        return x.astype(dtype)
    limits = np.iinfo(dtype)
    return np.clip(np.round(x / scale) + zero_point, limits.min, limits.max).astype(dtype)


@contextlib.contextmanager
def _captured_stderr() -> Generator[Callable[[], str]]:
    """Capture what native code writes to file descriptor 2.

    The runtimes print the names of their delegates there and have no option to stop that.

    Yields:
        A function that returns the captured text.
    """
    sys.stderr.flush()
    kept = os.dup(2)
    with tempfile.TemporaryFile() as file:

        def captured() -> str:
            file.seek(0)
            return file.read().decode("utf-8", errors="replace")

        os.dup2(file.fileno(), 2)
        try:
            yield captured
        finally:
            os.dup2(kept, 2)
            os.close(kept)
