"""ONNX Runtime on the CPU."""

from __future__ import annotations

import importlib.util
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from edgeecg.costs.input_shapes import Shapes
from edgeecg.errors import ArtifactError, MissingDependencyError
from edgeecg.runtimes import Profile

FORMAT = "onnx"
SPIN_SWITCH = True

_DTYPES = {
    "tensor(float)": "float32",
    "tensor(double)": "float64",
    "tensor(float16)": "float16",
    "tensor(int8)": "int8",
    "tensor(uint8)": "uint8",
    "tensor(int32)": "int32",
    "tensor(int64)": "int64",
    "tensor(bool)": "bool",
}
_ERRORS_ONLY = 3


class ONNXSession:
    """A ``.onnx`` file, loaded; its tensors are bound, so that a run copies nothing."""

    def __init__(self, session: Any, path: Path, shapes: Shapes) -> None:
        """Bind every input, set to zeros, and every output.

        Args:
            session: An ``onnxruntime.InferenceSession``.
            path: The file, for error messages.
            shapes: Shapes of the inputs that have free axes.

        Raises:
            ArtifactError: An input is no tensor of numbers.
        """
        self._session = session
        self._binding = session.io_binding()
        self._values: list[Any] = []
        for place in session.get_inputs():
            if place.type not in _DTYPES:
                raise ArtifactError(
                    f"{path} cannot be run.",
                    f"Its input '{place.name}' has the type {place.type}.",
                    "Give a model whose inputs are tensors of numbers.",
                )
            fixed = [size if isinstance(size, int) else 1 for size in place.shape]
            shape = shapes.get(place.name, fixed)
            zeros = np.zeros(shape, _DTYPES[place.type])
            self._values.append(_library().OrtValue.ortvalue_from_numpy(zeros))
            self._binding.bind_ortvalue_input(place.name, self._values[-1])
        for place in session.get_outputs():
            self._binding.bind_output(place.name, "cpu")

    @property
    def input_shape(self) -> tuple[int, ...]:
        """Shape of the first input."""
        return tuple(self._values[0].shape())

    @property
    def dtype(self) -> str:
        """Element type of the first input."""
        return _DTYPES[self._session.get_inputs()[0].type]

    def run(self, x: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return the first output.

        Args:
            x: One input of shape ``input_shape``.
        """
        self._values[0].update_inplace(np.ascontiguousarray(x, dtype=self.dtype))
        self.invoke()
        outputs = cast("list[NDArray[np.generic]]", self._binding.copy_outputs_to_cpu())
        return outputs[0].astype(np.float32)

    def invoke(self) -> None:
        """Run once on the input that is already set."""
        self._session.run_with_iobinding(self._binding)

    def end_profiling(self) -> Path:
        """Stop the profiler, which the session was created with, and return its file."""
        return Path(self._session.end_profiling())

    def manifest_json(self) -> str | None:
        """Return the embedded manifest, or None."""
        from edgeecg.schema import MANIFEST_KEY

        metadata = cast("dict[str, str]", self._session.get_modelmeta().custom_metadata_map)
        return metadata.get(MANIFEST_KEY)


def load(
    path: Path, threads: int = 1, spin: bool | None = None, shapes: Shapes | None = None
) -> ONNXSession:
    """Load a ``.onnx`` file.

    Args:
        path: The file.
        threads: Number of threads within one operation.
        spin: Whether idle worker threads spin; None means the default (they do).
        shapes: Shapes of the inputs that have free axes; a free axis has length 1 otherwise.

    Raises:
        ArtifactError: The runtime does not accept the file.
        MissingDependencyError: ONNX Runtime is not installed.
    """
    options = _options(threads)
    if spin is not None:
        options.add_session_config_entry("session.intra_op.allow_spinning", "1" if spin else "0")
    return _opened(path, options, shapes)


def profile(
    path: Path,
    x: NDArray[np.float32],
    threads: int,
    runs: int,
    shapes: Shapes | None = None,
) -> Profile:
    """Time the operations of a file with ONNX Runtime's profiler.

    Args:
        path: The file.
        x: The input, of the file's input shape.
        threads: Number of threads.
        runs: Number of runs to profile.
        shapes: Shapes of the inputs that have free axes.

    Raises:
        ArtifactError: The runtime does not accept the file.
        MissingDependencyError: ONNX Runtime is not installed.
    """
    from edgeecg.runtimes import _onnx_profile

    with tempfile.TemporaryDirectory(prefix="edgeecg-") as folder:
        options = _options(threads)
        options.enable_profiling = True
        options.profile_file_prefix = str(Path(folder) / "profile")
        session = _opened(path, options, shapes)
        session.run(x)
        for _ in range(runs):
            session.invoke()
        written = session.end_profiling()
        found = _onnx_profile.operations(written)
        whole_s = _onnx_profile.whole_s(written)
    if not found:
        return Profile((), "The file has no operations.")
    return Profile(found, None, "ONNX Runtime profiler", whole_s)


def _options(threads: int) -> Any:
    options = _library().SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = _ERRORS_ONLY
    return options


def _opened(path: Path, options: Any, shapes: Shapes | None) -> ONNXSession:
    try:
        session = _library().InferenceSession(
            str(path), options, providers=["CPUExecutionProvider"]
        )
        return ONNXSession(session, path, shapes or {})
    except (*_refusals(), RuntimeError, ValueError, TypeError) as error:
        raise ArtifactError(
            f"{path} cannot be run.",
            f"ONNX Runtime reports: {' '.join(str(error).split())[:300]}",
            "It is corrupt, or has operations this runtime lacks; export or copy it again.",
        ) from error


def _refusals() -> tuple[type[Exception], ...]:
    """Return the exceptions of the native library, which have no common base class."""
    native = importlib.import_module("onnxruntime.capi.onnxruntime_pybind11_state")
    names = ["Fail", "InvalidArgument", "InvalidGraph", "InvalidProtobuf", "NotImplemented"]
    names += ["RuntimeException", "NoSuchFile", "EPFail"]
    return tuple(getattr(native, name) for name in names)


def version() -> str:
    """Load the library and return its name and version.

    Raises:
        MissingDependencyError: ONNX Runtime is not installed.
    """
    return f"onnxruntime {_library().__version__}"


def _library() -> Any:
    try:
        return importlib.import_module("onnxruntime")
    except ModuleNotFoundError as error:
        if error.name != "onnxruntime":
            raise
        raise MissingDependencyError("onnxruntime", "device", "running a .onnx file") from error


def empty_graph() -> bytes | None:
    """Return a file of one Identity on one number."""
    from edgeecg.runtimes import _onnx_graphs

    return _onnx_graphs.empty()


def peak_graph(dtype: str) -> tuple[bytes, int] | None:
    """Return a file of one large float32 matrix product and its MACs; None for other types.

    Args:
        dtype: Type of the multiplications.
    """
    if dtype != "float32":
        return None
    from edgeecg.runtimes import _onnx_graphs

    return _onnx_graphs.matrix_product()


def ladder() -> Iterator[tuple[str, bytes]]:
    """Yield small files of increasing size with their names, for a calibration.

    Raises:
        MissingDependencyError: The package onnx, which counts their operations, is not installed.
    """
    if importlib.util.find_spec("onnx") is None:
        raise MissingDependencyError("onnx", "export", "a calibration of ONNX Runtime")
    from edgeecg.runtimes import _onnx_graphs

    yield from _onnx_graphs.ladder()
