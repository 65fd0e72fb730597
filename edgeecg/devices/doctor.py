"""Finding out what can be measured on this machine, and what stands in the way."""

from __future__ import annotations

from typing import cast

from edgeecg import plugins
from edgeecg.devices import checks
from edgeecg.devices.checks import CheckedHost, CheckModule
from edgeecg.errors import PluginError
from edgeecg.schema import Finding


def doctor(host: CheckedHost | None = None) -> list[Finding]:
    """Run every check.

    A check that crashes is reported as a finding with ``crashed``, and the others go on.

    Args:
        host: The machine; this one when None.

    Returns:
        What was found, in the order of the checks' names; checks that do not apply to this machine
        are left out.
    """
    looked_at = host or CheckedHost()
    found: list[Finding] = []
    for name in plugins.names(checks.__name__):
        found += _run(name, looked_at)
    return found


def _run(name: str, host: CheckedHost) -> list[Finding]:
    try:
        module = cast(CheckModule, plugins.load(checks.__name__, name))
        return list(module.check(host))
    except PluginError as error:
        return [_crashed(name, f"{error.what} {error.why}", error.todo)]
    except Exception as error:  # One check must not hide what the others found.
        found = f"The check failed: {type(error).__name__}: {error}"
        return [_crashed(name, found, "Report it with this text and the name of the machine.")]


def _crashed(name: str, found: str, fix: str) -> Finding:
    return Finding(check=name, ok=False, found=found, fix=fix, crashed=True)
