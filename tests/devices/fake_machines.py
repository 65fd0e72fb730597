"""Roots of a file system with the files of other machines."""

from __future__ import annotations

from pathlib import Path

PI4_CORE = """processor\t: 0
BogoMIPS\t: 108.00
Features\t: fp asimd evtstrm crc32 cpuid
CPU implementer\t: 0x41
CPU architecture: 8
CPU part\t: 0xd08
"""
PI5_CORE = """processor\t: 0
Features\t: fp asimd aes crc32 atomics fphp asimdhp cpuid asimdrdm lrcpc dcpop asimddp
CPU implementer\t: 0x41
CPU architecture: 8
CPU part\t: 0xd0b
"""
PI4_CORE_32 = """processor\t: 0
model name\t: ARMv7 Processor rev 3 (v7l)
Features\t: half thumb fastmult vfp edsp neon vfpv3 tls vfpv4 idiva idivt vfpd32 lpae crc32
CPU implementer\t: 0x41
CPU architecture: 7
CPU part\t: 0xd08
"""


def put(root: Path, name: str, text: str) -> Path:
    """Write a file below a root, with the folders it needs."""
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text.encode())
    return root


def board(root: Path, model: str) -> Path:
    # The kernel ends the text with a null byte.
    return put(root, "proc/device-tree/model", f"{model}\0")


def cpu_flags(root: Path, flags: str) -> Path:
    return put(root, "proc/cpuinfo", f"processor\t: 0\nmodel name\t: X\nflags\t\t: {flags}\n")
