"""The real pyJoules and the powercap reader, on energy counters in their place in the file system.

A mount namespace of its own has a file system over ``/sys/class`` with the kernel's file names. A
thread moves the counters at a known power, through a wrap.
"""

from __future__ import annotations

import json
import subprocess
import sys
import textwrap

import pytest

pytestmark = [pytest.mark.system, pytest.mark.alone]

PACKAGE_W, DRAM_W = 20.0, 3.0

MACHINE = textwrap.dedent(
    """
    import json, os, subprocess, sys, threading, time
    from pathlib import Path

    from edgeecg import meters
    from edgeecg.errors import MeterError

    name, before_wrap_j, seconds = sys.argv[1], float(sys.argv[2]), float(sys.argv[3])
    subprocess.run(["mount", "-t", "tmpfs", "tmpfs", "/sys/class"], check=True)
    root = Path("/sys/class/powercap")
    zones = {
        "intel-rapl/intel-rapl:0": ("package-0", 20.0, before_wrap_j),
        "intel-rapl/intel-rapl:0/intel-rapl:0:0": ("dram", 3.0, 1000.0),
        "intel-rapl/intel-rapl:0/intel-rapl:0:1": ("core", 12.0, 1000.0),
        "intel-rapl/intel-rapl:1": ("psys", 31.0, 1000.0),
    }
    RANGE_UJ = 262_143_328_850
    for path, (label, _, _) in zones.items():
        folder = root / path
        folder.mkdir(parents=True)
        (root / folder.name).symlink_to(path)
        (folder / "name").write_text(label + "\\n")
        (folder / "max_energy_range_uj").write_text(f"{RANGE_UJ}\\n")

    begun = time.perf_counter()
    stop = threading.Event()

    def move():
        while not stop.is_set():
            elapsed = time.perf_counter() - begun
            for path, (_, watts, before_j) in zones.items():
                value = round(RANGE_UJ - before_j * 1e6 + watts * elapsed * 1e6) % RANGE_UJ
                # As a whole: the kernel never shows half a number.
                (root / path / "new").write_text(f"{value}\\n")
                os.replace(root / path / "new", root / path / "energy_uj")
            time.sleep(0.001)

    thread = threading.Thread(target=move)
    thread.start()
    while not (root / "intel-rapl/intel-rapl:1/energy_uj").exists():
        time.sleep(0.01)
    try:
        meter = meters.open_meter(name)
        first, at = meter.joules(), time.perf_counter()
        end = at + seconds
        while time.perf_counter() < end:
            time.sleep(0.25)
            last, now = meter.joules(), time.perf_counter()
        result = {"zones": meter.zones, "joules": last - first, "seconds": now - at}
    except MeterError as error:
        result = {"error": str(error)}
    stop.set()
    thread.join()
    print(json.dumps(result))
    """
)


def measured(name: str, before_wrap_j: float, seconds: float) -> dict[str, object]:
    """Measure in a namespace of its own; the package's counter wraps after some energy."""
    if subprocess.run(["unshare", "-m", "true"], capture_output=True, check=False).returncode:
        pytest.skip("a mount namespace needs root")
    done = subprocess.run(
        ["unshare", "-m", sys.executable, "-c", MACHINE, name, str(before_wrap_j), str(seconds)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def test_the_powercap_reader_follows_a_wrap() -> None:
    # 20 W: the counter wraps after two of four seconds.
    found = measured("rapl", before_wrap_j=40.0, seconds=4.0)
    assert found["zones"] == ["package-0", "package-0/dram"]
    assert isinstance(found["seconds"], float)
    truth = (PACKAGE_W + DRAM_W) * found["seconds"]
    assert found["joules"] == pytest.approx(truth, rel=0.01)


def test_pyjoules_reads_the_same_energy() -> None:
    found = measured("pyjoules", before_wrap_j=1000.0, seconds=4.0)
    assert found["zones"] == ["package-0", "dram-0"]
    assert isinstance(found["seconds"], float)
    truth = (PACKAGE_W + DRAM_W) * found["seconds"]
    assert found["joules"] == pytest.approx(truth, rel=0.01)


def test_pyjoules_refuses_a_wrap_whose_range_it_does_not_know() -> None:
    found = measured("pyjoules", before_wrap_j=40.0, seconds=4.0)
    assert "wrapped" in str(found["error"])


def test_the_mounts_of_this_machine_are_left_alone() -> None:
    before = subprocess.run(["mount"], capture_output=True, text=True, check=True).stdout
    measured("rapl", before_wrap_j=1000.0, seconds=0.3)
    assert subprocess.run(["mount"], capture_output=True, text=True, check=True).stdout == before
