"""The command that reaches a host, and what its failures say."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from fake_ssh import FakeSsh, install

from edgeecg.devices import _ssh
from edgeecg.devices.remote import RemoteHost
from edgeecg.errors import RemoteError, UsageError
from edgeecg.schema import Host


@pytest.fixture
def ssh(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> FakeSsh:
    return install(monkeypatch, tmp_path / "ssh")


def refusal(name: str, python: str | None = sys.executable) -> RemoteError:
    with pytest.raises(RemoteError) as raised, RemoteHost(Host(host=name, python=python)):
        pass
    return raised.value


@pytest.mark.parametrize(
    "host",
    [
        *("", "-oProxyCommand=touch x", "-pi", "pi@-h", "-l@h", "a b", "a'b", 'a"b', "a;b", "$(a)"),
        *("a`b`", "a|b", "a\nb", "a&b", "pi@a@b", "ssh://", "a/b", "a\\b", "*"),
    ],
)
def test_what_is_no_host_never_reaches_ssh(host: str, ssh: FakeSsh) -> None:
    with pytest.raises(UsageError, match="is not a host"), RemoteHost(Host(host=host)):
        pass
    assert not ssh.calls()


@pytest.mark.parametrize(
    "host",
    [
        *("pi", "pi@raspberrypi.local", "first.last@10.0.0.7", "fe80::1%eth0", "pi@[::1]"),
        *("ssh://pi@raspberrypi.local:2222", "my_alias-2", "Gerät"),
    ],
)
def test_hosts_of_every_form_are_passed_on_after_a_double_dash(host: str) -> None:
    words = _ssh.command(host)
    assert words[words.index("--") + 1] == host
    assert len(words) == words.index("--") + 3


def test_ssh_is_told_not_to_ask_and_can_be_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EDGEECG_SSH", "my-ssh -F '/a b/config'")
    words = _ssh.command("pi", port=2222)
    assert words[:3] == ["my-ssh", "-F", "/a b/config"]
    assert "BatchMode=yes" in words
    assert words[words.index("-p") + 1] == "2222"


def test_without_ssh_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EDGEECG_SSH", "no-such-ssh")
    error = refusal("pi")
    assert "no-such-ssh" in error.why
    assert "EDGEECG_SSH" in error.todo


@pytest.mark.parametrize(
    ("printed", "why", "todo"),
    [
        # As OpenSSH 9 prints them.
        ("ssh: connect to host pi port 22: Connection refused", "not accept", "raspi-config"),
        ("ssh: connect to host pi port 22: Connection timed out", "not answer", "switched on"),
        ("ssh: connect to host pi port 22: No route to host", "not answer", "switched on"),
        ("ssh: Could not resolve hostname pi: Name or service not known", "no host", "the name"),
        ("pi: Permission denied (publickey,password).", "password", "ssh-copy-id pi"),
        ("Host key verification failed.", "is not known", "ssh pi"),
        (
            "@    WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED!     @\n"
            "Host key verification failed.",
            "is not the one that is known",
            "ssh-keygen -R",
        ),
        ("kex_exchange_identification: something new", "something new", "ssh pi python3 -V"),
    ],
)
def test_every_failure_of_ssh_has_its_advice(
    ssh: FakeSsh, printed: str, why: str, todo: str
) -> None:
    ssh.host("pi", f"cat >&2 <<'END'\n{printed}\nEND\nexit 255")
    error = refusal("pi")
    assert error.what == "pi cannot be reached over ssh."
    assert why in error.why
    assert todo in error.todo
    assert "Traceback" not in str(error)


def test_an_account_that_may_not_log_in_is_quoted(ssh: FakeSsh) -> None:
    ssh.host("pi", "echo 'This account is currently not available.'; exit 1")
    assert "This account is currently not available." in refusal("pi").why


def test_an_old_python_is_named(ssh: FakeSsh, tmp_path: Path) -> None:
    tools = tmp_path / "tools"
    tools.mkdir()
    (tools / "sh").symlink_to("/bin/sh")
    old = tools / "python3"
    old.write_text('#!/bin/sh\n[ "$1" = -V ] && echo Python 3.9.2 && exit 0\nexit 1\n')
    old.chmod(0o755)
    ssh.host("pi", f"PATH='{tools}'")
    error = refusal("pi", python=None)
    assert error.what == "pi has no Python of version 3.11 or later."
    assert "Python 3.9.2" in error.why
    assert "--python" in error.todo
    # A newer one beside it is found.
    (tools / "python3.12").symlink_to(sys.executable)
    with RemoteHost(Host(host="pi", python="python3.12")):
        pass


def test_the_python_that_is_named_may_lie_in_the_home_folder_and_have_spaces(ssh: FakeSsh) -> None:
    place = ssh.home / "it's my" / "python"
    place.parent.mkdir()
    place.write_text(f'#!/bin/sh\necho used >> "$HOME/used"\nexec {sys.executable} "$@"\n')
    place.chmod(0o755)
    with RemoteHost(Host(host="pi", python="~/it's my/python")):
        assert (ssh.home / "used").exists()


def test_a_python_that_is_not_there_is_named(ssh: FakeSsh) -> None:
    error = refusal("pi", python="/no/such/python")
    assert "/no/such/python" in error.why
