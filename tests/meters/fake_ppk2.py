"""A PPK2 that speaks its protocol through a pseudo-terminal, in a process of its own.

``python fake_ppk2.py OPTIONS`` (a JSON object) prints the path of the terminal, then a JSON line
for every command that it receives. The current alternates between two values from the start
on, whose time is in its line: in seconds of ``time.perf_counter()``, which is the same in all
processes on Linux.
"""

from __future__ import annotations

import json
import os
import select
import subprocess
import sys
import time
import tty
from typing import Any

import numpy as np

RATE_HZ = 100_000
# With these, current in A = 4 * adc * (1.8 / 163840) / R, by Nordic's own formula.
METADATA = "\n".join(
    [
        "Calibrated: 1",
        *(f"R{i}: {r}" for i, r in enumerate((1031.64, 101.65, 10.15, 0.94, 0.043))),
        *(f"GS{i}: 0" for i in range(5)),
        *(f"GI{i}: 1" for i in range(5)),
        *(f"{key}{i}: 0" for key in "OSI" for i in range(5)),
        *(f"UG{i}: 1" for i in range(5)),
        "HW: 9173",
        "IA: 57",
        "END",
    ]
)
RANGE, RESISTANCE = 3, 0.94
STEP_A = 4 * (1.8 / 163840) / RESISTANCE
NAMES = {0x06: "start", 0x07: "stop", 0x0C: "power", 0x0D: "voltage", 0x11: "mode", 0x19: "data"}
ARGUMENTS = {0x0C: 1, 0x0D: 2, 0x11: 1}


def words(first: int, counts: np.ndarray[Any, Any], numbered: bool) -> np.ndarray[Any, Any]:
    """Return the words of samples: ADC value, range, and the number of the sample."""
    found = counts.astype("<u4") | np.uint32(RANGE << 14)
    if numbered:
        found |= ((first + np.arange(counts.size)) % 64).astype("<u4") << np.uint32(18)
    return found


class Fake:
    """The instrument's firmware."""

    def __init__(self, master: int, options: dict[str, Any]) -> None:
        self.master = master
        self.options = options
        self.rate_hz = RATE_HZ * (1 + options.get("skew", 0.0))
        self.begun: float | None = None
        self.sent = 0

    def handle(self, content: bytes) -> None:
        i = 0
        while i < len(content):
            code = content[i]
            arguments = list(content[i + 1 : i + 1 + ARGUMENTS.get(code, 0)])
            i += 1 + len(arguments)
            event: dict[str, Any] = {"command": NAMES.get(code, hex(code)), "with": arguments}
            if code == 0x19 and not self.options.get("mute"):
                os.write(self.master, METADATA.encode())
            if code == 0x06:
                self.begun, self.sent = time.perf_counter(), 0
                event["begun_s"] = self.begun
            if code == 0x07:
                self.begun = None
            print(json.dumps(event), flush=True)

    def stream(self) -> None:
        """Send the samples that are due, late as USB is."""
        if self.begun is None:
            return
        elapsed = time.perf_counter() - self.begun
        stop_s = self.options.get("silent_after_s")
        due = int((elapsed if stop_s is None else min(elapsed, stop_s)) * self.rate_hz)
        if due <= self.sent:
            return
        first = self.sent
        number = np.arange(first, due)
        half = np.floor(number / self.rate_hz / self.options["half_period_s"]).astype(int) % 2
        low, high = self.options["adc"]
        content = words(first, np.where(half == 0, low, high), self.options.get("numbered", True))
        garbage = self.options.get("garbage")
        if garbage:
            # Full scale in the lowest resistance: 16.7 A, more than the instrument can measure.
            every, length = garbage
            content[number % every < length] = 0x3FFF | 4 << 14
        lose = self.options.get("lose")
        if lose:
            begin, size = lose
            content = content[(number < begin) | (number >= begin + size)]
        raw = content.tobytes()
        cut = self.options.get("cut_byte_at")
        if cut is not None and first <= cut < due:
            raw = raw[: 4 * (cut - first)] + raw[4 * (cut - first) + 1 :]
        self.sent = due
        while raw:
            try:
                raw = raw[os.write(self.master, raw) :]
            except BlockingIOError:
                # Nobody reads any more, and the test waits for the end of this process.
                if select.select([sys.stdin], [self.master], [], 0.1)[0]:
                    return


def main(options: dict[str, Any]) -> None:
    master, slave = os.openpty()
    tty.setraw(slave)
    print(os.ttyname(slave), flush=True)
    os.set_blocking(master, False)
    fake = Fake(master, options)
    while True:
        ready, _, _ = select.select([master, sys.stdin], [], [], 0.002)
        if master in ready:
            fake.handle(os.read(master, 256))
        elif ready:
            return
        fake.stream()


class Running:
    """The process, its port and what it was told."""

    def __init__(self, **options: Any) -> None:
        options = {"adc": [1000, 5000], "half_period_s": 0.5, **options}
        self.process = subprocess.Popen(
            [sys.executable, __file__, json.dumps(options)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self.process.stdout is not None
        self.port = self.process.stdout.readline().strip()

    def stop(self) -> list[dict[str, Any]]:
        """End the process and return the commands that it received."""
        lines, _ = self.process.communicate()
        return [json.loads(line) for line in lines.splitlines()]

    def unplug(self) -> None:
        self.process.kill()
        self.process.wait()


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
