"""Whether this is a 32-bit Python on a 64-bit kernel."""

from __future__ import annotations

from edgeecg.devices.checks import CheckedHost
from edgeecg.schema import Finding

_KERNELS_64 = ("aarch64", "arm64", "x86_64", "AMD64")


def check(host: CheckedHost) -> list[Finding]:
    """Compare the width of this Python with that of the kernel."""
    kernel = 64 if host.machine in _KERNELS_64 else host.bits
    if host.bits == kernel:
        return [Finding(check="userland", ok=True, found=f"{kernel}-bit kernel and Python.")]
    return [
        Finding(
            check="userland",
            ok=False,
            found=f"A {host.bits}-bit Python runs on a {kernel}-bit kernel ({host.machine}): the "
            "current runtimes LiteRT and ONNX Runtime have no 32-bit packages, and float32 is "
            "slower.",
            fix="Install the 64-bit operating system, or stay with the older runtime: "
            "pip install 'edgeecg[device32]'",
        )
    ]
