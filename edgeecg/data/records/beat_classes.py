"""From WFDB beat symbols to the three classes N, S and V.

Two mappings are in use and they differ in the escape beats: ``aami`` is the one of the literature
(de Chazal, O'Dwyer and Reilly, IEEE TBME 51(7), 2004, table I), ``ec57`` the one of PhysioNet's
comparator ``bxb``. Every figure has to say which it used.
"""

from __future__ import annotations

from edgeecg.schema import ClassMapName

CLASSES = ("N", "S", "V")
"""Classes in the order of the models' outputs."""

NORMAL = "N"
"""The class of normal beats."""

OUTSIDE = ("F", "Q")
"""Groups of beats that are in none of the classes: fusion, and paced or unclassifiable."""

BEAT_SYMBOLS = frozenset("NLRBAaJSVrFejnE/fQ?")
"""WFDB annotation symbols that mark a beat; any other symbol marks a rhythm, noise or a comment."""

MARKS = frozenset(" !\"'()*+=@D[]^`pstuTx|~")
"""The WFDB symbols that mark no beat; a symbol that is in neither set is not WFDB's."""

_GROUPS: dict[ClassMapName, dict[str, str]] = {
    "aami": {"N": "NLRej", "S": "AaJS", "V": "VE", "F": "F", "Q": "/fQ?"},
    "ec57": {"N": "NLRB", "S": "AaJSejn", "V": "VrE", "F": "F", "Q": "/fQ?"},
}

UNMAPPED = "unmapped"


def group_of(symbol: str, class_map: ClassMapName) -> str | None:
    """Return the group of one annotation symbol.

    Args:
        symbol: WFDB annotation symbol.
        class_map: Which mapping to use.

    Returns:
        ``"N"``, ``"S"``, ``"V"``, ``"F"`` (fusion) or ``"Q"`` (paced, unclassifiable);
        ``"unmapped"`` for a beat that the mapping does not know; None for what is not a beat.
    """
    if symbol not in BEAT_SYMBOLS:
        return None
    for group, symbols in _GROUPS[class_map].items():
        if symbol in symbols:
            return group
    return UNMAPPED
