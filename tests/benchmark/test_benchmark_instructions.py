"""Counting instructions: the program in the emulated machine, and what reads its results."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import emulator_programs as programs
import numpy as np
import pytest
from bench_command import bench
from tiny_tflite import Op, T, build

from edgeecg.benchmark import _instructions_guest as guest, instructions
from edgeecg.errors import ArtifactError, EdgeECGError
from edgeecg.schema import InstructionReport

SAMPLES = (1300, 1000, 1020, 1010, 1000, 1000, 1400, 1030, 1005, 1002, 1040)
MEDIAN = 1010
WEIGHTS = np.arange(12, dtype=np.float32).reshape(3, 4)


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """A file with one fully connected layer of 12 MACs, and its probe set."""
    path = tmp_path / "tiny.tflite"
    tensors = [T((1, 4)), T((3, 4), values=WEIGHTS), T((1, 3))]
    path.write_bytes(build(tensors, [Op("FULLY_CONNECTED", [0, 1], [2])]))
    return path


def answer(file: int = 0, **changes: Any) -> str:
    """Return the line of a file that was counted."""
    found = {
        "file": file,
        "runtime": "litert 2.3.0",
        "input_shape": [1, 4],
        "samples": SAMPLES,
        "operations": [["fc", "Fully Connected", 990]],
        "operations_method": "LiteRT profiler",
        "operations_reason": None,
        "parity": {"n": 4, "max_abs_diff": 0.0, "label_agreement": 1.0, "reason": None},
        "system": "Linux-6.1",
        "python": "3.11.2",
    }
    return guest.MARK + json.dumps(found | changes)


@pytest.fixture
def log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The log of a QEMU that prints a message of Linux and the result of one file."""
    programs.built(tmp_path, monkeypatch)
    monkeypatch.setenv("QEMU_PRINTS", json.dumps(["[    1.0] a message", answer()]))
    return tmp_path / "log"


def test_the_median_is_the_count(model: Path, log: Path) -> None:
    report = instructions.count([model], "emulated:cortex-a72", command="edgeecg bench")
    (result,) = report.results
    counted = result.instructions
    assert counted.per_inference == MEDIAN
    assert (counted.core, counted.emulator) == ("cortex-a72", "qemu 7.2.22")
    assert counted.samples == SAMPLES
    assert [each.instructions for each in counted.operations] == [990]
    assert result.tier == "emulated"
    assert result.device.emulated
    assert result.proxy.macs == 12
    assert "latency" not in result.to_document()
    assert InstructionReport.from_json(report.to_json(), "text") == report


def test_the_machine_counts_instructions_and_is_the_core_asked_for(model: Path, log: Path) -> None:
    instructions.count([model], "emulated:cortex-a76")
    (started,) = programs.starts(log)
    options = dict(zip(started["arguments"], started["arguments"][1:], strict=False))
    assert options["-cpu"] == "cortex-a76"
    assert options["-icount"] == "shift=0,sleep=off"
    assert options["-smp"] == "1"
    assert options["-append"].endswith("-- edgeecg.benchmark._instructions_guest")
    initrd = bytes.fromhex(started["initrd"])
    assert model.read_bytes() in initrd
    assert b"job/edgeecg/benchmark/_instructions_guest.py\0" in initrd
    assert b"packages/numpy/__init__.py\0" in initrd


def test_the_program_in_the_machine_runs_the_files_of_the_job(
    model: Path, log: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    x = np.eye(4, dtype=np.float32)[:, None, :].reshape(4, 4)
    job = tmp_path / "job.json"
    broken = tmp_path / "broken.tflite"
    broken.write_bytes(b"\x18\0\0\0TFL3" + b"\0" * 64)
    jobs = [
        {"path": str(path), "shapes": {}, "task": "beats", "operations": True}
        for path in (broken, model)
    ]
    job.write_text(json.dumps(jobs))
    monkeypatch.setattr(guest, "JOB", job)
    assert x.shape == (4, 4)
    guest.main()
    lines = [
        json.loads(line.removeprefix(guest.MARK))
        for line in capfd.readouterr().out.split("\n")
        if line.startswith(guest.MARK)
    ]
    assert [line["file"] for line in lines] == [0, 1]
    assert "broken.tflite" in lines[0]["error"][0]
    assert len(lines[1]["samples"]) == guest.COUNTED
    assert min(lines[1]["samples"]) > 0
    assert lines[1]["input_shape"] == [1, 4]


def test_a_file_that_kills_its_process_is_reported(
    model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    def crash(job: dict[str, Any]) -> dict[str, Any]:
        os.kill(os.getpid(), 9)
        return job

    job = tmp_path / "job.json"
    job.write_text(json.dumps([{"path": str(model)}]))
    monkeypatch.setattr(guest, "JOB", job)
    monkeypatch.setattr(guest, "counted", crash)
    guest.main()
    printed = capfd.readouterr().out
    assert json.loads(printed.removeprefix(guest.MARK))["error"][1] == (
        "The process ended with status -9."
    )


def test_a_long_probe_set_is_shortened(
    model: Path, log: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    x = np.arange(640 * 4, dtype=np.float32).reshape(640, 1, 4)
    np.savez(tmp_path / "tiny.probe.npz", x=x, logits=x[:, 0, :3])
    instructions.count([model], "emulated:cortex-a72")
    (started,) = programs.starts(log)
    content = bytes.fromhex(started["initrd"])
    begun = content.index(b"PK\x03\x04")
    (tmp_path / "sent.npz").write_bytes(content[begun:])
    # A zip file is read from its end, which is followed by other files here.
    end = content.index(b"PK\x05\x06", begun) + 22
    (tmp_path / "sent.npz").write_bytes(content[begun:end])
    with np.load(tmp_path / "sent.npz") as sent:
        assert np.array_equal(sent["x"], x[::10])
        assert np.array_equal(sent["logits"], x[::10, 0, :3])


@pytest.mark.parametrize(
    ("prints", "settings", "expected"),
    [
        ([], {}, "did not count"),
        (["Kernel panic - not syncing"], {}, "Kernel panic"),
        ([answer(samples=[5])], {}, "1 counts instead of 11"),
        (["qemu: unknown CPU"], {"QEMU_STATUS": "1"}, "ended with status 1"),
        (["booting"], {"QEMU_SLEEPS": "30"}, "not finished after 1 s"),
        ([], {"QEMU_VERSION": "nothing"}, "--version"),
    ],
)
def test_a_machine_that_fails_is_an_error(
    model: Path, log: Path, monkeypatch: pytest.MonkeyPatch,
    prints: list[str], settings: dict[str, str], expected: str,
) -> None:  # fmt: skip
    monkeypatch.setattr(instructions, "SECONDS", 0.5)
    monkeypatch.setenv("QEMU_PRINTS", json.dumps(prints))
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(EdgeECGError, match=expected):
        instructions.count([model], "emulated:cortex-a72")


def test_what_the_machine_says_of_a_file_is_repeated(
    model: Path, log: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    error = ["/job/files/0/tiny.tflite cannot be run.", "LiteRT reports: no.", "Export it again."]
    line = guest.MARK + json.dumps({"file": 0, "error": error})
    monkeypatch.setenv("QEMU_PRINTS", json.dumps([line]))
    with pytest.raises(ArtifactError) as caught:
        instructions.count([model], "emulated:cortex-a72")
    assert caught.value.what == f"{model} cannot be run."


def test_without_an_image_the_command_that_builds_it_is_named(
    model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "empty"))
    with pytest.raises(EdgeECGError, match="edgeecg emulator build"):
        instructions.count([model], "emulated:cortex-a72")


def test_the_command_writes_the_report_and_says_what_it_is_not(
    model: Path, log: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out.json"
    assert bench(model, "--device", "emulated:cortex-a76", "--json", out) == 0
    (result,) = json.loads(out.read_text())["results"]
    assert result["instructions"]["per_inference"] == MEDIAN
    assert result["instructions"]["core"] == "cortex-a76"
    assert result["device"]["emulated"] is True
    printed = capsys.readouterr().out
    assert "1,010" in printed
    assert "not a time of a Raspberry Pi 5" in printed


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (["--device", "emulated:cortex-a27"], "emulated:cortex-a72"),
        (["--device", "emulated:cortex-a72", "--rate", "1"], "'--rate'"),
        (["--device", "emulated:cortex-a72", "--threads", "2"], "'--threads'"),
        (["--device", "emulated:cortex-a72", "--meter", "rapl"], "'--meter'"),
    ],
)
def test_options_that_do_not_fit_are_wrong_usage(
    model: Path, capsys: pytest.CaptureFixture[str], options: list[str], expected: str
) -> None:
    assert bench(model, *options) == 2
    assert expected in capsys.readouterr().err


def test_only_tflite_files_are_counted(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "model.onnx").touch()
    assert bench(tmp_path / "model.onnx", "--device", "emulated:cortex-a72") == 2
    assert "--target tflite" in capsys.readouterr().err
