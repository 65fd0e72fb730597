"""From a PyTorch model to a file that works alone: one module per format.

- ``pipeline.py``: :func:`~edgeecg.exporters._pipeline.export_run`, the way in.
- ``tflite.py``, ``onnx.py``: the formats; each fulfils :class:`Exporter`.
- ``lstm.py``: LSTM layers of a TFLite file.
- ``precision.py``: what of an int8 TFLite file stays in float32.
- ``fold.py``: batch normalisation goes into the convolution before it.
- ``names.py``: short names for the layers of a TFLite file.
- ``onnx_names.py``: the nodes of an ONNX file are called as their modules.
- ``probe.py``: which windows a file checks itself with.
- ``verify.py``: the written bytes against PyTorch, and their scores.
- ``publish.py``: file, probe set and manifest take their places together.
- ``quiet.py``: what converters print stays off the user's terminal.

What a target is made of stands in ``export/NAME.toml``; its ``format`` is a module here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, cast

import numpy as np
from numpy.typing import NDArray

from edgeecg import plugins
from edgeecg.errors import UnknownNameError
from edgeecg.exporters._native_output import quiet
from edgeecg.schema import ExportRecipe

if TYPE_CHECKING:
    from torch import nn


class Exporter(Protocol):
    """What a format's module offers; the module's name is the format's and the file's suffix.

    Attributes:
        PACKAGES: Distributions whose versions decide the file's content.
    """

    PACKAGES: tuple[str, ...]

    def export(
        self,
        model: nn.Module,
        recipe: ExportRecipe,
        calibration: NDArray[np.float32],
        sample_shape: tuple[int, int],
    ) -> bytes:
        """Convert a model in evaluation mode.

        Args:
            model: Maps ``(batch, leads, samples)`` to logits ``(batch, classes)``; left as it is.
            recipe: The target.
            calibration: Training windows ``(n, leads, samples)``; used by quantised targets alone.
            sample_shape: ``(leads, samples)``.

        Returns:
            The content of a file whose input is float32 ``(1, leads, samples)`` and whose output is
            float32 ``(1, classes)``.
        """
        ...

    def embed(self, content: bytes, manifest_json: str) -> bytes:
        """Return the same model with the manifest under ``schema.MANIFEST_KEY``.

        A runtime reads it back: :meth:`edgeecg.runtimes.Session.manifest_json`.
        """
        ...


def formats() -> list[str]:
    """Return the names of all formats, in alphabetical order."""
    return plugins.names(__name__)


def exporter(name: str) -> Exporter:
    """Return the module of one format; the first time, this takes seconds.

    Raises:
        UnknownNameError: There is no such format.
    """
    if name not in formats():
        raise UnknownNameError("format", name, formats())
    # The converters' packages warn about one another while they are imported.
    with quiet():
        return cast(Exporter, plugins.load(__name__, name))
