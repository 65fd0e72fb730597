"""Every file that people add by hand is valid, and a wrong name is explained."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from edgeecg import resources
from edgeecg.errors import SchemaError, UnknownNameError
from edgeecg.schema import Value

LOADERS: list[tuple[Callable[[], list[str]], Callable[[str], Value]]] = [
    (resources.target_names, resources.load_target),
    (resources.device_names, resources.load_device),
    (resources.suite_names, resources.load_suite),
]


@pytest.mark.parametrize(
    ("load", "name"), [(load, name) for names, load in LOADERS for name in names()]
)
def test_every_file_loads(load: Callable[[str], Value], name: str) -> None:
    assert load(name).model_dump()["name"] == name


def test_the_names_that_the_documentation_uses_exist() -> None:
    assert {"tflite", "tflite-int8", "onnx"} <= set(resources.target_names())
    assert {"raspberry-pi-4", "raspberry-pi-5", "x86-64"} <= set(resources.device_names())
    assert {"default", "quick"} <= set(resources.suite_names())


@pytest.mark.parametrize("load", [load for _, load in LOADERS])
def test_an_unknown_name_lists_the_known_ones(load: Callable[[str], Value]) -> None:
    with pytest.raises(UnknownNameError) as caught:
        load("../pyproject")
    assert "The known" in caught.value.why
    assert caught.value.exit_code == 2


@pytest.mark.parametrize("folder", ["export", "devices", "benchmarks/suites"])
def test_a_file_that_states_its_name_is_refused(
    folder: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = min((resources.root() / folder).glob("*.toml"))
    place = tmp_path / folder
    place.mkdir(parents=True)
    (place / "renamed.toml").write_text('name = "../evil"\n' + source.read_text())
    monkeypatch.setattr(resources, "root", lambda: tmp_path)
    load = LOADERS[("export", "devices", "benchmarks/suites").index(folder)][1]
    with pytest.raises(SchemaError, match="cannot be used") as raised:
        load("renamed")
    assert "name of the file" in raised.value.why


def test_a_near_miss_is_suggested() -> None:
    with pytest.raises(UnknownNameError, match="Did you mean 'tflite-int8'"):
        resources.load_target("tflite-int")
