"""Records as the PhysioNet Challenges 2020 and 2021 have them, written with SciPy."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import scipy.io
from numpy.typing import NDArray

LEADS = ("I", "II", "III", "aVR", "aVL", "aVF", "V1", "V2", "V3", "V4", "V5", "V6")


def write(
    folder: Path,
    name: str,
    codes: str | None,
    *,
    fs: int = 500,
    seconds: float = 10,
    unit: str = "mV",
    leads: tuple[str, ...] = LEADS,
) -> NDArray[np.float64]:
    """Write ``NAME.mat`` and ``NAME.hea``.

    Args:
        folder: Where to; created when missing.
        name: Name of the record.
        codes: SNOMED CT codes of the comment ``Dx``, or None for a header without it.
        fs: Sampling rate.
        seconds: Length.
        unit: Unit in the header; the signal is in millivolts.
        leads: Names of the leads.

    Returns:
        The signal in millivolts, ``(leads, samples)``.
    """
    folder.mkdir(parents=True, exist_ok=True)
    time = np.arange(round(fs * seconds)) / fs
    seed = sum(name.encode())
    signal = np.stack([np.sin(2 * np.pi * (1 + seed % 7) * time + lead) for lead in range(12)])
    digital = np.rint(1000 * signal[: len(leads)]).astype(np.int16)
    # Format 4 of MATLAB has 20 bytes of header and the name "val" behind it: 24 in all.
    scipy.io.savemat(folder / f"{name}.mat", {"val": digital}, format="4")
    lines = [f"{name} {len(leads)} {fs} {len(time)} 05-Feb-2020 11:39:16"]
    for lead, values in zip(leads, digital, strict=True):
        total = int(np.int64(values.sum(dtype=np.int64)).astype(np.int16))
        lines.append(f"{name}.mat 16+24 1000/{unit} 16 0 {values[0]} {total} 0 {lead}")
    lines += ["#Age: 74", "#Sex: Male"]
    lines += [] if codes is None else [f"#Dx: {codes}"]
    (folder / f"{name}.hea").write_text("\n".join([*lines, "#Rx: Unknown"]) + "\n")
    return digital / 1000
