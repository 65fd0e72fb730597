"""``edgeecg bench --on`` through a real ssh server on the loopback interface."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Generator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import pytest
from system_program import command, run_in

from edgeecg.runtimes import onnxruntime

pytestmark = [pytest.mark.system, pytest.mark.alone]

SSHD = shutil.which("sshd") or "/usr/sbin/sshd"
CLOCK_S = 1000.0
"""By so much the monotonic clock of the host is ahead, where the system can do that."""

SUITE = """
description = "For tests."
warmup_runs = 10
warmup_seconds = 0.1
min_runs = 50
min_seconds = 0.1
energy_windows = 3
energy_window_seconds = {seconds}
idle_window_seconds = {seconds}
"""

SERVER = """
Port {port}
ListenAddress 127.0.0.1
HostKey {root}/host_key
AuthorizedKeysFile {root}/authorized_keys
PidFile none
StrictModes no
UsePAM no
PasswordAuthentication yes
SetEnv XDG_CACHE_HOME={root}/cache
Banner {root}/banner
"""

CLIENT = """
Host board
  HostName 127.0.0.1
  Port {port}
Host down
  HostName 127.0.0.1
  Port 1
Host stranger
  HostName 127.0.0.1
  Port {port}
  IdentityFile {root}/other_key
  UserKnownHostsFile {root}/known_hosts
Host unknown
  HostName 127.0.0.1
  Port {port}
  UserKnownHostsFile {root}/nothing
Host changed
  HostName 127.0.0.1
  Port {port}
  UserKnownHostsFile {root}/other_hosts
Host * !stranger
  IdentityFile {root}/key
Host *
  IdentitiesOnly yes
  UserKnownHostsFile {root}/known_hosts
  GlobalKnownHostsFile none
  StrictHostKeyChecking ask
"""


@dataclass(frozen=True)
class Server:
    """A running ssh server, and a folder with files for the tests."""

    root: Path
    process: subprocess.Popen[bytes]
    shifted: bool

    @property
    def cache(self) -> Path:
        return self.root / "cache" / "edgeecg"

    def agents(self) -> list[psutil.Process]:
        """Return the processes that run on the host for edgeecg."""
        found: list[psutil.Process] = []
        for each in psutil.process_iter():
            try:
                if each.environ().get("XDG_CACHE_HOME") == str(self.root / "cache"):
                    found.append(each)
            except (psutil.Error, OSError):
                continue
        return found

    def commands(self) -> list[str]:
        """Return what runs on the host for edgeecg."""
        found: list[str] = []
        for each in self.agents():
            with contextlib.suppress(psutil.Error):
                found.append(" ".join(each.cmdline()))
        return found

    def left(self) -> list[str]:
        """Return what is left on the host after some time."""
        end = time.monotonic() + 20.0
        while True:
            found = [path.name for path in self.cache.glob("work-*")]
            found += [str(process) for process in self.agents()]
            if not found or time.monotonic() > end:
                return found
            time.sleep(0.2)


def _key(path: Path) -> str:
    subprocess.run(
        ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "", "-f", str(path)], check=True
    )
    return path.with_name(f"{path.name}.pub").read_text().strip()


def _free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])


def _shift() -> list[str]:
    """Return the command that gives the host another clock, or nothing where it is not allowed."""
    words = ["unshare", "--time", "--monotonic", f"{CLOCK_S:g}", "--fork", "--kill-child"]
    try:
        done = subprocess.run([*words, "true"], capture_output=True, check=False)
    except FileNotFoundError:
        return []
    return words if done.returncode == 0 else []


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    if not Path(SSHD).is_file() or shutil.which("ssh") is None:
        pytest.skip("there is no OpenSSH server here: apt install openssh-server")
    root = tmp_path_factory.mktemp("ssh")
    if os.geteuid() == 0:
        # The server of Debian insists on this folder when root starts it.
        Path("/run/sshd").mkdir(exist_ok=True)
    port = _free_port()
    public, ours, other = (_key(root / name) for name in ("host_key", "key", "other_key"))
    (root / "authorized_keys").write_text(f"{ours}\n")
    (root / "known_hosts").write_text(f"[127.0.0.1]:{port} {public}\n")
    (root / "other_hosts").write_text(f"[127.0.0.1]:{port} {other}\n")
    (root / "banner").write_text("Authorised persons only!\n")
    (root / "sshd_config").write_text(SERVER.format(port=port, root=root))
    (root / "config").write_text(CLIENT.format(port=port, root=root))
    shift = _shift()
    with (root / "server.log").open("wb") as log:
        process = subprocess.Popen(
            [*shift, SSHD, "-D", "-e", "-f", str(root / "sshd_config")], stderr=log
        )
    try:
        _wait_for(port, root / "server.log")
        yield Server(root, process, bool(shift))
    finally:
        # The program unshare ignores the polite signal while its child runs.
        process.kill()
        process.wait()


def _wait_for(port: int, log: Path) -> None:
    end = time.monotonic() + 20.0
    while time.monotonic() < end:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.1)
    pytest.fail(f"the ssh server did not start: {log.read_text()}")


@pytest.fixture
def folder(server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a model and suites, from which every host of the server can be reached."""
    monkeypatch.setenv("EDGEECG_SSH", f"ssh -F {server.root}/config")
    built = onnxruntime.peak_graph("float32")
    assert built is not None
    (tmp_path / "a b.onnx").write_bytes(built[0])
    (tmp_path / "tiny.toml").write_text(SUITE.format(seconds=0.5))
    (tmp_path / "long.toml").write_text(SUITE.format(seconds=60.0))
    return tmp_path


HERE = ("--python", sys.executable)


def bench(folder: Path, host: str, *options: str, status: int = 0) -> dict[str, Any]:
    """Run the command; return its report, or what it has printed when it fails."""
    done = run_in(folder)(
        *("bench", "a b.onnx", "--on", host, "--suite", "tiny.toml", "--json", "out.json"),
        *options,
        status=status,
    )
    assert "Traceback" not in done.stderr
    return {"told": done.stderr} if status else json.loads((folder / "out.json").read_text())


def test_a_host_without_anything_is_prepared_once_and_measured(
    server: Server, folder: Path
) -> None:
    before = set(server.cache.glob("env-*/"))
    made: list[float] = []
    for _ in range(2):
        (result,) = bench(folder, "board", "--meter", "none")["results"]
        assert result["host"] == "board"
        assert result["artifact"]["file"] == "a b.onnx"
        assert result["latency"]["p50_s"] > 0
        (environment,) = set(server.cache.glob("env-*/")) - before
        made.append((environment / ".edgeecg-ready").stat().st_mtime)
    assert made[0] == made[1]
    (environment,) = set(server.cache.glob("env-*/")) - before
    assert not list(environment.glob("lib/python*/site-packages/torch"))
    assert not server.left()


def test_wheels_make_an_environment_without_the_internet(
    server: Server, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from edgeecg.devices._program import requirements

    wheels = folder / "my wheels"
    wanted = requirements(64)
    pip = [sys.executable, "-m", "pip", "download", "-q", "--only-binary", ":all:"]
    subprocess.run([*pip, "-d", str(wheels), *wanted], check=True)
    (result,) = bench(folder, "board", "--meter", "none", "--wheels", "my wheels")["results"]
    assert result["latency"]["p50_s"] > 0
    # One wheel is missing: pip must not fetch it.
    next(wheels.glob("psutil-*")).unlink()
    told = bench(folder, "board", "--meter", "none", "--wheels", "my wheels", status=1)["told"]
    assert "psutil" in told
    assert "--wheels" in told
    assert not server.left()


def test_a_meter_here_is_cut_on_the_clock_here(server: Server, folder: Path) -> None:
    if not server.shifted:
        pytest.skip("this system cannot give a process another clock (unshare --time)")
    watts = "".join(f"{k / 100},{2.5 + k % 7 / 100}\n" for k in range(30_000))
    (folder / "power.csv").write_text(f"t_s,watts\n{watts}")
    (result,) = bench(folder, "board", *HERE, "--meter", "replay:power.csv")["results"]
    clock = result["host_clock"]
    assert abs(clock["offset_s"] - CLOCK_S) <= clock["uncertainty_s"] < 0.5
    assert result["energy"]["windows"] == 3
    # The mean of 0, 1 ... 6 hundredths is 3 hundredths.
    assert result["energy"]["idle_w"] == pytest.approx(2.53, rel=1e-3)
    assert not server.left()


@pytest.mark.parametrize(
    ("host", "told"),
    [
        ("down", "does not accept ssh connections"),
        ("stranger", "ssh-copy-id stranger"),
        ("unknown", "Its host key is not known"),
        ("changed", "ssh-keygen -R"),
        ("no-such-host.invalid", "There is no host of this name"),
    ],
)
def test_a_host_that_cannot_be_reached_is_explained(
    server: Server, folder: Path, host: str, told: str
) -> None:
    assert told in bench(folder, host, *HERE, status=1)["told"]


def test_a_full_disk_is_explained(server: Server, folder: Path) -> None:
    disk = server.root / "cache"
    mount = ["mount", "-t", "tmpfs", "-o", "size=500k", "tmpfs", str(disk)]
    disk.mkdir(exist_ok=True)
    if subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("mounting a file system needs root")
    try:
        told = bench(folder, "board", *HERE, status=1)["told"]
        assert "The disk is full." in told
        assert "No space left on device" in told
        assert not server.left()
    finally:
        subprocess.run(["umount", str(disk)], check=True)


@contextlib.contextmanager
def started(folder: Path, server: Server, *options: str) -> Generator[subprocess.Popen[str]]:
    """Start a long measurement, wait until it runs, and end it in any case."""
    with subprocess.Popen(
        command("bench", "a b.onnx", "--on", "board", "--suite", "long.toml", *HERE, *options),
        cwd=folder,
        stderr=subprocess.PIPE,
        text=True,
    ) as program:
        try:
            end = time.monotonic() + 60.0
            while not any("remote_worker" in words for words in server.commands()):
                assert time.monotonic() < end
                time.sleep(0.2)
            yield program
        finally:
            program.kill()


def test_ctrl_c_here_stops_it_there(server: Server, folder: Path) -> None:
    with started(folder, server, "--meter", "external") as program:
        program.send_signal(signal.SIGINT)
        program.communicate(timeout=60)
    assert program.returncode == 130
    assert not server.left()


def test_a_lost_connection_stops_both_sides(server: Server, folder: Path) -> None:
    with started(folder, server, "--meter", "external") as program:
        for each in psutil.Process(server.process.pid).children(recursive=True):
            # Those of other sessions may be ending just now.
            with contextlib.suppress(psutil.NoSuchProcess):
                if each.name() == "sshd" and "@" in " ".join(each.cmdline()):
                    each.kill()
        _, told = program.communicate(timeout=60)
    assert program.returncode == 1
    assert "The connection to board was lost" in told
    assert not server.left()


def test_a_fleet_with_a_dead_host(server: Server, folder: Path) -> None:
    (folder / "fleet.toml").write_text('[[hosts]]\nhost = "board"\n[[hosts]]\nhost = "down"\n')
    bench(folder, "fleet.toml", *HERE, "--meter", "none", status=1)
    report = json.loads((folder / "out.json").read_text())
    assert [result["host"] for result in report["results"]] == ["board"]
    assert [host["host"] for host in report["failed_hosts"]] == ["down"]
