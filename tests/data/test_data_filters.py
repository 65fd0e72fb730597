"""Filter design: which rates fit, and what a manifest carries."""

from __future__ import annotations

import json

import numpy as np
import pytest
from scipy import signal as dsp

from edgeecg.data.windows.annotated import BEATS
from edgeecg.data.windows.filters import design, for_devices
from edgeecg.errors import DataError, SchemaError
from edgeecg.schema import FilterCoefficients, Preprocessing


def test_the_high_pass_is_scipys_butterworth() -> None:
    made = design(Preprocessing(), 360.0)
    expected = np.asarray(dsp.butter(2, 0.5, "highpass", fs=360.0, output="sos"))
    assert made.highpass_sos == tuple(expected[0])
    assert made.highpass_steady_state is not None
    # In the steady state of a constant input of 1 the output is 0: s1 = -b0, s2 = b2.
    b0, _, b2 = expected[0, :3]
    np.testing.assert_allclose(made.highpass_steady_state, (-b0, b2), rtol=1e-9)


@pytest.mark.parametrize("record_fs_hz", [249.9, 999.99, 360.001, 127.31, 5633.5119, 33.3])
def test_any_usual_rate_has_a_ratio_of_small_whole_numbers(record_fs_hz: float) -> None:
    made = design(Preprocessing(), record_fs_hz)
    assert max(made.up, made.down) <= 2000
    assert made.up / made.down == pytest.approx(128 / record_fs_hz, rel=1e-3)


def test_rates_that_are_too_far_apart_are_refused() -> None:
    with pytest.raises(DataError, match="resampled to 128"):
        design(Preprocessing(), 1e6)


def test_a_record_too_slow_for_the_high_pass_is_refused() -> None:
    with pytest.raises(DataError, match="cannot be filtered"):
        design(Preprocessing(fs_hz=128, highpass_hz=2.0), 4.0)


def test_a_manifest_carries_the_common_rates_in_a_few_kilobytes() -> None:
    made = for_devices(BEATS)
    assert [found.record_fs_hz for found in made] == [
        *(100, 125, 128, 200, 250, 256, 360, 500, 512, 1000)
    ]
    documents = [found.to_document() for found in made]
    text = json.dumps(documents, separators=(",", ":"))
    assert len(text) < 3000
    # Nothing is lost on the way through JSON.
    read = [FilterCoefficients.from_document(one, "test") for one in json.loads(text)]
    assert tuple(read) == made


def test_records_that_need_no_filter_have_no_coefficients() -> None:
    made = for_devices(Preprocessing(fs_hz=100, r_index=None, highpass_hz=None))
    assert 100.0 not in [found.record_fs_hz for found in made]
    assert all(found.highpass_sos is None for found in made)
    assert {(found.up, found.down) for found in made if found.record_fs_hz == 500} == {(1, 5)}


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"highpass_steady_state": None}, "belong together"),
        ({"highpass_sos": (1, 1, 1, 2, 1, 1)}, "a0"),
        ({"delay": 0}, "delay"),
    ],
)
def test_coefficients_that_contradict_each_other_are_refused(
    changed: dict[str, object], message: str
) -> None:
    document = design(Preprocessing(), 360.0).to_document() | changed
    with pytest.raises(SchemaError, match=message):
        FilterCoefficients.from_document(document, "a test")
