"""A real ssh server whose sessions are on an emulated Raspberry Pi, on the loopback interface."""

from __future__ import annotations

import contextlib
import shutil
import socket
import subprocess
import time
from collections.abc import Generator
from pathlib import Path

from emulated_pi import EmulatedPi

HOST = "emulated-pi"
_SERVER = """
Port {port}
ListenAddress 127.0.0.1
HostKey {folder}/host_key
AuthorizedKeysFile {folder}/user_key.pub
PidFile none
UsePAM no
StrictModes no
PasswordAuthentication no
KbdInteractiveAuthentication no
PermitRootLogin prohibit-password
ChrootDirectory /mnt
SetEnv QEMU_CPU={core}
"""
_CLIENT = """
Host {host}
    HostName 127.0.0.1
    Port {port}
    User root
    IdentityFile {folder}/user_key
    IdentitiesOnly yes
    UserKnownHostsFile {folder}/known_hosts
"""
_SECONDS = 60.0


def missing() -> str | None:
    """Return which program is not installed, or None."""
    for program in ("ssh", "ssh-keygen", "sshd"):
        if shutil.which(program, path="/usr/bin:/usr/sbin:/bin:/sbin") is None:
            return f"{program} is not installed; .ci/run installs it"
    return None


@contextlib.contextmanager
def server(pi: EmulatedPi, folder: Path) -> Generator[str]:
    """Run the server while the block runs; yield the ``ssh`` command that reaches :data:`HOST`."""
    folder.mkdir()
    for name in ("host_key", "user_key"):
        command = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(folder / name)]
        subprocess.run(command, check=True)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    filled = {"port": port, "folder": folder, "core": pi.board.core, "host": HOST}
    (folder / "sshd_config").write_text(_SERVER.format(**filled))
    (folder / "ssh_config").write_text(_CLIENT.format(**filled))
    public = (folder / "host_key.pub").read_text()
    (folder / "known_hosts").write_text(f"[127.0.0.1]:{port} {public}")
    # sshd wants a path to its root that only root can write to, which /tmp is not.
    first = (
        'mkdir -p /run/sshd && mount --rbind "$ROOT" /mnt && '
        f'/usr/sbin/sshd -f "{folder}/sshd_config" -E "{folder}/sshd.log"'
    )
    command, environment = pi.command("sleep", "3600", first=first)
    with subprocess.Popen(command, env=environment) as process, pi.supply.follows(process.pid):
        try:
            _wait(port, folder)
            yield f"ssh -F {folder}/ssh_config"
        finally:
            # All processes of the namespace end with it, sshd too.
            process.kill()


def _wait(port: int, folder: Path) -> None:
    until = time.monotonic() + _SECONDS
    while time.monotonic() < until:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        time.sleep(0.1)
    log = folder / "sshd.log"
    raise TimeoutError(log.read_text() if log.is_file() else "sshd did not start")
