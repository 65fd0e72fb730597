"""The limits of a target: a file that misses one is refused."""

from __future__ import annotations

from edgeecg.errors import ExportError
from edgeecg.schema import ExportRecipe, ScoreDrop, Speed


class MissedLimitError(ExportError):
    """A file that works, and misses a limit of its target."""


def check_score(name: str, recipe: ExportRecipe, drop: ScoreDrop) -> None:
    """Refuse a file whose validation score is too much lower than PyTorch's.

    Raises:
        MissedLimitError: It is.
    """
    limit = recipe.max_score_drop
    if limit is not None and drop.drop > limit:
        raise MissedLimitError(
            f"'{name}' loses too much accuracy and was not written.",
            f"Its {drop.metric} on the validation windows is {drop.file:.4f}, in float32 "
            f"{drop.reference:.4f}; export/{recipe.name}.toml accepts a drop of {limit:g}.",
            way_on(recipe),
        )


def check_speed(name: str, recipe: ExportRecipe, speed: Speed) -> None:
    """Refuse a file that takes more time than the target allows, by more than the spread.

    Raises:
        MissedLimitError: It does.
    """
    limit = recipe.max_time_ratio
    if limit is not None and speed.ratio_low > limit:
        raise MissedLimitError(
            f"'{name}' is too slow on this machine and was not written.",
            f"It takes {speed.ratio:.2f} ({speed.ratio_low:.2f}-{speed.ratio_high:.2f}) of the "
            f"time of the float32 file; export/{recipe.name}.toml accepts {limit:g}.",
            way_on(recipe),
        )


def way_on(recipe: ExportRecipe) -> str:
    """Say what to do instead of a target whose limit was missed."""
    if recipe.dtype == "float32":
        return "Choose another target, and report this as a bug of edgeecg."
    if recipe.search:
        return "Train for int8 with 'edgeecg compress --quantize qat', or choose --target tflite."
    if recipe.dtype == "float16" or recipe.activation_dtype == "int16":
        return f"Choose --target {recipe.format}, which is float32."
    if recipe.format == "onnx":
        return (
            "Choose --target onnx, train for int8 with 'edgeecg compress --quantize qat', or name "
            f"more operations in float_ops of export/{recipe.name}.toml."
        )
    return (
        "Choose --target tflite-mixed (keeps in float32 what int8 hurts) or tflite-int16x8, or "
        "train for int8 with 'edgeecg compress --quantize qat'."
    )
