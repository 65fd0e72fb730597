"""The base of every value, and the types they share."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, Self, get_args

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from edgeecg.errors import SchemaError

Fraction = Annotated[float, Field(ge=0.0, le=1.0)]
Count = Annotated[int, Field(ge=0)]
Positive = Annotated[float, Field(gt=0.0)]
Seconds = Annotated[float, Field(ge=0.0)]
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
DType = Literal["float32", "int8", "float16"]
ActivationDType = Literal["float32", "int8", "float16", "int16"]
Format = Literal["tflite", "onnx"]
Role = Literal["baseline", "compressed"]
Source = Annotated[str, Field(min_length=1)]
Task = Literal["beats", "records"]
ClassMapName = Literal["aami", "ec57"]
Split = Literal["train", "val", "test"]

MODEL_SUFFIXES = tuple(f".{name}" for name in get_args(Format))
"""Suffixes of model files: those of all formats."""

MANIFEST_KEY = "edgeecg.artifact"
"""Under this name a file carries its manifest: TFLite metadata, ONNX ``metadata_props``."""


class Value(BaseModel):
    """The base of every value: immutable, strict about keys, and at home in JSON.

    Attributes:
        version: ``"edgeecg.NAME/N"`` for a value that is a document of its own, which its JSON
            then carries under the key ``schema``; empty for a part of one.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, defer_build=True)
    version: ClassVar[str] = ""

    @classmethod
    def renamed(cls, body: Mapping[str, Any]) -> dict[str, Any]:
        """Return fields of an earlier version under their names of today.

        Args:
            body: Fields by name. A value without earlier names leaves them as they are.
        """
        return dict(body)

    def as_text(self) -> str | None:
        """Return the text that means exactly this value in a configuration file.

        Returns:
            None where a table of its fields does.
        """
        return None

    def to_document(self) -> dict[str, Any]:
        """Return plain dicts, lists and numbers, headed by ``schema`` where there is a version."""
        body = self.model_dump(mode="json")
        return {"schema": self.version, **body} if self.version else body

    def to_json(self) -> str:
        """Return the document as indented JSON text with a final newline."""
        return json.dumps(self.to_document(), indent=1, ensure_ascii=False) + "\n"

    @classmethod
    def from_document(cls, document: object, source: str) -> Self:
        """Validate a decoded JSON or TOML document.

        Args:
            document: What the JSON or TOML parser returned.
            source: Where it came from, for the error message.

        Raises:
            SchemaError: It is not a mapping, has another version, an unknown or missing key, or a
                value out of its range; every fault is named.
        """
        if not isinstance(document, Mapping):
            raise SchemaError(
                f"{source} does not hold a {cls.__name__}.",
                f"A table of keys was expected, a {type(document).__name__} came.",
                "Check that this is the file you meant.",
            )
        body: dict[str, Any] = {str(key): value for key, value in document.items()}
        if cls.version:
            found = body.pop("schema", None)
            if found != cls.version:
                raise SchemaError(
                    f"{source} does not hold a {cls.__name__}.",
                    f"Its schema should be '{cls.version}' and is {found!r}.",
                    "Check that this is the file you meant, written by this version of edgeecg.",
                )
        try:
            return cls.model_validate(body)
        except ValidationError as error:
            faults = "; ".join(
                f"{'.'.join(str(part) for part in fault['loc']) or 'document'}: {fault['msg']}"
                for fault in error.errors()
            )
            raise SchemaError(
                f"{source} does not hold a valid {cls.__name__}.",
                f"{faults}.",
                "Correct the keys named, or write the file again.",
            ) from error

    @classmethod
    def from_json(cls, text: str | bytes, source: str) -> Self:
        """Parse and validate JSON text; see :meth:`from_document`.

        Raises:
            SchemaError: The text is not JSON, or not this value.
        """
        try:
            document: object = json.loads(text)
        except (ValueError, RecursionError) as error:
            raise SchemaError(
                f"{source} cannot be read.",
                f"It is not valid JSON: {error}.",
                "The file is damaged or is something else; write it again.",
            ) from error
        return cls.from_document(document, source)

    @classmethod
    def from_file(cls, path: Path) -> Self:
        """Read and validate a JSON file; see :meth:`from_document`.

        Raises:
            OSError: There is no such file, or it cannot be read.
            SchemaError: It is not JSON, or not this value.
        """
        return cls.from_json(path.read_bytes(), str(path))
