"""Every device profile can be written and read again."""

from __future__ import annotations

from pathlib import Path

import pytest

from edgeecg import resources
from edgeecg.devices import profile_file
from edgeecg.errors import UsageError


@pytest.mark.parametrize("name", resources.device_names())
def test_a_profile_is_read_as_it_was_written(name: str, tmp_path: Path) -> None:
    profile = resources.load_device(name)
    path = tmp_path / f"{name}.toml"
    profile_file.write(profile, path)
    assert resources.load_device(str(path)) == profile


def test_quotation_marks_and_unicode_survive(tmp_path: Path) -> None:
    profile = resources.load_device("x86-64").model_copy(
        update={"notes": 'A "board", 45\N{DEGREE SIGN}C\nC:\\temp', "name": "odd"}
    )
    profile_file.write(profile, tmp_path / "odd.toml")
    assert resources.load_device(str(tmp_path / "odd.toml")) == profile


def test_another_suffix_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"ends in \.toml"):
        profile_file.write(resources.load_device("x86-64"), tmp_path / "board.json")
    assert not list(tmp_path.iterdir())
