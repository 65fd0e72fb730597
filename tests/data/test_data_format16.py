"""The fast reader: it reads the one kind of record it is for, and refuses all else."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings, strategies as st
from ptbxl_copies import base, error_of

from edgeecg.data.records import format16
from edgeecg.errors import DataError


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("00005_lr 12 100 1000", "00005_lr 12 100"),
        ("00005_lr 12 100 1000", "00005_lr 11 100 1000"),
        ("00005_lr 12 100 1000", "00006_lr 12 100 1000"),
        ("00005_lr 12 100 1000", "00005_lr 12 250 1000"),
        ("00005_lr.dat", "../00005_lr.dat"),
        ("00005_lr.dat 16 ", "00005_lr.dat 212 "),
        ("/mV", "/uV"),
        (" 1000.0(0)", " 0(0)"),
        (" 0 V2\n", " 0 V1\n"),
    ],
)
def test_a_header_that_is_something_else(folder: Path, old: str, new: str) -> None:
    header = base(folder, 5).with_suffix(".hea")
    header.write_text(header.read_text().replace(old, new))
    assert "00005_lr.hea" in error_of(folder)


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    where=st.floats(0, 1, exclude_max=True),
    patch=st.binary(min_size=1, max_size=12),
    cut=st.booleans(),
    suffix=st.sampled_from([".hea", ".dat"]),
)
def test_a_damaged_record_is_read_as_it_was_or_refused(
    folder: Path, where: float, patch: bytes, cut: bool, suffix: str
) -> None:
    path = base(folder, 1)
    content = {s: path.with_suffix(s).read_bytes() for s in (".hea", ".dat")}
    header = format16.parse(content[".hea"], path.with_suffix(".hea"))
    if suffix == ".dat":
        data = bytearray(content[".dat"])
        at = int(where * len(data))
        data[at] ^= patch[0] or 1
        damaged = path.parent / "damaged.dat"
        damaged.write_bytes(data[:at] if cut else data)
        with pytest.raises(DataError, match=r"damaged\.dat"):
            format16.read(header, damaged)
        damaged.unlink()
        return
    text = bytearray(content[".hea"])
    at = int(where * len(text))
    text[at : at + len(patch)] = patch
    try:
        changed = format16.parse(bytes(text[: at + 1] if cut else text), path.with_suffix(".hea"))
        format16.read(changed, path.with_suffix(".dat"))
    except DataError as error:
        assert "00001_lr" in error.what  # noqa: PT017 (either outcome is right)
    else:
        np.testing.assert_array_equal(changed.checksums, header.checksums)


@settings(max_examples=50, deadline=None)
@given(content=st.binary(max_size=100))
def test_any_bytes_are_a_header_or_refused(content: bytes) -> None:
    with pytest.raises(DataError, match=r"x\.hea"):
        format16.parse(content, Path("x.hea"))
