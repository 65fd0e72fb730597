"""A model is only trained on windows and classes that it was made for."""

from __future__ import annotations

from types import SimpleNamespace
from typing import cast

import pytest

from edgeecg.errors import UsageError
from edgeecg.models import Architecture
from edgeecg.training.compatibility import check_fits

RECIPE = SimpleNamespace(model="net.build")


def stated(shape: tuple[int, int], *classes: str) -> Architecture:
    found = SimpleNamespace(INPUT_SHAPE=shape, CLASSES=classes, RECIPE=RECIPE)
    return cast(Architecture, found)


def test_equal_shapes_and_classes_fit() -> None:
    check_fits(stated((1, 256), "N", "S", "V"), ("N", "S", "V"), (1, 256))


@pytest.mark.parametrize("shape", [(2, 256), (1, 187), (12, 5000)])
def test_another_shape_is_refused_and_both_named(shape: tuple[int, int]) -> None:
    with pytest.raises(UsageError) as caught:
        check_fits(stated(shape, "N", "S", "V"), ("N", "S", "V"), (1, 256))
    assert f"INPUT_SHAPE = {shape}" in caught.value.why
    assert "(1, 256)" in caught.value.why


@pytest.mark.parametrize(
    "classes",
    [
        ("N", "V"),
        ("N", "S", "V", "F", "Q"),
        ("V", "S", "N"),
        ("normal", "supraventricular", "ventricular"),
    ],
)
def test_other_classes_are_refused_and_both_named(classes: tuple[str, ...]) -> None:
    with pytest.raises(UsageError) as caught:
        check_fits(stated((1, 256), *classes), ("N", "S", "V"), (1, 256))
    assert f"CLASSES = {classes}" in caught.value.why
    assert "('N', 'S', 'V')" in caught.value.why
