"""What a Raspberry Pi installs must run without what it does not install."""

from __future__ import annotations

import pkgutil
import subprocess
import sys
from pathlib import Path

import pytest

import edgeecg

UPSTAIRS = ("torch", "pandas", "wfdb", "scipy", "sklearn")
ROOMS = ("energy", "runtimes", "meters", "bench", "report", "cli")
ALONE = ("schema", "errors", "files", "resources", "runs")

BLOCKED = """
import importlib, sys

class Wall:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {blocked!r}:
            raise ImportError(f"downstairs imported {{name}}")

sys.meta_path.insert(0, Wall())
importlib.import_module({module!r})
"""


def modules() -> list[str]:
    found = [f"edgeecg.{name}" for name in ALONE]
    for room in ROOMS:
        folder = Path(edgeecg.__path__[0]) / room
        found.append(f"edgeecg.{room}")
        found += [f"edgeecg.{room}.{m.name}" for m in pkgutil.iter_modules([str(folder)])]
    return found


def test_no_module_downstairs_imports_what_a_device_lacks() -> None:
    script = "".join(BLOCKED.format(blocked=UPSTAIRS, module=module) for module in modules())
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("verb", ["bench", "report"])
def test_the_help_of_a_verb_loads_no_room(verb: str) -> None:
    script = (
        "import sys\nfrom edgeecg.cli import run\n"
        f"assert run([{verb!r}, '--help']) == 0\n"
        "heavy = {'numpy', 'psutil', 'matplotlib', 'edgeecg.schema', *%r} & set(sys.modules)\n"
        "assert not heavy, heavy\n" % (UPSTAIRS,)
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
