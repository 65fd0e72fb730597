"""Searches which operations of an int8 TFLite file stay in float32, so that it is fastest.

Kinds of operations are kept in float32 one after the other, as long as the file gets faster (a
greedy search). Of the files found, the fastest that is within the limits of the target is chosen;
where int8 loses too much accuracy, the layers that change the logits most stay in float32, too.
Without such a file that is faster than float32, everything stays in float32.

With the operation times of another device, nothing is timed here: the layers that are slower in
int8 there stay in float32.
"""

from __future__ import annotations

import tempfile
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from torch import nn

from edgeecg import files
from edgeecg.costs import tflite_file
from edgeecg.errors import ExportError
from edgeecg.exporters import _rejection, _search_times, _speed, _verify
from edgeecg.exporters._float32 import in_float32
from edgeecg.exporters._float_lstm import OPERATION
from edgeecg.exporters._limits import MissedLimitError, check_score
from edgeecg.exporters._native_output import quiet
from edgeecg.exporters._precision import WEIGHTED_LAYERS
from edgeecg.models import SelfAttention, layer_costs
from edgeecg.schema import ExportRecipe

if TYPE_CHECKING:
    from edgeecg.exporters._checked_file import ExportJob
    from edgeecg.exporters._source_model import SourceModel

_ROUNDS = 3
_GAIN = 0.98
_TURNS = 9
_CHECKED = 4
_MOST_LAYERS = 4
# They move or convert values, in the type of the operations around them.
_MOVING = frozenset(
    {"QUANTIZE", "DEQUANTIZE", "RESHAPE", "TRANSPOSE", "SLICE", "STRIDED_SLICE", "SQUEEZE"}
    | {"EXPAND_DIMS", "CONCATENATION", "PAD", "SPLIT", "GATHER", "PACK", "UNPACK", "BROADCAST_TO"}
)
_WEIGHTED = frozenset({"CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED"})


@dataclass(frozen=True)
class Found:
    """A file that was tried.

    Attributes:
        recipe: What it keeps in float32.
        content: The file.
        ratio: Its time relative to the float32 file.
        ratio_high: Upper quartile of that.
    """

    recipe: ExportRecipe
    content: bytes
    ratio: float
    ratio_high: float


def fastest(job: ExportJob, source: SourceModel) -> Found:
    """Return the fastest file of a model within the limits of a target.

    Args:
        job: The target, whose ``float_ops``, ``float_modules`` and ``float_layers`` the search
            starts from, and the data.
        source: The model.

    Raises:
        ExportError: The target is not an int8 TFLite file, or a conversion failed.
        UsageError: The file with operation times cannot be read, or is about another model.
    """
    if job.recipe.format != "tflite" or job.recipe.dtype != "int8":
        raise ExportError(
            f"The target '{job.recipe.name}' cannot be exported.",
            "search = true is for int8 TFLite files only.",
            f"Remove it from export/{job.recipe.name}.toml.",
        )
    with tempfile.TemporaryDirectory(prefix="edgeecg-") as folder:
        search = _Search(job, source, Path(folder))
        if job.bench is not None:
            return search.by_times_of(job.bench)
        return search.here()


class _Search:
    """One search; its files are in a temporary folder."""

    def __init__(self, job: ExportJob, source: SourceModel, folder: Path) -> None:
        self._job, self._source, self._folder = job, source, folder
        self._float32 = job.conversions.file(source.model, in_float32(job.recipe))
        self._calibration = job.conversions.calibration(job.recipe)
        self._ranges: Any = None
        self._tried: dict[tuple[frozenset[str], tuple[str, ...], tuple[str, ...]], Found] = {}
        self._plain = folder / "float32.tflite"
        files.write_bytes(self._plain, self._float32)

    def by_times_of(self, bench: Path) -> Found:
        """Choose by the operation times of another device.

        Args:
            bench: A report of ``edgeecg bench --json``.

        Raises:
            UsageError: It cannot be read, or is about another model.
        """
        recipe, source = self._job.recipe, self._source
        shape = (source.probe.x.shape[1], source.probe.x.shape[2])
        layers = layer_costs(source.model, shape)
        found = _search_times.read(bench, source.card.weights_sha256, layers)
        with quiet():
            recurrent = self._job.conversions.float32(source.model, recipe).recurrent
        recipe = keeping(recipe, source.model, recurrent, found.slower)
        if found.ratio < 1.0:
            content = self._converted(recipe)
            accepted = self._within_limits(Found(recipe, content, found.ratio, found.ratio))
            if accepted is not None:
                return accepted
        return self._all_float()

    def here(self) -> Found:
        """Search by timing files on this machine."""
        best = self._try(self._job.recipe)
        for number in range(_ROUNDS):
            options = [self._try(each) for each in self._variants(best, with_groups=not number)]
            faster = min(options, key=lambda each: each.ratio, default=best)
            if faster.ratio > _GAIN * best.ratio:
                break
            best = faster
        order = sorted(self._tried.values(), key=lambda each: each.ratio)
        for found in order[:_CHECKED]:
            if found.ratio_high < 1.0 and (accepted := self._within_limits(found)) is not None:
                return accepted
        return self._all_float()

    def _all_float(self) -> Found:
        kinds = {"float_ops": tuple(sorted(_WEIGHTED)), "float_layers": ()}
        kept = self._job.recipe.model_copy(update=kinds)
        return Found(kept, self._float32, 1.0, 1.0)

    def _variants(self, best: Found, with_groups: bool) -> Iterator[ExportRecipe]:
        """Return recipes that keep one kind of operation more in float32, or many, or none."""
        kinds = self._int8_kinds(best)
        groups = [{each} for each in sorted(kinds)]
        if with_groups:
            groups.append(kinds - _WEIGHTED)
            yield best.recipe.model_copy(update={"float_ops": (), "float_modules": ()})
        for group in groups:
            if group and group != kinds:
                names = tuple(sorted({*best.recipe.float_ops, *group}))
                yield best.recipe.model_copy(update={"float_ops": names})

    def _int8_kinds(self, found: Found) -> set[str]:
        """Return the kinds of operations that work in int8 and could stay in float32."""
        # The quantiser needs seconds to import.
        from edgeecg.exporters._precision import known_operations

        graph = tflite_file.read(self._path(found.content))
        made = {
            each.op
            for each in graph.operators
            if any(tensor.type == "INT8" for tensor in each.outputs)
        }
        return (made - _MOVING) & known_operations()

    def _try(self, recipe: ExportRecipe) -> Found:
        key = (frozenset(recipe.float_ops), recipe.float_modules, recipe.float_layers)
        if key not in self._tried:
            done = len(self._tried)
            self._job.progress(f"searching {recipe.name}: files timed", done, done + 1)
            content = self._converted(recipe)
            speed = _speed.compare(
                self._path(content), self._plain, self._source.probe.x[:1], _TURNS
            )
            self._tried[key] = Found(recipe, content, speed.ratio, speed.ratio_high)
        return self._tried[key]

    def _converted(self, recipe: ExportRecipe) -> bytes:
        # The quantiser needs seconds to import.
        from edgeecg.exporters import _tflite_quantize, tflite

        with quiet():
            converted = self._job.conversions.float32(self._source.model, recipe)
            if self._ranges is None:
                changes = {"float_ops": (), "float_modules": (), "float_layers": ()}
                every = recipe.model_copy(update=changes)
                self._ranges = _tflite_quantize.measure_ranges(converted, every, self._calibration)
            content = _tflite_quantize.with_ranges(
                converted, recipe, self._ranges, self._calibration
            )
            return tflite.finished(content)

    def _within_limits(self, found: Found) -> Found | None:
        """Return a file within the limits, with a few more layers in float32 if needed."""
        if self._passes(found):
            return found
        changes = _rejection.differences(
            self._source.model, found.recipe, self._calibration, self._source.probe.x
        )
        for recipe in _with_float_layers(found.recipe, changes):
            if self._job.bench is None:
                kept = self._try(recipe)
                if kept.ratio_high >= 1.0:
                    return None
            else:
                kept = Found(recipe, self._converted(recipe), found.ratio, found.ratio)
            if self._passes(kept):
                return kept
        return None

    def _passes(self, found: Found) -> bool:
        path, recipe = self._path(found.content), found.recipe
        try:
            _verify.check(path, recipe.name, self._source.probe, recipe)
            if recipe.max_score_drop is not None and len(self._job.dataset.val.y):
                drop = self._job.validation.compare(self._source.model, path)
                check_score(recipe.name, recipe, drop)
        except MissedLimitError:
            return False
        return True

    def _path(self, content: bytes) -> Path:
        path = self._folder / "tried.tflite"
        files.write_bytes(path, content)
        return path


def _with_float_layers(
    recipe: ExportRecipe, changes: Mapping[str, float]
) -> Iterable[ExportRecipe]:
    """Return recipes with one, two, ... more of the layers that change the logits most."""
    more = [name for name in changes if name not in recipe.float_layers]
    for count in range(1, min(_MOST_LAYERS, len(more)) + 1):
        layers = (*recipe.float_layers, *more[:count])
        yield recipe.model_copy(update={"float_layers": layers})


def keeping(
    recipe: ExportRecipe, model: nn.Module, recurrent: Collection[str], slower: Sequence[str]
) -> ExportRecipe:
    """Return a recipe with more layers in float32.

    LSTM layers are kept all together, and so are the products of attention layers. Layers of other
    kinds cannot be kept one by one, and stay as they are.

    Args:
        recipe: The target.
        model: The model.
        recurrent: Names of its LSTM layers.
        slower: Names of layers that are slower in int8.
    """
    modules = dict(model.named_modules())
    weighted = [name for name in slower if isinstance(modules.get(name), WEIGHTED_LAYERS)]
    operations = list(recipe.float_ops)
    if any(name in recurrent for name in slower):
        operations.append(OPERATION)
    if any(isinstance(modules.get(name), SelfAttention) for name in slower):
        operations.append("BATCH_MATMUL")
    return recipe.model_copy(
        update={
            "float_layers": tuple(dict.fromkeys((*recipe.float_layers, *weighted))),
            "float_ops": tuple(dict.fromkeys(operations)),
        }
    )
