"""What the processor is and which vector instructions it has, from ``/proc/cpuinfo``."""

from __future__ import annotations

from pathlib import Path

from edgeecg.devices import _kernel_files

ROOT = Path("/")

# Names of the kernel: arch/x86/include/asm/cpufeatures.h, arch/arm64/kernel/cpuinfo.c and
# arch/arm/kernel/setup.c.
_EXTENSIONS = (
    *("sse4_1", "sse4_2", "avx", "fma", "f16c", "avx2", "avx_vnni", "avx_vnni_int8"),
    *("avx512f", "avx512bw", "avx512dq", "avx512vl", "avx512_vnni", "avx512_bf16", "avx512_fp16"),
    *("amx_tile", "amx_int8", "amx_bf16"),
    *("neon", "vfpv4", "asimd", "fphp", "asimdhp", "asimddp", "asimdfhm", "i8mm", "bf16"),
    *("sve", "sve2", "svei8mm", "sme"),
)
_INT8_DOT_PRODUCT = frozenset(
    {"avx512_vnni", "avx_vnni", "avx_vnni_int8", "amx_int8", "asimddp", "i8mm", "svei8mm"}
)

# MIDR_EL1 implementer and part number: arch/arm64/include/asm/cputype.h.
_CORES = {
    ("0x41", "0xb76"): "ARM1176",
    ("0x41", "0xc07"): "Cortex-A7",
    ("0x41", "0xc08"): "Cortex-A8",
    ("0x41", "0xc09"): "Cortex-A9",
    ("0x41", "0xc0f"): "Cortex-A15",
    ("0x41", "0xd03"): "Cortex-A53",
    ("0x41", "0xd04"): "Cortex-A35",
    ("0x41", "0xd05"): "Cortex-A55",
    ("0x41", "0xd07"): "Cortex-A57",
    ("0x41", "0xd08"): "Cortex-A72",
    ("0x41", "0xd09"): "Cortex-A73",
    ("0x41", "0xd0a"): "Cortex-A75",
    ("0x41", "0xd0b"): "Cortex-A76",
    ("0x41", "0xd0c"): "Neoverse-N1",
    ("0x41", "0xd0d"): "Cortex-A77",
    ("0x41", "0xd40"): "Neoverse-V1",
    ("0x41", "0xd41"): "Cortex-A78",
    ("0x41", "0xd42"): "Cortex-A78AE",
    ("0x41", "0xd46"): "Cortex-A510",
    ("0x41", "0xd49"): "Neoverse-N2",
    ("0x41", "0xd4f"): "Neoverse-V2",
}


def name(root: Path = ROOT) -> str | None:
    """Return the name of the processor (x86), or None where the kernel does not give one.

    psutil does not read it, and ``platform.processor()`` is empty on most Linux.

    Args:
        root: Root of the file system.
    """
    return _kernel_files.cpuinfo(root).get("model name")


def extensions(root: Path = ROOT) -> tuple[str, ...] | None:
    """Return the vector and matrix extensions of the processor, or None if they are unknown.

    A process under QEMU's user emulation may read the list of the machine below it.

    Args:
        root: Root of the file system.
    """
    listed = _listed(root)
    return None if listed is None else tuple(name for name in _EXTENSIONS if name in listed)


def has_int8_dot_product(extensions: tuple[str, ...] | None) -> bool | None:
    """Return whether sums of int8 products are one instruction; None if that is unknown.

    Args:
        extensions: What :func:`extensions` returned.
    """
    return None if extensions is None else not _INT8_DOT_PRODUCT.isdisjoint(extensions)


def core(root: Path = ROOT) -> str | None:
    """Return the name of an ARM processor's cores, e.g. ``"Cortex-A76"``, or None.

    ARM kernels give numbers instead of a name. Of a processor with different cores this is the
    first one.

    Args:
        root: Root of the file system.
    """
    lines = _kernel_files.cpuinfo(root)
    return _CORES.get((lines.get("CPU implementer", ""), lines.get("CPU part", "")))


def _listed(root: Path) -> frozenset[str] | None:
    lines = _kernel_files.cpuinfo(root)
    features = lines.get("flags", lines.get("Features"))
    return None if features is None else frozenset(features.split())
