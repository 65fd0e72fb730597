"""How dense models are trained: one recipe for beats, one for 12-lead records.

The window of a beat was chosen on DS1, see ``benchmarks/experiments/window_choice.toml``. The other
values were set by hand; no trials of them are stored.
"""

from __future__ import annotations

from edgeecg.schema import Augmentation, TrainingConfig

BEATS = TrainingConfig(
    epochs=6,
    epoch_windows=8000,
    batch_size=128,
    learning_rate=2e-3,
    weight_decay=0.1,
    mixup=0.2,
    augmentation=Augmentation(
        shift=4,
        stretch=0.1,
        colour=0.2,
        warp=0.1,
        wander=0.3,
        noise=0.2,
        signal_dropout=0.5,
        rhythm_jitter=0.1,
        rhythm_gain=0.1,
    ),
)
"""One class per beat."""

RECORDS = TrainingConfig(
    epochs=24,
    epoch_windows=None,
    batch_size=64,
    learning_rate=2e-3,
    weight_decay=0.1,
    average=0.995,
    mixup=0.8,
    soft_targets=0.7,
    augmentation=Augmentation(shift=100, gain=0.2, wander=0.3, noise=0.15, lead_dropout=0.1),
)
"""Any number of classes per record."""
