"""Running a program on another machine over the user's ``ssh``, and what its failures mean.

Host keys, agents, ``~/.ssh/config`` and jump hosts work as they always do. No password is read: ssh
runs in its batch mode, in which it never asks. The environment variable ``EDGEECG_SSH`` replaces
the command ``ssh``, e.g. ``EDGEECG_SSH="ssh -F my_config"``; it is split into words, without a
shell.
"""

from __future__ import annotations

import os
import re
import shlex

from edgeecg.errors import RemoteError, UsageError

COMMAND_VARIABLE = "EDGEECG_SSH"
NO_PYTHON = 90
"""Exit status of the remote command when no Python on the host is new enough."""

_PYTHONS = ("python3", "python3.13", "python3.12", "python3.11", "python3.14")
_OPTIONS = {
    "BatchMode": "yes",
    "ConnectTimeout": "15",
    "ServerAliveInterval": "10",
    "ServerAliveCountMax": "3",
}
# Only what host names, user names, addresses and aliases consist of: ssh puts them into commands of
# ~/.ssh/config (ProxyCommand, Match exec), where a shell reads them.
_DESTINATION = re.compile(r"(?:ssh://)?(?:\w[\w.+-]*@)?[\w\[:][\w.:%\[\]-]*/?")
# A line for every shell: sh is given it in single quotes, and there are none and no backslashes in
# it. The first message is the program; see agent_source in remote.py.
_START = (
    'for p in "$@"; do case "$p" in "~/"*) p="$HOME/${p#??}";; esac; '
    'if "$p" -c "import sys; sys.exit(sys.version_info < (3, 11))" </dev/null 2>/dev/null; '
    'then exec "$p" -u -c "import json,sys; '
    'm = json.loads(sys.stdin.buffer.readline()); exec(m[0])"; fi; done; '
    f'"$1" -V >&2; exit {NO_PYTHON}'
)


def check_destination(host: str) -> None:
    """Refuse what cannot be a host, or could be taken for an option or a command.

    Args:
        host: The destination, as ``ssh`` takes it.

    Raises:
        UsageError: It is not a destination.
    """
    if not _DESTINATION.fullmatch(host):
        raise UsageError(
            f"'{host}' is not a host.",
            "A host is NAME, USER@NAME or ssh://USER@NAME:PORT, without spaces or quotes.",
            "Give other hosts a short name in ~/.ssh/config, and use that.",
        )


def command(host: str, port: int | None = None, python: str | None = None) -> list[str]:
    """Return the command that starts the agent on a host.

    Args:
        host: The destination, as ``ssh`` takes it.
        port: The port, or None for the one of ssh's configuration.
        python: Path of the Python to use there, or None for the first that is new enough.

    Raises:
        UsageError: The destination is not one.
    """
    check_destination(host)
    words = shlex.split(os.environ.get(COMMAND_VARIABLE) or "ssh")
    for name, value in _OPTIONS.items():
        words += ["-o", f"{name}={value}"]
    if port is not None:
        words += ["-p", str(port)]
    pythons = _PYTHONS if python is None else (python,)
    remote = shlex.join(["exec", "sh", "-c", _START, "sh", *pythons])
    return [*words, "-T", "--", host, remote]


def failure(host: str, status: int | None, printed: str) -> RemoteError:
    """Return the error that explains why no agent answers.

    Args:
        host: The destination.
        status: Exit status of ``ssh``; None when it gave no answer in time.
        printed: What ``ssh`` and the login scripts of the host printed.
    """
    text = printed.lower()
    last = next((line.strip() for line in reversed(printed.splitlines()) if line.strip()), "")
    if status == NO_PYTHON:
        return RemoteError(
            f"{host} has no Python of version 3.11 or later.",
            f"Asked for its version, it says: {last}.",
            "Install one there, or name its path with --python.",
        )
    for signs, why, todo in _CAUSES:
        if any(sign in text for sign in signs):
            return RemoteError(
                f"{host} cannot be reached over ssh.", f"{why} ssh: {last}.", todo.format(host=host)
            )
    if status is None:
        why = f"It gave no answer{f'; it printed: {last}' if last else ''}."
    else:
        why = f"ssh ended with status {status}{f': {last}' if last else ' and printed nothing'}."
    return RemoteError(
        f"{host} cannot be reached over ssh.",
        why,
        f"Check that this prints the version of Python: ssh {host} python3 -V",
    )


def lost(host: str, cause: str, printed: str) -> RemoteError:
    """Return the error of a connection that ended too early.

    Args:
        host: The destination.
        cause: How that was noticed.
        printed: What ``ssh`` and the host printed.
    """
    words = " ".join(printed.split())
    return RemoteError(
        f"The connection to {host} was lost.",
        f"{cause}{f'; it printed: {words}' if words else ''}.",
        "What was started there is stopped; check network and power supply, and run the command "
        "again.",
    )


def strange(host: str, cause: str) -> RemoteError:
    """Return the error of a message that no agent sends.

    Args:
        host: The destination.
        cause: What is wrong with it.
    """
    return RemoteError(
        f"{host} sent something that is not of edgeecg.",
        f"Of the messages over ssh, {cause}.",
        "Check that no login script of that machine writes while a command runs, and run the "
        "command again.",
    )


_CAUSES = (
    (
        ("identification has changed", "host key for", "revoked"),
        "Its host key is not the one that is known: it was installed anew, or is another machine.",
        "If it was installed anew, forget the old key with: ssh-keygen -R HOST, and connect once "
        "with: ssh {host}",
    ),
    (
        ("host key verification failed", "no matching host key"),
        "Its host key is not known on this machine.",
        "Connect once by hand and check the fingerprint: ssh {host}",
    ),
    (
        ("permission denied", "too many authentication failures", "no more authentication methods"),
        "It asks for a password or another key, and edgeecg never asks for passwords.",
        "Copy your key to it once: ssh-copy-id {host}",
    ),
    (
        ("could not resolve", "name or service not known"),
        "There is no host of this name in the network.",
        "Check the name, and that the host is switched on and in this network.",
    ),
    (
        ("connection refused",),
        "It does not accept ssh connections at this port.",
        "Switch ssh on there (on a Raspberry Pi: sudo raspi-config), or check the port.",
    ),
    (
        ("timed out", "no route to host", "network is unreachable", "host is down"),
        "It does not answer.",
        "Check that it is switched on and in this network.",
    ),
)
