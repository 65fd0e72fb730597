"""An environment with runtimes of earlier years, in which exported files must still run.

tflite-runtime 2.14.0 is of October 2023 and the last of its name: the only wheel for 32-bit
Raspberry Pi OS. ONNX Runtime 1.20.1 is of November 2024. The environment is made once, in
``~/.cache/edgeecg-tests``.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

TFLITE, ONNX = "tflite-runtime 2.14.0", "onnxruntime 1.20.1"
PACKAGES = ("numpy==1.26.4", "tflite-runtime==2.14.0", "onnxruntime==1.20.1")
_PYTHON = "python3.11"
"""tflite-runtime has no wheel for a newer one."""


def python() -> Path | None:
    """Return the Python of the environment, which is made when it is not there.

    Returns:
        None where there is no Python 3.11 to make it of.
    """
    base = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    folder = Path(base).expanduser() / "edgeecg-tests" / "-".join(["old-runtimes", *PACKAGES[1:]])
    found, complete = folder / "bin" / "python", folder / "complete"
    if complete.is_file():
        return found
    made_of = sys.executable if sys.version_info[:2] == (3, 11) else shutil.which(_PYTHON)
    if made_of is None:
        return None
    subprocess.run([made_of, "-m", "venv", "--clear", str(folder)], check=True)
    subprocess.run([str(found), "-m", "pip", "install", "-q", *PACKAGES], check=True)
    complete.touch()
    return found


def outputs(interpreter: Path, folder: Path) -> dict[str, Any]:
    """Run the files of a folder in the environment.

    Args:
        interpreter: The Python of the environment.
        folder: Model files ``MODEL@TARGET.tflite`` or ``.onnx``, and windows in ``MODEL.npy``.

    Returns:
        By file name: ``runtime``, and ``logits`` or ``error``.
    """
    program = Path(__file__).with_name("old_runtime_program.py")
    done = subprocess.run(
        # Nothing of this environment is on its path.
        [str(interpreter), "-I", str(program), str(folder)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads((folder / "outputs.json").read_text())
