"""``edgeecg doctor``: a report, as text and as JSON."""

from __future__ import annotations

import json

import pytest

from edgeecg.cli import run
from edgeecg.devices import doctor as module
from edgeecg.schema import Finding

FINDINGS = [
    Finding(check="governor", ok=False, found="The governor is ondemand.", fix="echo x | sudo tee"),
    Finding(check="swap", ok=True, found="None."),
]


def test_the_report_has_its_keys_and_a_good_status(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(module, "doctor", lambda: FINDINGS)
    assert run(["doctor", "--json", "-"]) == 0
    said = capsys.readouterr()
    rows = json.loads(said.out)
    assert [{"check", "ok", "found", "fix"} <= set(row) for row in rows] == [True, True]
    assert rows[0]["ok"] is False
    assert rows[1]["fix"] is None
    # What is to be done comes last, beside its fix.
    lines = said.err.splitlines()
    assert lines[0] == "ok  swap: None."
    assert lines[1:3] == [
        "NO  governor: The governor is ondemand.",
        "    To do: echo x | sudo tee",
    ]
    assert lines[-1].startswith("Next: ")


def test_a_check_that_crashed_is_a_failure(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    crashed = Finding(check="swap", ok=False, found="It failed.", fix="Report it.", crashed=True)
    monkeypatch.setattr(module, "doctor", lambda: [crashed])
    assert run(["doctor"]) == 1
    assert "NO  swap: It failed." in capsys.readouterr().out
