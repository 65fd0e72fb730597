"""Several hosts at a time, and what an interrupt leaves on them."""

from __future__ import annotations

import contextlib
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Generator
from pathlib import Path

import pytest
from bench_command import bench_on
from fake_ssh import FakeSsh

from edgeecg.benchmark import fleet, remote
from edgeecg.benchmark.config import BenchConfig
from edgeecg.errors import EdgeECGError, SchemaError
from edgeecg.schema import BenchReport, Host

Exported = Callable[[str], Path]


@contextlib.contextmanager
def started(*arguments: object) -> Generator[subprocess.Popen[str]]:
    """Run the program while the block runs, and end it in any case."""
    with subprocess.Popen(
        [sys.executable, "-m", "edgeecg", "bench", *map(str, arguments)],
        stderr=subprocess.PIPE,
        text=True,
    ) as program:
        try:
            yield program
        finally:
            program.kill()


def measuring(ssh: FakeSsh, hosts: int = 1) -> None:
    """Wait until the host measures."""
    end = time.monotonic() + 60.0
    while time.monotonic() < end:
        if sum("remote_worker" in words for words in ssh.commands()) >= hosts:
            return
        time.sleep(0.1)
    pytest.fail("the host did not begin to measure")


@pytest.mark.parametrize("several", [False, True])
def test_ctrl_c_here_leaves_nothing_there(ssh: FakeSsh, exported: Exported, several: bool) -> None:
    Path("fleet.toml").write_text("[[hosts]]\nhost = 'one'\n[[hosts]]\nhost = 'two'\n")
    where = "fleet.toml" if several else "pi"
    options = ("--python", sys.executable, "--suite", "long.toml", "--meter", "external")
    with started(exported("a"), "--on", where, *options) as program:
        measuring(ssh, 2 if several else 1)
        program.send_signal(signal.SIGINT)
        _, told = program.communicate(timeout=60)
    assert program.returncode == 130
    assert "Traceback" not in told
    assert not ssh.left()


def test_a_killed_program_leaves_nothing_there(ssh: FakeSsh, exported: Exported) -> None:
    options = ("--python", sys.executable, "--suite", "long.toml", "--meter", "external")
    with started(exported("a"), "--on", "pi", *options):
        measuring(ssh)
    assert not ssh.left()


def test_a_fleet_is_measured_without_the_host_that_is_down(
    ssh: FakeSsh, exported: Exported, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    ssh.host("three", "echo 'ssh: connect to host three: No route to host' >&2; exit 255")
    Path("fleet.toml").write_text(
        """
        [[hosts]]
        host = "pi@one"
        port = 2222
        [[hosts]]
        host = "two"
        device = "x86-64"
        [[hosts]]
        host = "three"
        [[hosts]]
        host = "four"
        meter = "pi5_pmic"
        """
    )
    files = (exported("a"), exported("b"))
    assert bench_on("fleet.toml", *files, "--meter", "none", "--json", "out.json") == 1
    report = BenchReport.from_json(Path("out.json").read_text(), "out")
    hosts = ["pi@one:2222", "pi@one:2222", "two", "two"]
    assert [result.host for result in report.results] == hosts
    assert report.results[2].device.name == "x86-64"
    assert [failed.host for failed in report.failed_hosts] == ["three", "four"]
    assert "No route to host" in report.failed_hosts[0].why
    assert len(list((tmp_path / "runs/toy/bench").glob("*.json"))) == 2
    table = capsys.readouterr().out
    for word in ("2 hosts", "pi@one", "two", "x86-64", "Not measured on three"):
        assert word in table
    assert any("2222" in call for call in ssh.calls())
    assert not ssh.left()


def test_two_ports_of_one_machine_are_two_hosts(
    ssh: FakeSsh, exported: Exported, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    ports = (f"[[hosts]]\nhost = 'pi@lab'\nport = {port}\n" for port in (2201, 2202))
    Path("fleet.toml").write_text("".join(ports))
    options = ("--meter", "none", "--json", "out.json")
    assert bench_on("fleet.toml", exported("a"), *options) == 0
    results = BenchReport.from_json(Path("out.json").read_text(), "out").results
    assert [result.host for result in results] == ["pi@lab:2201", "pi@lab:2202"]
    # A name ends with the time, which may be 01:22:01.
    kept = [path.name.rpartition("-")[0] for path in (tmp_path / "runs/toy/bench").glob("*.json")]
    assert sorted("2201" in name for name in kept) == [False, True]
    assert "2 hosts" in capsys.readouterr().out


def test_a_fleet_of_dead_hosts_is_an_error(
    ssh: FakeSsh, exported: Exported, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("one", "two"):
        ssh.host(name, f"echo '{name}: Permission denied (publickey).' >&2; exit 255")
    Path("fleet.toml").write_text("[[hosts]]\nhost = 'one'\n[[hosts]]\nhost = 'two'\n")
    assert bench_on("fleet.toml", exported("a")) == 1
    told = capsys.readouterr().err
    for word in ("None of the 2 hosts", "ssh-copy-id one", "ssh-copy-id two"):
        assert word in told


@pytest.mark.parametrize(
    ("text", "status", "told"),
    [
        ("[[hosts]\n", 1, "is not valid TOML"),
        ("", 1, "hosts"),
        ("[[hosts]]\nhost = 'a'\nmetre = 'x'\n", 1, "metre"),
        ("[[hosts]]\nhost = 'a'\n[[hosts]]\nhost = 'a'\n", 1, "named twice"),
        ("[[hosts]]\nhost = '-oX'\n[[hosts]]\nhost = 'b; x'\n", 1, "is not a host"),
        (
            "[[hosts]]\nhost = 'a'\nmeter = 'ppk2'\n[[hosts]]\nhost = 'b'\nmeter = 'ppk2'\n",
            2,
            "Several hosts have the meter 'ppk2'",
        ),
    ],
)
def test_a_fleet_with_faults_is_refused(
    ssh: FakeSsh,
    exported: Exported,
    capsys: pytest.CaptureFixture[str],
    text: str,
    status: int,
    told: str,
) -> None:
    Path("fleet.toml").write_text(text)
    assert bench_on("fleet.toml", exported("a")) == status
    printed = capsys.readouterr().err
    assert told in printed
    assert "Traceback" not in printed
    assert not ssh.calls()


def test_a_fleet_finds_its_wheels_beside_its_file(
    ssh: FakeSsh, exported: Exported, tmp_path: Path
) -> None:
    folder = tmp_path / "lab"
    folder.mkdir()
    (folder / "fleet.toml").write_text("[[hosts]]\nhost = 'one'\nwheels = 'none'\n")
    config = BenchConfig(on=str(folder / "fleet.toml"), suite="tiny.toml")
    with pytest.raises(EdgeECGError, match=str(folder / "none")):
        remote.measure([exported("a")], config)


@pytest.mark.parametrize("text", ["[[hosts", "a = " + 5000 * "[", "\x00"])
def test_a_file_that_is_no_toml_is_no_fleet(text: str, tmp_path: Path) -> None:
    path = tmp_path / "fleet.toml"
    path.write_text(text)
    with pytest.raises(SchemaError, match=r"is not valid TOML.*table \[\[hosts\]\]"):
        fleet.read(path, Host(host="fleet.toml"))


def test_the_example_in_the_documentation_is_a_fleet(tmp_path: Path) -> None:
    page = (Path(__file__).parents[2] / "docs" / "remote.md").read_text()
    path = tmp_path / "fleet.toml"
    path.write_text(page.partition("```toml\n")[2].partition("```")[0])
    hosts = fleet.read(path, Host(host="fleet.toml", python="/opt/python", device="x86-64"))
    assert [host.host for host in hosts] == ["pi@raspberrypi.local", "pi5", "lab-box"]
    # What the file says goes before what the command line says.
    assert [host.python for host in hosts] == ["/opt/python", "/opt/python", "~/env/bin/python"]
    assert [host.device for host in hosts] == ["x86-64", "raspberry-pi-5", "x86-64"]
    assert hosts[1].wheels == tmp_path / "wheels/aarch64"
