"""Headers that WFDB allows: what wfdb reads is read, whatever else the header says."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import wfdb
from numpy.typing import NDArray

from edgeecg.data.records.reader import Record, describe, read
from edgeecg.errors import DataError

LEADS = ("MLII", "V5")


def _signal(samples: int = 3000) -> NDArray[np.int64]:
    ramp = np.arange(samples)
    return np.stack([(37 * ramp) % 801 - 400, (11 * ramp) % 301 - 150], axis=1)


def _write(folder: Path, name: str = "r", digital: NDArray[np.int64] | None = None) -> Path:
    """Write a record with wfdb: two leads at 360 Hz in format 16, 200 units per mV."""
    digital = _signal() if digital is None else digital
    wfdb.wrsamp(
        name,
        fs=360,
        units=["mV", "mV"],
        sig_name=list(LEADS),
        d_signal=digital,
        fmt=["16", "16"],
        adc_gain=[200.0, 200.0],
        baseline=[0, 0],
        write_dir=str(folder),
    )
    return folder / f"{name}.hea"


def _read(folder: Path, name: str = "r", lead: str = "MLII", annotated: bool = False) -> Record:
    return read(folder, name, (lead,), strict=False, annotated=annotated)


def _describe(folder: Path) -> object:
    return describe(folder, "r")


def _replace(header: Path, old: str, new: str, encoding: str = "utf-8") -> None:
    text = header.read_text()
    assert old in text
    header.write_bytes(text.replace(old, new).encode(encoding))


FIRST = "r 2 360 3000"


@pytest.mark.parametrize(
    "first",
    [
        "r 2 360",
        "r 2 360 0",
        "r 2 360 3000 09:49:17",
        "r 2 360 3000 9:49:17.5 05/05/1989",
        "r 2 360 3000 09:49:17 05/05/89",
        "r 2 360 3000 2014-05-08 05:05:15",
        "r 2 360 3000 05-Feb-2020 11:39:16",
        "r 2 360 3000 25:61:61 99/99/9999",
        "r 2 3.6e2 3000",
        "r 2 360/360(0) 3000",
        "  r  2 360   3000  ",
        "record.with.dots 2 360 3000",
    ],
)
def test_what_a_record_line_says_of_time_and_name_does_not_matter(
    tmp_path: Path, first: str
) -> None:
    header = _write(tmp_path)
    _replace(header, FIRST, first)
    found = _read(tmp_path)
    np.testing.assert_allclose(found.signal_mv[0], _signal()[:, 0] / 200)
    assert found.fs_hz == 360
    assert describe(tmp_path, "r").length == 3000


def test_a_header_without_a_rate_has_the_standards_250_hz(tmp_path: Path) -> None:
    _replace(_write(tmp_path), FIRST, "r 2")
    assert _read(tmp_path).fs_hz == 250
    assert describe(tmp_path, "r").length == 3000


@pytest.mark.parametrize("fs", ["249.9", "999.99", "250.0"])
def test_rates_that_are_not_whole(tmp_path: Path, fs: str) -> None:
    _replace(_write(tmp_path), FIRST, f"r 2 {fs} 3000")
    assert _read(tmp_path).fs_hz == float(fs)


@pytest.mark.parametrize("first", ["r 2 0 3000", "r 2 -360 3000", "r", "r two 360 3000", "r 3 360"])
def test_record_lines_that_say_nothing_useful(tmp_path: Path, first: str) -> None:
    _replace(_write(tmp_path), FIRST, first)
    with pytest.raises(DataError, match=r"r\.hea"):
        _read(tmp_path)


@pytest.mark.parametrize(
    ("unit", "millivolts"),
    [
        ("mV", 1.0),
        ("mv", 1.0),
        ("MV", 1.0),
        ("uV", 1e-3),
        ("\N{MICRO SIGN}V", 1e-3),
        ("\N{GREEK SMALL LETTER MU}V", 1e-3),
        ("V", 1e3),
        ("volt", 1e3),
        ("millivolt", 1.0),
        ("millivolts", 1.0),
        ("microvolt", 1e-3),
        ("Microvolts", 1e-3),
        ("nV", 1e-6),
    ],
)
def test_units_of_voltage_are_converted(tmp_path: Path, unit: str, millivolts: float) -> None:
    _replace(_write(tmp_path), "/mV", f"/{unit}")
    expected = _signal()[:, 0] / 200 * millivolts
    np.testing.assert_allclose(_read(tmp_path).signal_mv[0], expected, rtol=1e-12)


def test_a_micro_sign_in_latin_1_is_micro_too(tmp_path: Path) -> None:
    _replace(_write(tmp_path), "/mV", "/\N{MICRO SIGN}V", encoding="latin-1")
    np.testing.assert_allclose(_read(tmp_path).signal_mv[0], _signal()[:, 0] / 200e3)


@pytest.mark.parametrize("unit", ["mmHg", "kV", "Ohm", "NU"])
def test_an_unknown_unit_is_refused_with_the_known_ones(tmp_path: Path, unit: str) -> None:
    _replace(_write(tmp_path), "/mV", f"/{unit}")
    with pytest.raises(DataError, match=f"'{unit}'; known are V, mV, uV"):
        _read(tmp_path)


def test_a_header_with_a_byte_order_mark_and_letters_of_other_alphabets(tmp_path: Path) -> None:
    header = _write(tmp_path)
    text = header.read_text().replace(" V5", " Größe") + "# Müller\n"
    header.write_bytes(text.replace("\n", "\r\n").encode("utf-8-sig"))
    np.testing.assert_allclose(_read(tmp_path).signal_mv[0], _signal()[:, 0] / 200)
    assert describe(tmp_path, "r").comments == ("Müller",)


def test_a_signal_file_with_two_dots_or_in_a_folder(tmp_path: Path) -> None:
    header = _write(tmp_path)
    (tmp_path / "raw").mkdir()
    (tmp_path / "r.dat").rename(tmp_path / "raw" / "r.v2.dat")
    _replace(header, "r.dat", "raw/r.v2.dat")
    np.testing.assert_allclose(_read(tmp_path).signal_mv[0], _signal()[:, 0] / 200)


def _frames(folder: Path, per_frame: tuple[int, int], skew: str = "") -> None:
    """Write a record whose leads have several samples per frame, frame by frame."""
    digital = _signal()
    frames = 3000 // max(per_frame)
    parts = [digital[: frames * n, lead].reshape(frames, n) for lead, n in enumerate(per_frame)]
    np.concatenate(parts, axis=1).astype("<i2").tofile(folder / "r.dat")
    lines = [f"r 2 {360 // max(per_frame)} {frames}"]
    for part, lead, n in zip(parts, LEADS, per_frame, strict=True):
        total = int(part.sum()) % 65536
        lines.append(f"r.dat 16x{n}{skew} 200(0)/mV 16 0 {part[0, 0]} {total} 0 {lead}")
    (folder / "r.hea").write_text("\n".join(lines) + "\n")


def test_samples_per_frame_multiply_the_rate(tmp_path: Path) -> None:
    _frames(tmp_path, (2, 2))
    found = _read(tmp_path)
    assert found.fs_hz == 360
    expected: Any = wfdb.rdrecord(str(tmp_path / "r"), smooth_frames=False)
    np.testing.assert_allclose(found.signal_mv[0], expected.e_p_signal[0])
    np.testing.assert_allclose(found.signal_mv[0], _signal()[:, 0] / 200)
    header = describe(tmp_path, "r")
    assert (header.fs_hz, header.length) == (360, 3000)


def test_leads_of_different_rates_can_be_read_one_by_one(tmp_path: Path) -> None:
    _frames(tmp_path, (4, 1))
    fast, slow = _read(tmp_path), _read(tmp_path, lead="V5")
    assert (fast.fs_hz, slow.fs_hz) == (360, 90)
    np.testing.assert_allclose(fast.signal_mv[0], _signal()[:3000, 0] / 200)
    np.testing.assert_allclose(slow.signal_mv[0], _signal()[:750, 1] / 200)
    with pytest.raises(DataError, match="different sampling rates"):
        read(tmp_path, "r", LEADS, strict=False, annotated=False)


def test_a_skewed_lead_is_put_right_and_its_checksum_is_that_of_the_file(tmp_path: Path) -> None:
    header = _write(tmp_path)
    _replace(header, "r.dat 16 ", "r.dat 16:5 ")
    found = _read(tmp_path)
    expected: Any = wfdb.rdrecord(str(tmp_path / "r"))
    np.testing.assert_array_equal(found.signal_mv[0], expected.p_signal[:, 0])
    np.testing.assert_allclose(found.signal_mv[0][:-5], _signal()[5:, 0] / 200)


def test_segments_follow_one_another(tmp_path: Path) -> None:
    _write(tmp_path, "r_1", _signal()[:1000])
    _write(tmp_path, "r_2", _signal()[1000:])
    (tmp_path / "r.hea").write_text("r/3 2 360 3500\nr_1 1000\n~ 500\nr_2 2000\n")
    found = _read(tmp_path).signal_mv[0]
    np.testing.assert_allclose(found[:1000], _signal()[:1000, 0] / 200)
    assert np.isnan(found[1000:1500]).all()
    np.testing.assert_allclose(found[1500:], _signal()[1000:, 0] / 200)
    header = describe(tmp_path, "r")
    assert (header.leads, header.length, header.fs_hz) == (LEADS, 3500, 360)


def test_a_segment_may_lack_a_lead_of_the_layout(tmp_path: Path) -> None:
    header = _write(tmp_path, "r_1", _signal()[:1000])
    _write(tmp_path, "r_2", _signal()[1000:])
    _replace(header, " MLII", " III")
    (tmp_path / "r_layout.hea").write_text(
        "r_layout 3 360 0\n~ 0 200/mV 16 0 0 0 0 MLII\n~ 0 200/mV 16 0 0 0 0 V5\n"
        "~ 0 200/mV 16 0 0 0 0 III\n"
    )
    (tmp_path / "r.hea").write_text("r/3 3 360 3000\nr_layout 0\nr_1 1000\nr_2 2000\n")
    found = _read(tmp_path).signal_mv[0]
    expected: Any = wfdb.rdrecord(str(tmp_path / "r"))
    np.testing.assert_allclose(found, expected.p_signal[:, expected.sig_name.index("MLII")])
    assert np.isnan(found[:1000]).all()
    with pytest.raises(DataError, match="III, V5, MLII"):
        _read(tmp_path, lead="V1")


def test_a_damaged_segment_is_named(tmp_path: Path) -> None:
    _write(tmp_path, "r_1", _signal()[:1000])
    _write(tmp_path, "r_2", _signal()[1000:])
    (tmp_path / "r.hea").write_text("r/2 2 360 3000\nr_1 1000\nr_2 2000\n")
    (tmp_path / "r_2.dat").write_bytes((tmp_path / "r_2.dat").read_bytes()[:-2])
    with pytest.raises(DataError, match=r"Record r_2 .* holds 7998"):
        _read(tmp_path)
    (tmp_path / "r.hea").write_text("r/2 2 360 3000\nr_1 1000\n../r_2 2000\n")
    with pytest.raises(DataError, match=r"outside the folder|cannot be read"):
        _read(tmp_path)


def test_a_record_without_signals_says_so(tmp_path: Path) -> None:
    (tmp_path / "r.hea").write_text("r 0 250 9205760\n")
    with pytest.raises(DataError, match="has no signals"):
        _read(tmp_path)


def test_a_file_longer_than_its_header_needs_checksums(tmp_path: Path) -> None:
    header = _write(tmp_path)
    with (tmp_path / "r.dat").open("ab") as opened:
        opened.write(b"\1\2\3\4" * 10)
    np.testing.assert_allclose(_read(tmp_path).signal_mv[0], _signal()[:, 0] / 200)
    lines = header.read_text().splitlines()
    bare = [" ".join(line.split()[:3]) for line in lines[1:]]
    header.write_text("\n".join([lines[0], *bare]) + "\n")
    with pytest.raises(DataError, match="more samples than"):
        _read(tmp_path, lead="signal 0")


def test_a_time_resolution_of_the_annotations_is_honoured(tmp_path: Path) -> None:
    _write(tmp_path)
    seconds = np.array([1.0, 2.5, 7.25])
    at = np.rint(seconds * 128).astype(np.int64)
    wfdb.wrann("r", "atr", at, symbol=["N", "V", "N"], fs=128, write_dir=str(tmp_path))
    found = _read(tmp_path, annotated=True)
    # Position times the record's rate over the annotations' rate.
    assert found.samples.tolist() == [360, 900, 2610]
    assert found.symbols == ("N", "V", "N")


def test_annotations_count_frames_unless_they_say_otherwise(tmp_path: Path) -> None:
    _frames(tmp_path, (2, 2))
    wfdb.wrann("r", "atr", np.array([100, 1400]), symbol=["N", "V"], write_dir=str(tmp_path))
    assert _read(tmp_path, annotated=True).samples.tolist() == [200, 2800]
    # As frames, two of three would be behind the end at frame 1,500.
    at = np.array([100, 1600, 2900])
    wfdb.wrann("r", "atr", at, symbol=["N", "V", "N"], write_dir=str(tmp_path))
    assert _read(tmp_path, annotated=True).samples.tolist() == [100, 1600, 2900]


def test_annotations_outside_the_record_are_left_out_and_counted(tmp_path: Path) -> None:
    _write(tmp_path)
    at = np.array([10, 2999, 3000, 5000])
    wfdb.wrann("r", "atr", at, symbol=["N", "V", "N", "A"], write_dir=str(tmp_path))
    found = _read(tmp_path, annotated=True)
    assert found.samples.tolist() == [10, 2999]
    assert found.symbols == ("N", "V")
    assert found.outside == 2


def test_a_hint_names_the_models_lead_and_one_of_the_record(tmp_path: Path) -> None:
    _replace(_write(tmp_path), " MLII", " ECG1")
    with pytest.raises(DataError) as caught:
        read(tmp_path, "r", ("MLII",), called={"MLII": "ECGX"}, strict=False, annotated=False)
    assert "no lead ECGX" in caught.value.what
    assert "--leads MLII=ECG1" in caught.value.todo


def test_a_record_that_has_the_models_lead_needs_no_other_name(tmp_path: Path) -> None:
    _write(tmp_path)
    called = {"MLII": "II"}
    found = read(tmp_path, "r", ("MLII",), called=called, strict=False, annotated=False)
    np.testing.assert_allclose(found.signal_mv[0], _signal()[:, 0] / 200)


@pytest.mark.parametrize(
    ("first", "said"),
    [
        ("r/2 2 180 3000\nr_1 1000\nr_2 2000\n", "segments have different sampling rates"),
        ("r/3 2 360 3000\nr_1 1000\nr_2 2000\n", "states 3 segments"),
        ("r/2 2 360 4000\nr_1 1000\nr_2 2000\n", "with 4000 frames, and lists 2 with 3000"),
    ],
)
def test_segments_that_are_not_those_of_the_header(tmp_path: Path, first: str, said: str) -> None:
    _write(tmp_path, "r_1", _signal()[:1000])
    _write(tmp_path, "r_2", _signal()[1000:])
    (tmp_path / "r.hea").write_text(first)
    for reads in (_read, _describe):
        with pytest.raises(DataError, match=said):
            reads(tmp_path)


def test_a_lead_without_samples_in_a_frame_is_refused(tmp_path: Path) -> None:
    header = _write(tmp_path)
    header.write_text(header.read_text().replace("r.dat 16 ", "r.dat 16x0 "))
    for reads in (_read, _describe):
        with pytest.raises(DataError, match="no samples in a frame"):
            reads(tmp_path)


@pytest.mark.parametrize("rate", ["1e-14", "1e999", "0", "0.0"])
def test_a_rate_that_is_none_is_refused(tmp_path: Path, rate: str) -> None:
    _replace(_write(tmp_path), FIRST, f"r 2 {rate} 3000")
    for reads in (_read, _describe):
        with pytest.raises(DataError, match=r"r\.hea"):
            reads(tmp_path)
