"""Settings of earlier versions, with which most of the stored compressions were made."""

from __future__ import annotations

from typing import Any

FINE_TUNING: dict[str, Any] = {
    "distill_alpha": 0.9,
    "finetune_windows": "training",
    "finetune_norm": "batch",
    "finetune_epochs": 2,
    "finetune_last_epochs": None,
}
"""The fine-tuning of beat models."""
