"""The class maps, against tables written out by hand."""

from __future__ import annotations

import pytest

from edgeecg.data.records.beat_classes import BEAT_SYMBOLS, CLASSES, group_of
from edgeecg.schema import ClassMapName

# de Chazal et al. 2004, table I; and the application guide of PhysioNet's bxb.
AAMI = {"N": "NLRej", "S": "AaJS", "V": "VE", "F": "F", "Q": "/fQ?", "unmapped": "Brn"}
EC57 = {"N": "NLRB", "S": "AaJSejn", "V": "VrE", "F": "F", "Q": "/fQ?"}


@pytest.mark.parametrize(("name", "table"), [("aami", AAMI), ("ec57", EC57)])
def test_every_beat_symbol_has_the_group_of_its_table(
    name: ClassMapName, table: dict[str, str]
) -> None:
    for group, symbols in table.items():
        assert {group_of(symbol, name) for symbol in symbols} == {group}
    assert set("".join(table.values())) == BEAT_SYMBOLS


@pytest.mark.parametrize("symbol", ["+", "~", "|", "x", '"', "!", "[", "]", "", "NN"])
def test_what_is_not_a_beat_has_no_group(symbol: str) -> None:
    assert group_of(symbol, "aami") is None
    assert group_of(symbol, "ec57") is None


def test_the_maps_differ_in_the_escape_beats_alone() -> None:
    differing = {s for s in BEAT_SYMBOLS if group_of(s, "aami") != group_of(s, "ec57")}
    assert differing == set("ejBrn")


def test_classes_are_in_the_order_of_the_outputs() -> None:
    assert CLASSES == ("N", "S", "V")
