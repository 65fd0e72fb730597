"""Reading one JSON document, and checking the scores in it."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import TypeVar

from edgeecg.errors import EdgeECGError, SchemaError
from edgeecg.files import read_bytes
from edgeecg.schema import Scores, Value

_Document = TypeVar("_Document", bound=Value)

UNREADABLE = "Check the path and its permissions."
"""What to do about a document that cannot be read."""

_SURROGATE = re.compile(rb"\\u[dD]|\xed")
"""How half of a surrogate pair, which is not Unicode text, begins in JSON; most files have none."""


def load(path: Path, value: type[_Document]) -> _Document:
    """Read a JSON document.

    Args:
        path: The file.
        value: What it should hold.

    Raises:
        SchemaError: It is damaged or is something else.
        EdgeECGError: It cannot be opened.
    """
    content = read_bytes(path, str(path), EdgeECGError, UNREADABLE)
    document = value.from_json(content, str(path))
    if not _SURROGATE.search(content):
        return document
    try:
        json.dumps(document.to_document(), ensure_ascii=False).encode("utf-8")
    except UnicodeEncodeError as error:
        raise SchemaError(
            f"{path} does not hold a valid {value.__name__}.",
            f"It contains text that is not Unicode: {error.reason}.",
            "The file is damaged; write it again.",
        ) from error
    return document


def check_scores(path: Path, scores: Sequence[Scores], classes: tuple[str, ...]) -> None:
    """Check that scores are of these classes.

    Args:
        path: The file with the scores.
        scores: The scores.
        classes: Names of the classes.

    Raises:
        SchemaError: The classes or the sizes of the confusion matrices are others.
    """
    n = len(classes)
    for each in scores:
        if each.task == "records" and tuple(each.per_class) != classes:
            raise SchemaError(
                f"{path} has scores that do not match its classes.",
                f"The classes are {', '.join(classes)}, and the scores are of "
                f"{', '.join(each.per_class)}.",
                "The file is damaged; write it again.",
            )
        if each.task == "records" and not each.confusion:
            continue
        for matrix in (each.confusion, *each.records.values()):
            if [len(row) for row in matrix] != [n] * n:
                raise SchemaError(
                    f"{path} has a confusion matrix that does not match its classes.",
                    f"It should be {n} x {n} for the classes {', '.join(classes)}.",
                    "The file is damaged; write it again.",
                )
