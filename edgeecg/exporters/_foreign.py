"""Quantises a float32 file of another program, with its own calibration windows."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from ai_edge_litert import schema_py_generated as schema
from ai_edge_litert.tools import flatbuffer_utils
from numpy.typing import NDArray
from torch import nn

from edgeecg import files
from edgeecg.benchmark import parity
from edgeecg.benchmark.file_process import FileProcess
from edgeecg.costs import number_types, onnx_file, tflite_file
from edgeecg.errors import ArtifactError, DataError, EdgeECGError, ExportError, UsageError
from edgeecg.evaluation.batches import run_in_batches
from edgeecg.exporters import _rejection, _speed, _verify, exporter
from edgeecg.exporters._foreign_windows import LabelledWindows
from edgeecg.exporters._limits import MissedLimitError, check_score, check_speed
from edgeecg.exporters._native_output import quiet
from edgeecg.runtimes import Session
from edgeecg.schema import (
    MANIFEST_KEY,
    ExportRecipe,
    Parity,
    QuantizedFile,
    Rejection,
    ScoreDrop,
)
from edgeecg.statistics.confusion import macro_f1

_WEIGHTS_ARE_NO_INPUTS = 4
"""From this IR version of ONNX on, weights need not be among the inputs."""
_REFERENCE = "the float32 file"
_SIGNATURE, _INPUT, _OUTPUT = "serving_default", "args_0", "output_0"


def quantize_file(
    path: Path, windows: LabelledWindows, recipe: ExportRecipe, output: Path
) -> QuantizedFile:
    """Quantise a float32 file, check it against the original, and write it.

    Windows of one half calibrate, those of the other are compared.

    Args:
        path: A ``.onnx`` or ``.tflite`` file with one float32 input, and one output that has a
            value for each class.
        windows: Inputs of the file, with their classes if these are known.
        recipe: A quantised target of the file's format; its limits hold with the given file in
            place of PyTorch. Without classes there is no limit of the score.
        output: The file to write.

    Returns:
        What was written. A file that misses a limit is not; ``OUTPUT.rejected`` says why.

    Raises:
        UsageError: The recipe is of another format, searched or not quantised.
        ArtifactError: The file is damaged, quantised already, or not of the kind above.
        DataError: The windows do not fit, or the file's outputs of them are not finite.
        MissedLimitError: The quantised file misses a limit.
        ExportError: The quantiser failed.
        EdgeECGError: The output cannot be written.
    """
    _check_recipe(path, recipe)
    # The packages of the converters print warnings while they are imported.
    exporter(recipe.format)
    converted = _read(path)
    reference = _verify.load(path)
    windows.check(path, reference.input_shape)
    calibration, compared = windows.halves(recipe.calibration_windows)
    content = _quantized(path, converted, recipe, calibration)
    with tempfile.TemporaryDirectory(prefix="edgeecg-") as folder:
        made = Path(folder) / output.name
        files.write_bytes(made, content)
        try:
            agreement, score = _compared(path, reference, made, compared, recipe)
            speed = _speed.compare(made, path, compared.x[:1])
            check_speed(output.name, recipe, speed)
        except MissedLimitError as error:
            missed = MissedLimitError(error.what, error.why, _way_on(recipe))
            _reject(output, recipe, missed)
            raise missed from None
    files.write_bytes(output, content)
    output.with_name(output.name + _rejection.SUFFIX).unlink(missing_ok=True)
    return QuantizedFile(
        file=str(output),
        source=str(path),
        source_sha256=files.sha256(path),
        target=recipe.name,
        sha256=sha256(content).hexdigest(),
        size_bytes=len(content),
        source_bytes=path.stat().st_size,
        calibration_windows=len(calibration),
        agreement=agreement,
        score=score,
        speed=speed,
    )


def _check_recipe(path: Path, recipe: ExportRecipe) -> None:
    why = None
    if path.suffix != f".{recipe.format}":
        why = f"The target is a .{recipe.format} file, and '{path.name}' is not."
    elif recipe.dtype == "float32":
        why = "The target is float32."
    elif recipe.search or recipe.format not in ("onnx", "tflite"):
        why = "The target needs a model of edgeecg."
    if why is not None:
        raise UsageError(
            f"{path} cannot be quantised to '{recipe.name}'.",
            why,
            "Choose another --target: tflite-int8 for a .tflite file, onnx-int8 for a .onnx file.",
        )


def _read(path: Path) -> Any:
    """Return the file as its exporter would have converted it.

    Raises:
        ArtifactError: It is damaged, quantised, exported by edgeecg, or has several inputs or
            outputs, or its runtime refuses it or crashes on it.
    """
    if path.suffix == ".tflite":
        graph, manifest = tflite_file.read(path), tflite_file.metadata(path, MANIFEST_KEY)
        types, inputs = number_types.of_tflite(graph), [each.type for each in graph.inputs]
        single, outputs = inputs == ["FLOAT32"], len(graph.outputs)
    else:
        found = onnx_file.read(path)
        # A file must not read others outside of its folder.
        onnx_file.data_files(path, found)
        manifest = onnx_file.metadata(path, MANIFEST_KEY)
        types = number_types.of_onnx(found)
        single, outputs = len(found.inputs) == 1, len(found.outputs)
    if manifest is not None:
        why = "edgeecg exported it from a model."
    elif types.weights != "float32":
        why = f"Its weights are {types.weights} already."
    elif not single:
        why = "It does not have exactly one float32 input."
    elif outputs != 1:
        why = f"It has {outputs} outputs, and the quantised file is compared by one."
    else:
        # A damaged file may crash the native code of its runtime: first in another process.
        with FileProcess(path) as process:
            process.load(1, None, {})
        return _converted_tflite(path) if path.suffix == ".tflite" else _converted_onnx(path)
    raise ArtifactError(
        f"{path} cannot be quantised.",
        why,
        "Give a float32 file of another program; for a model of edgeecg use 'edgeecg export'.",
    )


def _converted_tflite(path: Path) -> Any:
    """Return the file with one signature, which the quantiser needs."""
    from edgeecg.exporters.tflite import Converted, packed

    model: Any = flatbuffer_utils.read_model_from_bytearray(bytearray(path.read_bytes()))
    graph = model.subgraphs[0]
    signature: Any = schema.SignatureDefT()
    signature.signatureKey, signature.subgraphIndex = _SIGNATURE, 0
    signature.inputs = [_named(_INPUT, graph.inputs[0])]
    signature.outputs = [_named(f"{_OUTPUT}_{i}", each) for i, each in enumerate(graph.outputs)]
    model.signatureDefs = [signature]
    return Converted(packed(model), nn.Identity(), ())


def _named(name: str, index: int) -> Any:
    made: Any = schema.TensorMapT()
    made.name, made.tensorIndex = name, index
    return made


def _converted_onnx(path: Path) -> onnx.ModelProto:
    """Return the file as ONNX Runtime simplifies it: batch normalisation is folded."""
    import onnxruntime

    with tempfile.TemporaryDirectory(prefix="edgeecg-") as folder:
        simple = str(Path(folder) / "simple.onnx")
        options: Any = onnxruntime.SessionOptions()
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_BASIC
        options.optimized_model_filepath = simple
        options.log_severity_level = 3
        with quiet():
            onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
        model = onnx.load(simple)
    # Files of IR version 3 list their weights among the inputs, too.
    weights = {each.name for each in model.graph.initializer}
    inputs = [each for each in model.graph.input if each.name not in weights]
    del model.graph.input[:]
    model.graph.input.extend(inputs)
    model.ir_version = max(model.ir_version, _WEIGHTS_ARE_NO_INPUTS)
    return model


def _quantized(
    path: Path, converted: Any, recipe: ExportRecipe, calibration: NDArray[np.float32]
) -> bytes:
    try:
        with quiet():
            return exporter(recipe.format).write(converted, recipe, calibration)
    except EdgeECGError:
        raise
    except Exception as error:  # A quantiser may raise anything.
        message = " ".join(str(error).split())[:300]
        raise ExportError(
            f"{path} could not be quantised to '{recipe.name}'.",
            f"The quantiser raised {type(error).__name__}: {message}.",
            "Choose another target, or name operations to keep in float_ops of a copy of "
            f"export/{recipe.name}.toml.",
        ) from error


def _compared(
    source: Path, reference: Session, made: Path, windows: LabelledWindows, recipe: ExportRecipe
) -> tuple[Parity, ScoreDrop | None]:
    """Compare the outputs, and the macro-F1 where the classes are known.

    Raises:
        ArtifactError: The files have a single output value, which names no class.
        DataError: The float32 file's outputs are not finite.
        MissedLimitError: The quantised file misses a limit.
    """
    expected, found = (
        run_in_batches(partial(_flat_output, session), windows.x, 1)
        for session in (reference, _verify.load(made))
    )
    if expected.shape[1] == 1:
        raise ArtifactError(
            f"{source} cannot be quantised.",
            "Its output is a single number, so there are no classes by which the quantised file "
            "could be compared with it.",
            "Give a file whose output has a value for each class.",
        )
    if windows.y is not None and (largest := int(windows.y.max())) >= expected.shape[1]:
        raise DataError(
            f"The classes of the windows do not fit {source}.",
            f"y has the class {largest}, and the file has {expected.shape[1]} outputs: classes 0 "
            f"to {expected.shape[1] - 1}.",
            "Count the classes from 0, in the order of the outputs.",
        )
    unusable = np.flatnonzero(~np.isfinite(expected).all(axis=1))
    if len(unusable):
        raise DataError(
            f"The windows do not fit {source}.",
            f"Its outputs of {len(unusable)} of {len(expected)} compared windows are not finite "
            "numbers.",
            "Leave such windows out, or correct the model.",
        )
    _verify.check_finite(made.name, found, recipe, _REFERENCE)
    agreement = parity.compare(expected, found)
    _verify.check_agreement(made.name, agreement, recipe, _REFERENCE)
    if windows.y is None:
        return agreement, None
    answers = [each.argmax(axis=1) for each in (expected, found)]
    before, after = _macro_f1s(windows.y, answers)
    score = ScoreDrop(metric="macro-F1", reference=before, file=after)
    check_score(made.name, recipe, score)
    return agreement, score


def _flat_output(session: Session, x: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the output of a window as ``(1, n)``, whatever its shape is."""
    return session.run(x).reshape(1, -1)


def _macro_f1s(y: NDArray[np.int64], answers: Sequence[NDArray[np.intp]]) -> list[float]:
    """Return each file's mean F1 over the classes in the windows or in the answers of any file."""
    classes = np.unique(np.concatenate([y, *answers]))
    scores: list[float] = []
    for found in answers:
        matrix = np.zeros((len(classes), len(classes)), np.int64)
        np.add.at(matrix, (np.searchsorted(classes, y), np.searchsorted(classes, found)), 1)
        scores.append(float(macro_f1(matrix)))
    return scores


def _way_on(recipe: ExportRecipe) -> str:
    """Say what to do about a limit that was missed: what is advised for models is no help here."""
    if recipe.dtype == "float16":
        return "Keep the float32 file."
    others = "onnx-fp16" if recipe.format == "onnx" else "tflite-int16x8 or tflite-fp16"
    if recipe.activation_dtype == "int16":
        others = "tflite-fp16"
    return (
        f"Choose --target {others}, give more windows for the calibration, or name operations to "
        f"keep in float_ops of a copy of export/{recipe.name}.toml."
    )


def _reject(output: Path, recipe: ExportRecipe, error: MissedLimitError) -> None:
    rejection = Rejection(
        name=output.stem, target=recipe.name, what=error.what, why=error.why, todo=error.todo
    )
    _rejection.reject(output.with_name(output.name + _rejection.SUFFIX), rejection, [output])
