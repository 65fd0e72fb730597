"""Which runtimes work, each loaded in a process of its own."""

from __future__ import annotations

import json
import signal
import subprocess
import sys

from edgeecg import runtimes
from edgeecg.devices.checks import CheckedHost
from edgeecg.errors import install_advice
from edgeecg.schema import Finding

_TIMEOUT_S = 120
# Loading a runtime of the wrong numpy or processor can end the process, so it is not this one.
_LOAD = """
import json, sys
from edgeecg import runtimes
from edgeecg.errors import EdgeECGError
try:
    print(json.dumps({"version": runtimes.get(sys.argv[1]).version()}))
except EdgeECGError as error:
    print(json.dumps({"missing": error.what, "fix": error.todo}))
except Exception as error:
    print(json.dumps({"broken": f"{type(error).__name__}: {error}"}))
"""


def check(host: CheckedHost) -> list[Finding]:
    """Load every runtime, all at the same time."""
    loading = {
        name: subprocess.Popen(
            [sys.executable, "-c", _LOAD, name],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        for name in runtimes.names()
    }
    return [_finding(name, process, host) for name, process in loading.items()]


def _finding(name: str, process: subprocess.Popen[str], host: CheckedHost) -> Finding:
    check = f"runtime {name}"
    try:
        printed, _ = process.communicate(timeout=_TIMEOUT_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.communicate()
        found = f"Loading it took more than {_TIMEOUT_S} s."
        return Finding(check=check, ok=False, found=found, fix=_reinstall(host))
    if process.returncode < 0:
        return _crash(check, -process.returncode, host)
    try:
        answer = json.loads(printed.strip().rpartition("\n")[2])
    except ValueError:
        found = f"Loading it ended with status {process.returncode}."
        return Finding(check=check, ok=False, found=found, fix=_reinstall(host))
    if "version" in answer:
        return Finding(check=check, ok=True, found=f"{answer['version']} works.")
    if "missing" in answer:
        return Finding(check=check, ok=False, found=answer["missing"], fix=answer["fix"])
    return Finding(
        check=check, ok=False, found=f"Loading it fails: {answer['broken']}", fix=_reinstall(host)
    )


def _crash(check: str, number: int, host: CheckedHost) -> Finding:
    if number == signal.SIGILL:
        return Finding(
            check=check,
            ok=False,
            found="Loading it executes an instruction that this processor lacks (SIGILL).",
            fix="Install a build of the runtime for this processor: an older version, or the "
            "operating system's package.",
        )
    found = f"Loading it crashes ({signal.Signals(number).name})."
    return Finding(check=check, ok=False, found=found, fix=_reinstall(host))


def _reinstall(host: CheckedHost) -> str:
    """Return how to install the runtimes; tflite-runtime needs an older numpy."""
    advice = install_advice("ai-edge-litert", "device", host.bits, host.python)
    return f"{advice} (tflite-runtime also needs: pip install 'numpy<2')"
