"""Structured models: what a budget on the executed proxy leaves of score, file and time.

Their files, float32 and int8, are scored too, and timed by ``measure_cells.py`` on a quiet machine;
two models are also trained for int8 in the same run (``qat``), and those of PTB-XL brought down to
less than a tenth::

    EDGEECG_DATA=../shared/data python benchmarks/structured.py [--minutes 50]
"""

from __future__ import annotations

from cells import Cell
from published import publish

BUDGETS = {
    "cnn1d": 0.15,
    "resnet1d_attn": 0.15,
    "cnn_lstm_attn": 0.3,
    "bilstm": 0.3,
    "resnet1d_se_attn": 0.35,
    "conv_transformer": 0.35,
}
A_TENTH = {"resnet1d_se_attn": 0.09, "conv_transformer": 0.09}
SMALLER_IN_INT8 = {"resnet1d_attn": 0.12, "conv_transformer": 0.35}
BLOCKS = ("resnet1d_se_attn", "conv_transformer")


def steered(model: str, budget: float) -> dict[str, object]:
    """Return the options that bring a model to this share of its executed proxy."""
    options: dict[str, object] = {"budgets": (f"energy={budget:g}",)}
    return options | ({"structure": "blocks"} if model in BLOCKS else {})


def _cell(model: str, budget: float) -> Cell:
    return Cell(model, steered(model, budget), targets=("tflite",))


def _int8(model: str) -> Cell:
    options = {**steered(model, SMALLER_IN_INT8[model]), "quantize": "qat"}
    return Cell(model, options, targets=("tflite", "tflite-int8"), shown="tflite-int8")


CELLS = {
    **{model: _cell(model, budget) for model, budget in BUDGETS.items()},
    **{f"{model}, a tenth": _cell(model, budget) for model, budget in A_TENTH.items()},
    **{f"{model}, int8": _int8(model) for model in SMALLER_IN_INT8},
}

if __name__ == "__main__":
    publish("structured", "Smaller models under a budget of executed proxy", CELLS)
