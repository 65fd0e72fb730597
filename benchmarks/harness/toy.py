"""Synthetic databases under the names of the real ones, for ``--quick``.

Every experiment then runs the code that it runs on real records. The figures say nothing.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

SECONDS_OF_A_RECORD = 40
PTBXL_RECORDS = 60


def databases(folder: Path) -> None:
    """Write ``mitdb/``, ``nstdb/`` and ``ptbxl/`` into a folder, unless they are there.

    Args:
        folder: What ``EDGEECG_DATA`` is then set to.
    """
    import wfdb

    from edgeecg.data.sources import _synthetic_beats, _synthetic_ptbxl
    from edgeecg.data.sources.mitdb import DS1, DS2, PACED

    done = folder / "complete"
    if done.is_file():
        return
    for name in ("mitdb", "nstdb", "ptbxl"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    records = tuple(sorted((*DS1, *DS2, *PACED)))
    _synthetic_beats.generate(folder / "mitdb", names=records, duration_s=SECONDS_OF_A_RECORD)
    _synthetic_ptbxl.generate(folder / "ptbxl", PTBXL_RECORDS)
    rng = np.random.default_rng(0)
    for kind in ("bw", "ma"):
        noise_mv = np.cumsum(rng.normal(0, 0.01, (4 * 360 * SECONDS_OF_A_RECORD, 2)), axis=0)
        wfdb.wrsamp(
            kind,
            fs=360,
            units=["mV", "mV"],
            sig_name=["noise1", "noise2"],
            p_signal=noise_mv - noise_mv.mean(axis=0),
            fmt=["16", "16"],
            write_dir=str(folder / "nstdb"),
        )
    done.touch()
