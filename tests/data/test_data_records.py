"""The reader: what it reads, and that every kind of damage is named with its record."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings, strategies as st

from edgeecg.data.records.reader import Record, describe, read
from edgeecg.errors import DataError

WriteRecord = Callable[..., Path]


def test_a_lead_is_found_by_its_name_and_comes_in_millivolts(write_record: WriteRecord) -> None:
    record = read(write_record(), "100", ("MLII",))
    # Second lead: 1024 - ramp, baseline 1000, 100 units per mV.
    expected = (1024 - np.arange(2000) % 300 - 1000) / 100
    np.testing.assert_allclose(record.signal_mv, expected[None], rtol=0, atol=1e-12)
    assert record.fs_hz == 360
    assert record.samples.tolist() == [700, 1100, 1500]
    assert record.symbols == ("N", "A", "V")


def test_leads_come_in_the_order_asked_for(write_record: WriteRecord) -> None:
    folder = write_record()
    both = read(folder, "100", ("MLII", "V5")).signal_mv
    swapped = read(folder, "100", ("V5", "MLII")).signal_mv
    np.testing.assert_array_equal(both, swapped[::-1])


@pytest.mark.parametrize("fmt", ["16", "24", "32", "80", "212"])
def test_signal_formats(write_record: WriteRecord, fmt: str) -> None:
    digital = np.stack([np.arange(1999) % 100, np.arange(1999) % 90], axis=1)
    folder = write_record(digital=digital, fmt=[fmt, fmt])
    record = read(folder, "100", ("V5",))
    np.testing.assert_allclose(record.signal_mv[0], (digital[:, 0] - 1024) / 200)


def _error(folder: Path, lead: str = "MLII") -> DataError:
    with pytest.raises(DataError) as caught:
        read(folder, "100", (lead,))
    assert "100" in caught.value.what
    assert str(folder) in caught.value.what
    assert caught.value.todo
    return caught.value


def test_truncated_dat_names_both_sizes(write_record: WriteRecord) -> None:
    folder = write_record()
    data = (folder / "100.dat").read_bytes()
    (folder / "100.dat").write_bytes(data[:-1000])
    assert "6000 bytes" in _error(folder).why
    assert "5000" in _error(folder).why


def test_missing_dat(write_record: WriteRecord) -> None:
    folder = write_record()
    (folder / "100.dat").unlink()
    assert "holds 0" in _error(folder).why


def test_one_flipped_bit_does_not_fit_the_checksum(write_record: WriteRecord) -> None:
    folder = write_record()
    data = bytearray((folder / "100.dat").read_bytes())
    data[3000] ^= 1
    (folder / "100.dat").write_bytes(data)
    assert "checksum of lead V5" in _error(folder).why


def test_checksum_of_the_header_changed(write_record: WriteRecord) -> None:
    folder = write_record()
    header = folder / "100.hea"
    lines = header.read_text().splitlines()
    fields = lines[2].split()
    right = int(fields[6])
    fields[6] = str(right + 1)
    lines[2] = " ".join(fields)
    header.write_text("\n".join(lines) + "\n")
    why = _error(folder).why
    assert f"checksum of lead MLII is {right + 1} in 100.hea" in why
    assert f"add up to {right} " in why


def test_a_checksum_may_be_written_signed(write_record: WriteRecord) -> None:
    folder = write_record()
    header = folder / "100.hea"
    lines = header.read_text().splitlines()
    fields = lines[2].split()
    fields[6] = str(int(fields[6]) - 65536)
    lines[2] = " ".join(fields)
    header.write_text("\n".join(lines) + "\n")
    assert read(folder, "100", ("MLII",)).signal_mv.shape == (1, 2000)


def test_a_header_without_checksums_proves_nothing(write_record: WriteRecord) -> None:
    folder = write_record()
    header = folder / "100.hea"
    lines = header.read_text().splitlines()
    bare = [" ".join(line.split()[:3]) for line in lines[1:]]
    header.write_text("\n".join([lines[0], *bare]) + "\n")
    assert _error(folder).why


def test_missing_lead_lists_those_present(write_record: WriteRecord) -> None:
    assert "V5, MLII" in _error(write_record(), lead="V1").why


def test_lead_not_in_millivolts(write_record: WriteRecord) -> None:
    folder = write_record(units=["mV", "mmHg"])
    assert "mmHg" in _error(folder).why


def test_invalid_samples_are_not_passed_on(write_record: WriteRecord) -> None:
    digital = np.full((2000, 2), 1024)
    digital[5:8, 1] = -2048  # format 212's mark for "no valid sample"
    assert "3 samples of lead MLII" in _error(write_record(digital=digital)).why


def test_truncated_atr(write_record: WriteRecord) -> None:
    folder = write_record()
    data = (folder / "100.atr").read_bytes()
    (folder / "100.atr").write_bytes(data[:-2])
    assert "100.atr is truncated" in _error(folder).why


def test_atr_that_is_something_else(write_record: WriteRecord) -> None:
    folder = write_record()
    (folder / "100.atr").write_bytes(b"")
    assert "100.atr" in _error(folder).why
    (folder / "100.atr").unlink()
    assert "100.atr" in _error(folder).why


@pytest.mark.parametrize("text", ["", "not a header\n", "100 2 360\n", "100 1 360 2000\n"])
def test_header_that_is_something_else(write_record: WriteRecord, text: str) -> None:
    folder = write_record()
    (folder / "100.hea").write_text(text)
    assert "100.hea" in _error(folder).why


def test_header_may_not_point_to_another_file(write_record: WriteRecord) -> None:
    folder = write_record()
    header = folder / "100.hea"
    header.write_text(header.read_text().replace("100.dat", "200.dat"))
    assert "names 200.dat" in _error(folder).why


def test_leads_in_unequal_formats(write_record: WriteRecord) -> None:
    folder = write_record()
    header = folder / "100.hea"
    header.write_text(header.read_text().replace("100.dat 212", "100.dat 16", 1))
    assert "16, 212" in _error(folder).why


@settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    suffix=st.sampled_from([".hea", ".dat", ".atr"]),
    where=st.floats(0, 1, exclude_max=True),
    patch=st.binary(min_size=1, max_size=12),
    cut=st.booleans(),
)
def test_a_damaged_file_is_read_or_refused_and_nothing_else(
    write_record: WriteRecord, suffix: str, where: float, patch: bytes, cut: bool
) -> None:
    source = write_record()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for path in source.iterdir():
            shutil.copy(path, folder)
        data = bytearray((folder / f"100{suffix}").read_bytes())
        at = int(where * len(data))
        data[at : at + len(patch)] = patch
        (folder / f"100{suffix}").write_bytes(data[: at + 1] if cut else data)
        try:
            record = read(folder, "100", ("MLII",))
        except DataError as error:
            assert "100" in error.what  # noqa: PT017 (either outcome is right)
        else:
            assert np.isfinite(record.signal_mv).all()
            assert len(record.samples) == len(record.symbols)
            assert ((record.samples >= 0) & (record.samples < record.signal_mv.shape[1])).all()


def _lenient(folder: Path, lead: str = "MLII", annotated: bool = True) -> Record:
    return read(folder, "100", (lead,), strict=False, annotated=annotated)


def _edit(folder: Path, old: str, new: str) -> None:
    header = folder / "100.hea"
    assert old in header.read_text()
    header.write_text(header.read_text().replace(old, new), encoding="utf-8")


@pytest.mark.parametrize(("unit", "scale"), [("mV", 1.0), ("uV", 1e-3), ("V", 1e3)])
def test_own_records_may_be_in_other_units(
    write_record: WriteRecord, unit: str, scale: float
) -> None:
    record = _lenient(write_record(units=["mV", unit]))
    expected = scale * (1024 - np.arange(2000) % 300 - 1000) / 100
    np.testing.assert_allclose(record.signal_mv[0], expected, rtol=1e-12)


def test_own_records_may_name_their_signal_file_as_they_like(write_record: WriteRecord) -> None:
    folder = write_record()
    expected = _lenient(folder).signal_mv
    (folder / "100.dat").rename(folder / "holter.bin")
    _edit(folder, "100.dat", "holter.bin")
    np.testing.assert_array_equal(_lenient(folder).signal_mv, expected)
    assert describe(folder, "100").files == ("holter.bin",)


@pytest.mark.parametrize("name", ["../100.dat", "/etc/hostname", "a/../../100.dat"])
def test_a_header_may_not_point_out_of_the_folder(write_record: WriteRecord, name: str) -> None:
    folder = write_record()
    _edit(folder, "100.dat", name)
    with pytest.raises(DataError, match=r"outside the folder|invalid syntax"):
        _lenient(folder)


def test_own_records_need_no_checksum_but_a_stated_one_is_checked(
    write_record: WriteRecord,
) -> None:
    folder = write_record()
    data = bytearray((folder / "100.dat").read_bytes())
    data[3000] ^= 1
    (folder / "100.dat").write_bytes(data)
    with pytest.raises(DataError, match="checksum of lead V5"):
        _lenient(folder)
    header = folder / "100.hea"
    lines = header.read_text().splitlines()
    # A line that ends before the checksum has no name either.
    bare = [" ".join(line.split()[:3]) for line in lines[1:]]
    header.write_text("\n".join([lines[0], *bare]) + "\n")
    with pytest.raises(DataError, match="signal 0, signal 1"):
        _lenient(folder)
    assert _lenient(folder, "signal 1").signal_mv.shape == (1, 2000)


def test_own_records_are_checked_for_their_size(write_record: WriteRecord) -> None:
    folder = write_record()
    (folder / "100.dat").write_bytes((folder / "100.dat").read_bytes()[:-3])
    with pytest.raises(DataError, match="6000 bytes"):
        _lenient(folder)


def test_own_leads_are_found_in_any_case_unless_that_is_ambiguous(
    write_record: WriteRecord,
) -> None:
    assert _lenient(write_record(sig_name=["aVR", "mlii"])).signal_mv.shape == (1, 2000)
    with pytest.raises(DataError, match="no lead MLII"):
        _lenient(write_record(sig_name=["Mlii", "mlii"]))


def test_leads_in_two_files_and_two_formats(tmp_path: Path) -> None:
    ramp = np.arange(2000)
    first, second = ramp % 400, ramp % 300
    first.astype("<i2").tofile(tmp_path / "x.dat")
    second.astype("<i2").tofile(tmp_path / "y.dat")
    sums = [int(first.sum()) % 65536, int(second.sum()) % 65536]
    (tmp_path / "100.hea").write_text(
        "100 2 360 2000\n"
        f"x.dat 16 100(0)/mV 16 0 0 {sums[0]} 0 V5\n"
        f"y.dat 16 50(0)/mV 16 0 0 {sums[1]} 0 MLII\n"
    )
    record = _lenient(tmp_path, annotated=False)
    np.testing.assert_allclose(record.signal_mv[0], second / 50)
    assert record.samples.size == 0
    assert not describe(tmp_path, "100").annotated


def test_own_invalid_samples_come_as_nan(write_record: WriteRecord) -> None:
    digital = np.stack([np.arange(2000) % 100, np.arange(2000) % 90], axis=1)
    digital[5:8, 1] = -2048
    signal = _lenient(write_record(digital=digital)).signal_mv[0]
    assert np.flatnonzero(np.isnan(signal)).tolist() == [5, 6, 7]
