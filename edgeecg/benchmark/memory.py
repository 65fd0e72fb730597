"""Peak memory of a fresh process that loads and runs one file, and a shield for this one.

``python -m edgeecg.benchmark.memory FILE`` is that process. It loads the file first, so that a file
that kills the native runtime kills it and not the measurement. Its peak is VmHWM of
``/proc/self/status``: ``ru_maxrss`` would start at the size of the parent, because it lives through
``exec``.
"""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path

from edgeecg import runtimes
from edgeecg.errors import ArtifactError, EdgeECGError

_STATUS = Path("/proc/self/status")
_RUNS = 10
_PATIENCE_S = 300


def main(path: Path, threads: int) -> int:
    """Load and run a file, print what it took as JSON; return the exit status."""
    try:
        runtime = runtimes.for_file(path)
        runtime.version()
        earlier, before = _status_bytes("VmHWM"), _status_bytes("VmRSS")
        _forget_peak()
        session = runtime.load(path, threads)
        for _ in range(_RUNS):
            session.invoke()
        after = _status_bytes("VmHWM")
    except EdgeECGError as error:
        print(json.dumps({"error": [error.what, error.why, error.todo]}))
        return 1
    except Exception as error:
        # Native runtimes raise classes of their own; whatever it is, the file could not be run.
        print(json.dumps({"error": _refused(path, str(error))}))
        return 1
    if earlier is None or before is None or after is None:
        print("{}")
    else:
        print(json.dumps({"peak": max(earlier, after), "model": after - before}))
    return 0


def probe(path: Path, threads: int) -> tuple[int, int] | None:
    """Run a file in a fresh process.

    Args:
        path: The file.
        threads: Threads of the runtime.

    Returns:
        Peak resident bytes of that process, and the part above the same process before the file
        was loaded; None where the system does not tell.

    Raises:
        ArtifactError: The file cannot be loaded or run, or kills the process.
    """
    command = [sys.executable, "-m", "edgeecg.benchmark.memory", str(path), str(threads)]
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=_PATIENCE_S, check=False
        )
    except subprocess.TimeoutExpired as error:
        raise ArtifactError(
            *_refused(path, f"{_RUNS} runs took more than {_PATIENCE_S} s")
        ) from error
    if done.returncode < 0:
        name = signal.Signals(-done.returncode).name
        raise ArtifactError(*_refused(path, f"it killed the process that tried ({name})"))
    try:
        answer = json.loads(done.stdout.strip().rpartition("\n")[2])
    except ValueError as error:
        raise EdgeECGError(
            "The process that measures memory did not answer.",
            f"It ended with status {done.returncode}: {done.stderr.strip()[-300:]}",
            "Check that this Python can run: python -m edgeecg.benchmark.memory FILE 1",
        ) from error
    if "error" in answer:
        raise ArtifactError(*answer["error"])
    return (answer["peak"], answer["model"]) if answer else None


def _refused(path: Path, cause: str) -> tuple[str, str, str]:
    return (
        f"{path} cannot be run.",
        f"The runtime failed on it: {' '.join(cause.split())[:300]}.",
        "It is corrupt or needs operations this runtime lacks; export or copy it again.",
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


def _forget_peak() -> None:
    """Start VmHWM anew (proc(5), clear_refs, value 5), so that imports do not hide the model."""
    try:
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
    except OSError:
        # A container may forbid it; the model's part is then at most what it says.
        return


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), int(sys.argv[2])))
