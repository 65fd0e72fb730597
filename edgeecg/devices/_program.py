"""What is sent to a host: the agent, and the part of edgeecg that measures."""

from __future__ import annotations

import hashlib
import io
import json
import re
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from importlib.metadata import PackageNotFoundError, requires
from pathlib import Path

from edgeecg import resources
from edgeecg.errors import EdgeECGError

_PACKAGE = Path(__file__).resolve().parents[1]
_PACKAGES = (
    *("benchmark", "devices", "runtimes", "meters", "signal", "costs", "statistics", "runs"),
    "schema",
)
_FOLDERS = ("devices", "benchmarks/suites")
# Names of other packages' extras never have quotes or spaces in them.
_EXTRA = re.compile(r"extra\s*==\s*['\"]([^'\"]+)['\"]")
# A marker that is always true, in the place of the one that chooses the extra.
_ALWAYS = "python_version >= '3'"
# Run by the command in _ssh.py, which leaves the message in m. The agent's modules are given their
# names without the package that they are in, which the host does not have yet.
_LOADER = """
import sys, types
for name, source in m[1]:
    module = sys.modules[name] = types.ModuleType(name)
    exec(compile(source, name, "exec"), module.__dict__)
sys.exit(module.main())
"""
_AGENT = ("messages", "_agent")


@dataclass(frozen=True)
class Program:
    """The part of edgeecg that measures, as an archive.

    Attributes:
        archive: A zip file with the package, its devices and its suites.
        digest: Hash of its content.
    """

    archive: bytes
    digest: str


def agent_message() -> bytes:
    """Return the first line that is sent to a host: the source of the agent."""
    folder = _PACKAGE / "devices"
    modules = [
        [f"edgeecg.devices.{name}", (folder / f"{name}.py").read_text(encoding="utf-8")]
        for name in _AGENT
    ]
    return json.dumps([_LOADER, modules]).encode() + b"\n"


@cache
def program() -> Program:
    """Return the running program, from a checkout or from an installed wheel."""
    digest = hashlib.sha256()
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, path in _files():
            data = path.read_bytes()
            archive.writestr(zipfile.ZipInfo(name), data, zipfile.ZIP_DEFLATED)
            digest.update(f"{name}\0{len(data)}\0".encode())
            digest.update(data)
    return Program(content.getvalue(), digest.hexdigest()[:16])


def _files() -> Iterator[tuple[str, Path]]:
    """Yield the files of the archive: their names in it, and where they are here."""
    modules = [*_PACKAGE.glob("*.py")]
    for package in _PACKAGES:
        modules += (_PACKAGE / package).rglob("*.py")
    for path in sorted(modules):
        yield f"edgeecg/{path.relative_to(_PACKAGE).as_posix()}", path
    for folder in _FOLDERS:
        for path in sorted((resources.root() / folder).glob("*.toml")):
            yield f"edgeecg/_bundled/{folder}/{path.name}", path


def requirements(bits: int) -> tuple[str, ...]:
    """Return what pip has to install on a host besides edgeecg.

    Args:
        bits: Bits of the Python there. The extra for 32 bits is another one, because a 32-bit
            Python on a 64-bit kernel cannot be recognised by the markers of requirements.

    Raises:
        EdgeECGError: The requirements of edgeecg are unknown.
    """
    try:
        declared = requires("edgeecg") or []
    except PackageNotFoundError as error:
        raise EdgeECGError(
            "What edgeecg requires is unknown, so no host can be prepared.",
            "This Python imports edgeecg, but it is not installed in it.",
            "Install it (pip install -e .), or name a Python on the host with --python.",
        ) from error
    return of_extra(declared, "device" if bits > 32 else "device32")


def of_extra(declared: list[str], extra: str) -> tuple[str, ...]:
    """Return the requirements with an extra, without the marker that chooses it.

    Args:
        declared: ``Requires-Dist`` lines, e.g. ``"psutil>=6; extra == 'device'"``.
        extra: The extra, e.g. ``"device"``.
    """
    found: list[str] = []
    for line in declared:
        extras = {match.group(1) for match in _EXTRA.finditer(line)}
        if not extras or extra in extras:
            found.append(_EXTRA.sub(_ALWAYS, line))
    return tuple(found)
