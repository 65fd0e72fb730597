"""What a Raspberry Pi installs must run without what it does not install."""

from __future__ import annotations

import pkgutil
import subprocess
import sys
from pathlib import Path

import pytest

import edgeecg

WORKSTATION = ("torch", "pandas", "wfdb", "scipy", "sklearn", "optuna", "ray")
PACKAGES = (
    *("benchmark", "cli", "costs", "devices", "meters", "reporting", "runs", "runtimes", "schema"),
    *("signal", "statistics"),
)
MODULES = ("errors", "files", "plugins", "resources")

BLOCKED = """
import importlib, sys

class Blocker:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {blocked!r}:
            raise ImportError(f"the device side imported {{name}}")

sys.meta_path.insert(0, Blocker())
importlib.import_module({module!r})
"""


def modules() -> list[str]:
    found = [f"edgeecg.{name}" for name in MODULES]
    for package in PACKAGES:
        folder = Path(edgeecg.__path__[0]) / package
        found.append(f"edgeecg.{package}")
        found += [f"edgeecg.{package}.{m.name}" for m in pkgutil.iter_modules([str(folder)])]
    return found


def test_no_module_of_the_device_side_imports_what_a_device_lacks() -> None:
    script = "".join(BLOCKED.format(blocked=WORKSTATION, module=module) for module in modules())
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("command", ["bench", "report"])
def test_the_help_of_a_command_loads_nothing_heavy(command: str) -> None:
    script = (
        "import sys\nfrom edgeecg.cli import run\n"
        f"assert run([{command!r}, '--help']) == 0\n"
        "heavy = {'numpy', 'psutil', 'matplotlib', 'edgeecg.schema.scores', *%r}\n"
        "heavy &= set(sys.modules)\n"
        "assert not heavy, heavy\n" % (WORKSTATION,)
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("arguments", "status"),
    [
        (["--bogus"], 2),
        (["no-such-file.tflite"], 1),
        (["--suite", "bogus"], 2),
        (["--device", "bogus"], 2),
        (["--meter", "bogus"], 2),
        (["--threads", "0"], 2),
    ],
)
def test_a_wrong_name_is_answered_without_loading_anything_heavy(
    arguments: list[str], status: int
) -> None:
    script = (
        "import sys\nfrom edgeecg.cli import run\n"
        f"assert run(['bench', *{arguments!r}]) == {status}\n"
        "heavy = {'numpy', 'rich.table', 'edgeecg.benchmark.protocol', *%r} & set(sys.modules)\n"
        "assert not heavy, heavy\n" % (WORKSTATION,)
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
