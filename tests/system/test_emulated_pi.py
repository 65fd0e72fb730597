"""edgeecg on an emulated Raspberry Pi: the wheel installed from nothing, doctor, bench, costs."""

from __future__ import annotations

import json
import shutil
import statistics
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import emulated_ssh
import pytest
from emulated_pi import (
    ARM64,
    PI_4,
    PI_5,
    Board,
    EmulatedPi,
    downloaded_wheels,
    skip_unless_possible,
)
from simulated_supply import BUSY_W, IDLE_W
from system_program import SMALL, run_in

pytestmark = [pytest.mark.system, pytest.mark.alone]

ENVIRONMENT = "/root/edgeecg"
EDGEECG = f"{ENVIRONMENT}/bin/edgeecg"
FILES = ("cnn1d-baseline-tflite", "cnn1d-compressed-tflite-int8")


PLATFORMS = (
    *(f"manylinux_2_{minor}_aarch64" for minor in (28, 27, 26, 24, 17)),
    "manylinux2014_aarch64",
)


@pytest.fixture(scope="module")
def pi(tmp_path_factory: pytest.TempPathFactory, story: Path, wheel: Path) -> EmulatedPi:
    """A Pi on which edgeecg is installed from wheels alone, with two files of a run."""
    skip_unless_possible()
    folder = tmp_path_factory.mktemp("pi")
    made = EmulatedPi(folder, ARM64, PI_4)
    wheels = downloaded_wheels("wheels-arm64", PLATFORMS, {f"{wheel}[device]": True})
    shutil.copytree(wheels, made.root / "wheels")
    shutil.copy(wheel, made.root / "wheels")
    made.run("python3", "-m", "venv", ENVIRONMENT)
    install = ("install", "-q", "--no-compile", "--no-index", "--find-links", "/wheels")
    made.run(f"{ENVIRONMENT}/bin/pip", *install, "edgeecg[device]")
    shutil.rmtree(made.root / "wheels")
    for name in FILES:
        for suffix in (".tflite", ".probe.npz"):
            shutil.copy(story / f"runs/small/artifacts/{name}{suffix}", made.root / "root")
    return made


def benched(pi: EmulatedPi, board: Board, names: Sequence[str]) -> tuple[dict[str, Any], str]:
    """Return the report of some files on a board, and what was printed."""
    pi.board = board
    files = [f"/root/{name}.tflite" for name in names]
    done = pi.run(
        EDGEECG, "bench", *files, "--suite", "quick", "--json", f"/root/{report_name(board)}"
    )
    return json.loads((pi.root / "root" / report_name(board)).read_text()), done.stdout


def report_name(board: Board) -> str:
    """Return the name of a board's report: each its own, so that tests run in any order."""
    return "pi-5.json" if board is PI_5 else "pi-4.json"


@pytest.fixture(scope="module")
def on_pi_5(pi: EmulatedPi) -> tuple[dict[str, Any], str]:
    return benched(pi, PI_5, FILES)


def test_the_environment_is_small(pi: EmulatedPi) -> None:
    folder = pi.root / ENVIRONMENT.lstrip("/")
    files = [path for path in folder.rglob("*") if not path.is_dir() and not path.is_symlink()]
    without = [path for path in files if "onnxruntime" not in path.parts]
    assert sum(path.lstat().st_size for path in without) < 200e6
    assert not list(folder.rglob("torch"))


@pytest.mark.parametrize("board", [PI_4, PI_5], ids=["pi4", "pi5"])
def test_doctor_knows_the_board_and_its_meter(pi: EmulatedPi, board: Board) -> None:
    pi.board = board
    checks = json.loads(pi.run(EDGEECG, "doctor", "--json", "-").stdout)
    found = {each["check"]: each for each in checks}
    assert all({"check", "ok", "found", "fix"} <= set(each) for each in checks)
    assert board.model.partition(" Model")[0] in found["device"]["found"]
    assert ("pi5_pmic" if board is PI_5 else "hwmon") in found["energy"]["found"]
    assert not found["emulation"]["ok"]
    assert found["undervoltage"]["ok"]
    # The A72 of a Pi 4 has no int8 dot product, the A76 of a Pi 5 has.
    assert found["int8"]["ok"] == (board is PI_5)


def test_doctor_tells_of_throttling_and_undervoltage(pi: EmulatedPi) -> None:
    answer = pi.supply.folder / "get_throttled"
    before = answer.read_text()
    # Bit 0: undervoltage now; bit 18: it has been throttled since boot.
    answer.write_text("throttled=0x40001\n")
    try:
        checks = json.loads(pi.run(EDGEECG, "doctor", "--json", "-").stdout)
    finally:
        answer.write_text(before)
    found = {each["check"]: each for each in checks}
    assert not found["undervoltage"]["ok"]
    assert not found["throttling"]["ok"]


def test_a_pi_4_measures_joules_with_an_ina219(pi: EmulatedPi) -> None:
    # The int8 file is measured over ssh, below.
    report, printed = benched(pi, PI_4, FILES[:1])
    (result,) = report["results"]
    assert result["device"]["name"] == "raspberry-pi-4"
    assert result["device"]["machine"] == "aarch64"
    check(result, "hwmon")
    assert "EMULATED" in printed


def test_a_pi_5_measures_joules_by_itself(on_pi_5: tuple[dict[str, Any], str]) -> None:
    report, printed = on_pi_5
    for result in report["results"]:
        assert result["device"]["name"] == "raspberry-pi-5"
        check(result, "pi5_pmic")
    assert "EMULATED" in printed
    assert any(result["energy"]["tier"] == "measured" for result in report["results"])


def check(result: dict[str, Any], meter: str) -> None:
    """Check one result against the supply, which is known."""
    assert result["device"]["emulated"] is True
    energy = result["energy"]
    assert energy["meter"] == meter
    assert energy["tier"] in ("measured", "not resolved")
    assert IDLE_W * 0.9 < energy["idle_w"] < IDLE_W + BUSY_W
    # Times of the windows themselves: a busy host gives each part another share of its processor.
    busy = [window for window in result["energy_windows"] if window["inferences"]]
    seconds = [(each["ended_s"] - each["begun_s"]) / each["inferences"] for each in busy]
    gross_w = energy["gross_j"] / statistics.median(seconds)
    assert IDLE_W * 0.8 < gross_w < 1.25 * (IDLE_W + BUSY_W)
    if energy["tier"] == "measured":
        assert 0 < energy["net_j"] < energy["gross_j"]
    agreement = result["parity"]["label_agreement"]
    assert agreement == 1.0 if result["artifact"]["dtype"] == "float32" else agreement >= 0.9


def test_compress_takes_its_costs(
    on_pi_5: tuple[dict[str, Any], str], pi: EmulatedPi, tmp_path: Path
) -> None:
    # A folder of its own: in that of the story it would be the newest run of other tests.
    shutil.copy(pi.root / "root" / report_name(PI_5), tmp_path / "pi.json")
    options = ("--name", "for-pi", "--costs", "pi.json", "--budget", "latency=0.7")
    training = SMALL[: SMALL.index("--steps")]
    printed = run_in(tmp_path)("compress", *training, "--finetune-epochs", "1", *options).stdout
    assert "raspberry-pi-5" in printed
    assert "emulator" in printed
    log = json.loads((tmp_path / "runs/for-pi/compression.json").read_text())
    assert log["config"]["costs"]["device"] == "raspberry-pi-5"
    assert log["config"]["costs"]["emulated"] is True
    assert log["steps"][-1]["latency_predicted"] <= 0.7 + 1e-6


def test_the_report_sets_joules_beside_the_proxy(
    on_pi_5: tuple[dict[str, Any], str], pi: EmulatedPi, story: Path
) -> None:
    shutil.copy(pi.root / "root" / report_name(PI_5), story / "pi.json")
    run_in(story)("report", "--run", "small", "--bench", "pi.json", "--html", "pi.html")
    page = (story / "pi.html").read_text()
    assert "raspberry-pi-5 (emulated)" in page
    assert "pi5_pmic" in page


def test_bench_on_it_over_ssh(
    pi: EmulatedPi, story: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if (reason := emulated_ssh.missing()) is not None:
        pytest.skip(reason)
    pi.board = PI_4
    file = story / f"runs/small/artifacts/{FILES[1]}.tflite"
    with emulated_ssh.server(pi, tmp_path / "ssh") as ssh:
        monkeypatch.setenv("EDGEECG_SSH", ssh)
        options = ("--on", emulated_ssh.HOST, "--python", f"{ENVIRONMENT}/bin/python")
        out = tmp_path / "out.json"
        run_in(tmp_path)("bench", str(file), *options, "--suite", "quick", "--json", str(out))
        running = subprocess.run(
            [*ssh.split(), emulated_ssh.HOST, "pgrep -c sleep; pgrep -c python || true"],
            capture_output=True,
            text=True,
            check=True,
            timeout=120,
        )
    (result,) = json.loads(out.read_text())["results"]
    assert result["device"]["name"] == "raspberry-pi-4"
    check(result, "hwmon")
    # What keeps the Pi running is found (with a thread of QEMU), and nothing that bench started.
    kept_running, left_over = map(int, running.stdout.split())
    assert kept_running
    assert not left_over


def test_a_damaged_file_is_an_error_there_too(pi: EmulatedPi) -> None:
    whole = (pi.root / f"root/{FILES[0]}.tflite").read_bytes()
    (pi.root / "root/half.tflite").write_bytes(whole[: len(whole) // 2])
    errors = pi.run(EDGEECG, "bench", "/root/half.tflite", "--meter", "none", status=1).stderr
    assert "half.tflite" in errors
    assert "Traceback" not in errors
