"""The split, against the record lists as published."""

from __future__ import annotations

import pytest

from edgeecg.data.sources.mitdb import PACED, SPLIT, VALIDATION
from edgeecg.data.windows.split import RecordSplit

# de Chazal, O'Dwyer and Reilly, IEEE TBME 51(7), 2004, section II.A.
DS1 = [
    *("101", "106", "108", "109", "112", "114", "115", "116", "118", "119", "122"),
    *("124", "201", "203", "205", "207", "208", "209", "215", "220", "223", "230"),
]
DS2 = [
    *("100", "103", "105", "111", "113", "117", "121", "123", "200", "202", "210"),
    *("212", "213", "214", "219", "221", "222", "228", "231", "232", "233", "234"),
]


def test_the_test_records_are_ds2() -> None:
    assert sorted(SPLIT.test) == DS2


def test_training_and_validation_are_ds1_and_nothing_else() -> None:
    assert sorted(SPLIT.train + SPLIT.val) == DS1


def test_no_record_of_ds2_is_seen_before_the_final_score() -> None:
    assert not set(SPLIT.train + SPLIT.val) & set(DS2)


def test_no_record_has_two_uses_and_no_paced_record_has_any() -> None:
    assert len(set(SPLIT.records)) == len(SPLIT.records) == 44
    assert not set(SPLIT.records) & set(PACED)


def test_weights_never_see_the_patient_of_201_and_202() -> None:
    assert "201" in VALIDATION
    assert "202" in SPLIT.test
    assert any("201" in note and "202" in note for note in SPLIT.notes)


def test_a_record_in_two_parts_is_refused() -> None:
    with pytest.raises(ValueError, match="twice"):
        RecordSplit(train=("a", "b"), val=("c",), test=("a",))
