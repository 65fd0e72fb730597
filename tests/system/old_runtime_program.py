"""Runs model files with numpy and a runtime alone; ``old_runtimes.py`` starts it."""

import json
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np


def tflite(path: Path) -> Any:
    """Return a function that computes the outputs of a window with tflite-runtime."""
    from tflite_runtime.interpreter import Interpreter  # pyright: ignore

    network: Any = Interpreter(model_path=str(path), num_threads=1)
    network.allocate_tensors()
    given, answer = network.get_input_details()[0], network.get_output_details()[0]

    def run(window: Any) -> Any:
        scale, zero = given["quantization"]
        if scale:
            limits = np.iinfo(given["dtype"])
            window = np.clip(np.round(window / scale) + zero, limits.min, limits.max)
        network.reset_all_variables()
        network.set_tensor(given["index"], window.astype(given["dtype"]))
        network.invoke()
        found = network.get_tensor(answer["index"]).astype(np.float32)
        scale, zero = answer["quantization"]
        return (found - zero) * scale if scale else found

    return run


def onnx(path: Path) -> Any:
    """Return a function that computes the outputs of a window with ONNX Runtime."""
    import onnxruntime

    options: Any = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session: Any = onnxruntime.InferenceSession(
        str(path), options, providers=["CPUExecutionProvider"]
    )
    name = session.get_inputs()[0].name

    def run(window: Any) -> Any:
        return session.run(None, {name: window})[0]

    return run


RUNTIMES = {".tflite": ("tflite-runtime", tflite), ".onnx": ("onnxruntime", onnx)}


def main(folder: Path) -> None:
    """Write ``outputs.json`` about the files of a folder."""
    found: dict[str, Any] = {}
    for path in sorted(folder.iterdir()):
        if path.suffix not in RUNTIMES:
            continue
        package, load = RUNTIMES[path.suffix]
        said: dict[str, Any] = {"runtime": f"{package} {version(package)}"}
        try:
            run, windows = load(path), np.load(folder / f"{path.name.partition('@')[0]}.npy")
            logits = np.concatenate([run(window[np.newaxis]) for window in windows])
            said["logits"] = logits.tolist()
        except Exception as error:
            said["error"] = " ".join(str(error).split())
        found[path.name] = said
    (folder / "outputs.json").write_text(json.dumps(found))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
