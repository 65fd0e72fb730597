"""Which options differ between the rows of a table, found in what the runs stored."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from edgeecg.schema.compression import EARLIER_ENERGY_TERMS

from ..rows import Row

LEGEND = "Options: all that differ between rows; training settings are each model's recipe."
_INPUTS = ("training", "start", "own")  # The model, its recipe, and the dense weights.
_NAMES = {"reading": "energy-term"}
_ALONE = ("budgets", "structure")  # Their values need no name before them.


def differing(rows: Sequence[Row], without: Collection[str] = ()) -> list[str]:
    """Return for each row the options that differ between the rows.

    Args:
        rows: Rows of ``harness.aggregate``, with their ``variant``.
        without: Options that the table shows otherwise.
    """
    settings = [_settings(row) for row in rows]
    keys = [
        key
        for key in dict.fromkeys(key for each in settings for key in each)
        if key not in without and len({each.get(key) for each in settings}) > 1
    ]
    return [_joined({key: each[key] for key in keys if key in each}) for each in settings]


def on_the_command_line(options: Mapping[str, Any]) -> str:
    """Return options of a run as ``edgeecg compress`` takes them.

    Args:
        options: Those of an experiment's run, e.g. ``{"budgets": ["energy=0.2"]}``.
    """
    found: list[str] = []
    for name, value in options.items():
        option = "--budget" if name == "budgets" else f"--{name.replace('_', '-')}"
        if isinstance(value, bool):
            found.append(option if value else option.replace("--", "--no-", 1))
            continue
        found += [f"{option} {each}" for each in (value if isinstance(value, list) else [value])]
    return " ".join(found)


def _joined(chosen: dict[str, str]) -> str:
    shown = dict(chosen)
    # What has no effect: a sparsity under a budget, the energy term of L1.
    if shown.get("budgets", "none") != "none":
        shown.pop("sparsity", None)
    if shown.get("method") == "l1":
        shown.pop("reading", None)
    if shown.get("structure") == "none":
        shown["structure"] = "single weights"
    parts = [
        value if key in _ALONE else f"{_NAMES.get(key, key)}={value}"
        for key, value in shown.items()
        if value != "none"
    ]
    return ", ".join(parts) or "-"


def _settings(row: Row) -> dict[str, str]:
    """Return the options of a row's seeds; values that differ among the seeds are all named."""
    found: dict[str, list[str]] = {}
    for seed in row["variant"].seeds:
        for key, value in seed["config"].items():
            text = _text(value)
            if key not in _INPUTS and text not in found.setdefault(key, []):
                found[key].append(text)
    if found.get("finetune_fidelity", ["None"]) == ["None"]:
        # The limit of a search for the number of epochs, which is not made.
        found.pop("finetune_most", None)
    return {key: " or ".join(values) for key, values in found.items()}


def _text(value: Any) -> str:
    if isinstance(value, str):
        return EARLIER_ENERGY_TERMS.get(value, value)
    if isinstance(value, list):
        return " ".join(_text(each) for each in value) or "none"
    if isinstance(value, dict):  # A budget.
        share = value.get("share")
        return f"{value.get('kind')}={value.get('size_bytes') if share is None else share}"
    return str(value).lower() if isinstance(value, bool) else str(value)
