"""Peak memory of a separate process that loads and runs one file.

``python -m edgeecg.benchmark.memory FILE THREADS [SHAPES]`` is that process. It runs before the
measurement, so that a file that crashes the native runtime crashes only this process. The peak is
VmHWM of ``/proc/self/status``, which psutil does not read. ``ru_maxrss`` would start at the size of
the parent process, because it survives ``exec``.
"""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path

from edgeecg import runtimes
from edgeecg.costs.input_shapes import Shapes
from edgeecg.errors import ArtifactError, EdgeECGError

_STATUS = Path("/proc/self/status")
_RUNS = 10
_TIMEOUT_S = 300


def main(path: Path, threads: int, shapes: Shapes | None = None) -> int:
    """Load and run a file, print its memory as JSON, and return the exit status.

    Args:
        path: The file.
        threads: Number of threads of the runtime.
        shapes: Shapes of the inputs.
    """
    try:
        runtime = runtimes.for_file(path)
        runtime.version()
        earlier, before = _status_bytes("VmHWM"), _status_bytes("VmRSS")
        _reset_peak()
        session = runtime.load(path, threads, shapes=shapes)
        for _ in range(_RUNS):
            session.invoke()
        after = _status_bytes("VmHWM")
    except EdgeECGError as error:
        print(json.dumps({"error": [error.what, error.why, error.todo]}))
        return 1
    except Exception as error:
        # Every native runtime has its exception classes; all mean that the file cannot be run.
        print(json.dumps({"error": _refused(path, str(error))}))
        return 1
    if earlier is None or before is None or after is None:
        print("{}")
    else:
        print(json.dumps({"peak": max(earlier, after), "model": after - before}))
    return 0


def probe(path: Path, threads: int, shapes: Shapes | None = None) -> tuple[int, int] | None:
    """Run a file in a separate process.

    Args:
        path: The file.
        threads: Number of threads of the runtime.
        shapes: Shapes of the inputs.

    Returns:
        Peak resident bytes of that process, and by how much they exceed those before the file was
        loaded. None on a system that does not report them.

    Raises:
        ArtifactError: The file cannot be loaded or run, or crashes the process.
        EdgeECGError: The process gives no answer.
    """
    command = [sys.executable, "-m", "edgeecg.benchmark.memory", str(path), str(threads)]
    if shapes is not None:
        command.append(json.dumps(dict(shapes)))
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=_TIMEOUT_S, check=False
        )
    except subprocess.TimeoutExpired as error:
        raise ArtifactError(
            *_refused(path, f"{_RUNS} runs took more than {_TIMEOUT_S} s")
        ) from error
    if done.returncode < 0:
        raise ArtifactError(*_crashed(path, signal.Signals(-done.returncode)))
    try:
        answer = json.loads(done.stdout.strip().rpartition("\n")[2])
    except ValueError as error:
        raise EdgeECGError(
            "The process that measures memory gave no answer.",
            f"It ended with status {done.returncode}: {done.stderr.strip()[-300:]}",
            "Check that this command works: python -m edgeecg.benchmark.memory FILE 1",
        ) from error
    if "error" in answer:
        raise ArtifactError(*answer["error"])
    return (answer["peak"], answer["model"]) if answer else None


def _crashed(path: Path, cause: signal.Signals) -> tuple[str, str, str]:
    if cause is not signal.SIGILL:
        return _refused(path, f"it crashed the process ({cause.name})")
    return (
        f"{path} cannot be run on this processor.",
        "The runtime executed an instruction that this processor lacks (SIGILL); nothing is wrong "
        "with the file.",
        "Run 'edgeecg doctor', which loads every runtime, and install another version of the one "
        "that fails, or measure on another machine.",
    )


def _refused(path: Path, cause: str) -> tuple[str, str, str]:
    return (
        f"{path} cannot be run.",
        f"The runtime failed on it: {' '.join(cause.split())[:300]}.",
        "It is corrupt, or has operations this runtime lacks; export or copy it again.",
    )


def _status_bytes(key: str) -> int | None:
    try:
        lines = _STATUS.read_text(encoding="ascii").splitlines()
    except OSError:
        return None
    for line in lines:
        name, _, value = line.partition(":")
        if name == key:
            return int(value.split()[0]) * 1024
    return None


def _reset_peak() -> None:
    """Reset VmHWM (proc(5), clear_refs, value 5), so that imports do not hide the model."""
    try:
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
    except OSError:
        # A container may forbid it; the model's part is then an upper limit.
        return


if __name__ == "__main__":
    given = json.loads(sys.argv[3]) if len(sys.argv) > 3 else {}
    sys.exit(main(Path(sys.argv[1]), int(sys.argv[2]), {n: tuple(s) for n, s in given.items()}))
