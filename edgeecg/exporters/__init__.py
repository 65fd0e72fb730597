"""From a PyTorch model to a file that works without PyTorch: one module per format.

:func:`export_run` exports the models of a run. A target is described in ``export/NAME.toml``; its
``format`` is a module of this package that implements :class:`Exporter`: ``tflite.py`` or
``onnx.py``. The private modules are:

- ``_pipeline.py``: :func:`export_run`; ``_checked_file.py``: one file of it.
- ``_source_model.py``: the models of a run, loaded for export.
- ``_float32.py``: each model is converted once, whatever the number of targets.
- ``_limits.py``: the limits of a target; ``_speed.py``: time beside the float32 file.
- ``_search.py``: which operations stay float32 so that a file is fastest.
- ``_batch_norm.py``: batch normalisation is folded into the layer before it.
- ``_tflite_lstm.py``: LSTM layers of a TFLite file; ``_lstm_weights.py``: in float16 or int8.
- ``_tflite_simplify.py``: fewer transpositions and reshapes in a TFLite file, by means of
  ``_tflite_views.py`` and ``_tflite_layouts.py``; ``_tflite_compact.py``: without unused parts.
- ``_tflite_quantize.py``: a quantised TFLite file; ``_precision.py``: what stays float32 in it.
- ``_lstm_int8.py``: LSTM layers in int8; ``_float_lstm.py``: why some stay float32.
- ``_onnx_quantize.py``, ``_onnx_weights.py``: int8 and float16 ONNX files.
- ``_tensor_names.py``, ``_node_names.py``: short names for the layers of a TFLite or ONNX file.
- ``_probe.py``: windows with their reference outputs, to verify a file on any device.
- ``_strips.py``: the record around those that the compressed model classifies otherwise.
- ``_verify.py``: compares a written file with PyTorch; ``_validation.py``: their scores.
- ``_unsupported.py``: the operation and the module that a converter does not know.
- ``_rejection.py``: why a file was not written; ``_advice.py``: which one to take where.
- ``_foreign.py``: quantises the file of another program.
- ``_publish.py``: writes file, probe set and manifest into a run folder.
- ``_native_output.py``: keeps the output of converters off the terminal.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol, cast

import numpy as np
from numpy.typing import NDArray

from edgeecg import plugins
from edgeecg.errors import UnknownNameError
from edgeecg.exporters._native_output import quiet
from edgeecg.schema import ExportRecipe

if TYPE_CHECKING:
    from torch import nn

    from edgeecg.exporters._export import export, run_to_export
    from edgeecg.exporters._pipeline import export_run

__all__ = ["Exporter", "export", "export_run", "exporter", "formats", "quiet", "run_to_export"]


def __getattr__(name: str) -> object:
    """Import what needs torch and the records when it is first used."""
    if name == "export_run":
        from edgeecg.exporters._pipeline import export_run

        return export_run
    if name in ("export", "run_to_export"):
        # In a notebook, packages for training print warnings while they are imported.
        with quiet():
            from edgeecg.exporters import _export

        return getattr(_export, name)
    raise AttributeError(f"module '{__name__}' has no attribute '{name}'")


class Exporter(Protocol):
    """What the module of a format provides; its name is the format and the suffix of its files.

    Attributes:
        PACKAGES: Distributions whose versions determine the content of the file.
    """

    PACKAGES: tuple[str, ...]

    def export(
        self,
        model: nn.Module,
        recipe: ExportRecipe,
        calibration: NDArray[np.float32],
        sample_shape: tuple[int, int],
    ) -> bytes:
        """Convert a model in evaluation mode: :meth:`to_float32`, then :meth:`write`.

        Args:
            model: Maps ``(batch, leads, samples)`` to logits ``(batch, classes)``; not changed.
            recipe: The target.
            calibration: Training windows ``(n, leads, samples)``; only used by quantised targets.
            sample_shape: ``(leads, samples)``.

        Returns:
            The content of a file whose input is ``(1, leads, samples)`` and whose output is
            ``(1, classes)``, both in the recipe's ``io_dtype``.
        """
        ...

    def to_float32(self, model: nn.Module, sample_shape: tuple[int, int]) -> Any:
        """Convert a model in evaluation mode to float32, for :meth:`write`.

        This part takes longest and is the same for all targets of a format.
        """
        ...

    def write(
        self, converted: Any, recipe: ExportRecipe, calibration: NDArray[np.float32]
    ) -> bytes:
        """Return a file of a target.

        Args:
            converted: A result of :meth:`to_float32`; not changed.
            recipe: The target.
            calibration: As in :meth:`export`.
        """
        ...

    def embed(self, content: bytes, manifest_json: str) -> bytes:
        """Return the same model with the manifest under ``schema.MANIFEST_KEY``.

        A runtime reads it with :meth:`edgeecg.runtimes.Session.manifest_json`.
        """
        ...


def formats() -> list[str]:
    """Return the names of all formats, in alphabetical order."""
    return plugins.names(__name__)


def exporter(name: str) -> Exporter:
    """Return the module of one format; the first import takes seconds.

    Raises:
        UnknownNameError: There is no such format.
    """
    if name not in formats():
        raise UnknownNameError("format", name, formats())
    # The packages of the converters print warnings while they are imported.
    with quiet():
        return cast(Exporter, plugins.load(__name__, name))
