"""A host over a connection: its preparation, its files, and everything that can go wrong."""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
import time
from pathlib import Path

import pytest
from fake_ssh import FakeSsh, install

from edgeecg.devices import _connection, _program, messages
from edgeecg.devices.remote import RemoteHost
from edgeecg.errors import EdgeECGError, RemoteError
from edgeecg.schema import Host

HERE = Host(host="pi", python=sys.executable)
PRIVATE = Host(host="pi")
ANSWER = r"""printf '\036{"type": "result", "report": "%s"}\n' "$4" """
"""What the environment's Python does: it answers with the path of the job."""


@pytest.fixture
def ssh(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> FakeSsh:
    return install(monkeypatch, tmp_path / "ssh")


def refusal(host: Host) -> RemoteError:
    with pytest.raises(RemoteError) as raised, RemoteHost(host) as remote:
        remote.run("m", {})
    return raised.value


def test_files_arrive_whole_and_nothing_stays(ssh: FakeSsh, tmp_path: Path) -> None:
    content = os.urandom(3_000_000)
    file = tmp_path / "weights '\" $x.bin"
    file.write_bytes(content)
    with RemoteHost(HERE) as remote:
        remote.send_file(file, f"files/0/{file.name}")
        (work,) = ssh.cache.glob("work-*")
        assert (work / "files/0" / file.name).read_bytes() == content
        assert work.stat().st_mode & 0o077 == 0
    assert not ssh.left()


def test_the_environment_and_the_program_are_made_once(ssh: FakeSsh) -> None:
    ssh.environment("pi", ANSWER)
    steps: list[str] = []
    for _ in range(2):
        with RemoteHost(PRIVATE, lambda what, done, total: steps.append(what)) as remote:
            answer = remote.run("m", {"a": 1})
            assert json.loads(Path(answer["report"]).read_text()) == {"a": 1}
    log = (ssh.home / "pip").read_text()
    assert log.count("pip install") == 1
    assert "psutil>=" in log
    assert "torch" not in log
    assert [step for step in steps if "sending the program" in step] == ["sending the program"]
    assert sum("installing" in step for step in steps) == 1
    assert len(list(ssh.cache.glob("env-*/bin"))) == 1
    assert not ssh.left()


def test_wheels_are_sent_and_the_internet_is_not_asked(ssh: FakeSsh, tmp_path: Path) -> None:
    ssh.environment("pi", ANSWER)
    folder = tmp_path / "my wheels"
    folder.mkdir()
    with pytest.raises(EdgeECGError, match=r"There are no wheels"):
        RemoteHost(Host(host="pi", wheels=folder))
    (folder / "numpy-2-any.whl").write_bytes(b"wheel")
    with RemoteHost(Host(host="pi", wheels=folder)):
        (work,) = ssh.cache.glob("work-*")
        assert (work / "wheels/numpy-2-any.whl").read_bytes() == b"wheel"
        log = (ssh.home / "pip").read_text()
        assert f"--no-index --find-links {work}/wheels" in log


@pytest.mark.parametrize(
    ("printed", "what", "todo"),
    [
        (
            "The virtual environment was not created successfully because ensurepip is not "
            "available.",
            "A Python environment cannot be made.",
            "sudo apt install python3-venv",
        ),
        ("OSError: [Errno 28] No space left on device", "The disk is full.", "Free some space"),
    ],
)
def test_an_environment_that_cannot_be_made(
    ssh: FakeSsh, printed: str, what: str, todo: str
) -> None:
    ssh.environment("pi", "", venv=f"import sys; print({printed!r}); sys.exit(1)")
    error = refusal(PRIVATE)
    assert error.what == f"On pi: {what}"
    assert printed in error.why
    assert todo in error.todo
    assert not list(ssh.cache.glob("env-*/"))
    assert not ssh.left()


@pytest.mark.parametrize(
    ("printed", "todo"),
    [
        (
            "WARNING: Retrying: Failed to establish a new connection: [Errno -3] Temporary failure "
            "in name resolution\nERROR: No matching distribution found for numpy",
            "--wheels",
        ),
        ("ERROR: Could not build wheels for numpy", "--python"),
    ],
)
def test_requirements_that_cannot_be_installed(ssh: FakeSsh, printed: str, todo: str) -> None:
    pip = f"#!/bin/sh\ncat >&2 <<'END'\n{printed}\nEND\nexit 1\n"
    ssh.environment(
        "pi",
        "",
        venv="import pathlib, sys\n"
        "path = pathlib.Path(sys.argv[-1]) / 'bin' / 'python'\n"
        f"path.parent.mkdir(parents=True)\npath.write_text({pip!r})\npath.chmod(0o755)\n",
    )
    error = refusal(PRIVATE)
    assert "cannot be installed" in error.what
    assert printed.splitlines()[-1] in error.why
    assert todo in error.todo
    # Half an environment is not taken for a whole one the next time.
    assert not list(ssh.cache.glob("env-*/"))


@pytest.mark.parametrize(
    "begin", ["echo 'Welcome to pi!'\n", "printf 'no newline at the end'\n", "echo warn >&2\n"]
)
def test_what_login_scripts_print_does_no_harm(ssh: FakeSsh, begin: str) -> None:
    ssh.host("pi", begin)
    with RemoteHost(HERE) as host:
        # The agent answers, and what was printed is in no message.
        assert len(host.measured_round_trips()) > 1


def test_a_host_that_answers_garbage_is_quoted(ssh: FakeSsh) -> None:
    ssh.host("pi", "echo 'Please change your password now'; exit 0")
    assert "Please change your password now" in refusal(HERE).why


def test_a_damaged_message_is_an_error(ssh: FakeSsh) -> None:
    ssh.host("pi", "read line; printf '\\036{\"type\": \\n'; cat > /dev/null")
    error = refusal(HERE)
    assert "not of edgeecg" in error.what
    assert "login script" in error.todo


def test_another_version_of_the_messages_is_refused(ssh: FakeSsh) -> None:
    ssh.host(
        "pi", 'read line; printf \'\\036{"type": "hello", "protocol": 99}\\n\'; cat > /dev/null'
    )
    error = refusal(HERE)
    assert "another version" in error.what
    assert "99" in error.why


def test_a_host_that_never_answers_is_given_up(
    ssh: FakeSsh, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_connection, "_HELLO_S", 0.5)
    monkeypatch.setattr(_connection, "_STOP_S", 2.0)
    ssh.host("pi", "echo hanging; sleep 60")
    assert "gave no answer; it printed: hanging" in refusal(HERE).why


def test_a_process_that_crashes_is_explained(ssh: FakeSsh) -> None:
    ssh.environment("pi", "echo bad file >&2; kill -SEGV $$")
    error = refusal(PRIVATE)
    assert "ended by SIGSEGV" in error.what
    assert "bad file" in error.why


def test_a_python_without_the_packages_is_explained(ssh: FakeSsh) -> None:
    with pytest.raises(RemoteError) as raised, RemoteHost(HERE) as remote:
        remote.run("no_such_module", {})
    assert "No module named no_such_module" in raised.value.why
    assert "--python" in raised.value.todo


def interrupted_by(ssh: FakeSsh, act: threading.Timer) -> BaseException:
    ssh.environment("pi", "sleep 1000 & sleep 1000")
    kinds = (RemoteError, KeyboardInterrupt)
    with pytest.raises(kinds) as raised, RemoteHost(PRIVATE) as remote:  # noqa: PT012
        act.start()
        remote.run("m", {})
    return raised.value


def test_a_lost_connection_is_an_error_and_stops_the_host(ssh: FakeSsh) -> None:
    error = interrupted_by(ssh, threading.Timer(1.0, ssh.kill))
    assert isinstance(error, RemoteError)
    assert error.what == "The connection to pi was lost."
    assert not ssh.left()


def test_an_interrupt_here_stops_the_host(ssh: FakeSsh) -> None:
    def press() -> None:
        os.kill(os.getpid(), signal.SIGINT)

    assert isinstance(interrupted_by(ssh, threading.Timer(1.0, press)), KeyboardInterrupt)
    assert not ssh.left()


def test_a_host_that_falls_silent_is_given_up(
    ssh: FakeSsh, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_connection, "HEARTBEAT_S", 0.2)
    monkeypatch.setattr(_connection, "SILENCE_S", 1.0)
    monkeypatch.setattr(_connection, "_STOP_S", 2.0)

    def freeze() -> None:
        for process in ssh.running():
            process.suspend()

    error = interrupted_by(ssh, threading.Timer(1.0, freeze))
    for process in ssh.running():
        process.resume()
    assert "has not answered for 1 s" in str(error)
    assert not ssh.left()


def test_a_host_stops_when_this_side_falls_silent(
    ssh: FakeSsh, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = _program.agent_message().replace(b"SILENCE_S = 30.0", b"SILENCE_S = 1.0")
    assert b"SILENCE_S = 1.0" in source
    monkeypatch.setattr(_connection, "agent_message", lambda: source)
    monkeypatch.setattr(_connection, "HEARTBEAT_S", 0.3)
    ssh.environment("pi", "sleep 1000")
    with RemoteHost(PRIVATE) as remote:
        time.sleep(2.0)
        # With heartbeats it is still there.
        assert ssh.running()
        monkeypatch.setattr(_connection, "HEARTBEAT_S", 60.0)
        time.sleep(0.5)
        assert not ssh.left(10.0)
        with pytest.raises(RemoteError, match="was lost"):
            remote.run("m", {})


def test_round_trips_bound_the_offset_of_one_and_the_same_clock(ssh: FakeSsh) -> None:
    with RemoteHost(HERE) as remote:
        trips = remote.measured_round_trips()
    assert len(trips) == 16
    for each in trips:
        assert abs(each.offset_s) <= each.uncertainty_s


def test_leftovers_of_a_power_cut_are_removed(ssh: FakeSsh) -> None:
    old, fresh = ssh.cache / "work-old", ssh.cache / "work-fresh"
    for folder in (old, fresh):
        folder.mkdir(parents=True)
    os.utime(old, (0, 0))
    with RemoteHost(HERE):
        assert not old.exists()
        assert fresh.exists()


def test_a_cache_that_cannot_be_written_is_explained(ssh: FakeSsh) -> None:
    (ssh.home / ".cache").write_text("a file")
    error = refusal(HERE)
    assert "cannot be written" in error.what
    assert ".cache" in error.why


def test_a_full_disk_is_explained() -> None:
    error = messages.failure(OSError(28, "No space left on device", "/home/pi/x"))
    what, why, todo = error.args
    assert what == "The disk is full."
    assert "/home/pi/x" in why
    assert "Free some space" in todo


def test_the_requirements_are_those_of_the_device_side() -> None:
    declared = [
        "numpy>=1.26",
        "psutil>=6; extra == 'device'",
        "ai-edge-litert>=2.1; (platform_machine != 'armv7l') and extra == 'device'",
        'torch>=2.8; extra == "compress"',
        "tflite-runtime>=2.14; (python_version < '3.12') and extra == 'device32'",
    ]
    assert _program.of_extra(declared, "device") == (
        "numpy>=1.26",
        "psutil>=6; python_version >= '3'",
        "ai-edge-litert>=2.1; (platform_machine != 'armv7l') and python_version >= '3'",
    )
    assert _program.of_extra(declared, "device32") == (
        "numpy>=1.26",
        "tflite-runtime>=2.14; (python_version < '3.12') and python_version >= '3'",
    )


def test_a_python_of_32_bits_gets_the_packages_that_exist_for_it(
    ssh: FakeSsh, monkeypatch: pytest.MonkeyPatch
) -> None:
    def declared(name: str) -> list[str]:
        return ["onnxruntime; extra == 'device'", "tflite-runtime; extra == 'device32'"]

    monkeypatch.setattr(_program, "requires", declared)

    def wanted(name: str, begin: str) -> str:
        ssh.environment(name, "exit 0")
        script = (ssh.root / "hosts" / name).read_text()
        ssh.host(name, script + "\n" + begin)
        with RemoteHost(Host(host=name)):
            pass
        return (ssh.home / "pip").read_text()

    assert "onnxruntime" in wanted("wide", "")
    (ssh.home / "pip").unlink()
    folder = ssh.root / "narrow"
    folder.mkdir()
    # A host whose Python says that its largest integer has 31 bits.
    (folder / "sitecustomize.py").write_text("import sys\nsys.maxsize = 2**31 - 1\n")
    narrow = wanted("narrow", f'export PYTHONPATH="{folder}:$PYTHONPATH"')
    assert "tflite-runtime" in narrow
    assert "onnxruntime" not in narrow
