"""The state of a run between two steps: what was kept, what was undone, and what is tried next."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from torch import nn

from edgeecg.compression.job import Job
from edgeecg.models import build
from edgeecg.schema import CompressionStep, Rollback
from edgeecg.training.checkpoint import load_checkpoint, prefixed, save_checkpoint, unprefixed

_TINY = 1e-9


@dataclass
class RunState:
    """The state of a run between two steps.

    What is tried next depends only on what was kept and what was undone, so that a run that was
    killed tries the same again.

    Attributes:
        model: The model of the last kept step; before the first, a copy of the dense model.
        steps: Steps that were kept.
        rollbacks: Steps that were undone.
        warnings: What a reader of the guards should know; not stored, but found again when a run is
            resumed.
    """

    model: nn.Module
    steps: list[CompressionStep] = field(default_factory=list[CompressionStep])
    rollbacks: list[Rollback] = field(default_factory=list[Rollback])
    warnings: tuple[str, ...] = ()

    @property
    def progress(self) -> float:
        """How far the last kept step is from the dense model (0) to what was asked for (1)."""
        return self.steps[-1].progress if self.steps else 0.0

    @property
    def attempt(self) -> int:
        """1-based number of the step that is tried next."""
        return len(self.steps) + len(self.rollbacks) + 1

    def next_progress(self, steps: int, retries: int) -> float | None:
        """Return the progress that the next step is to reach, 0..1; None when the run is over.

        Without rollbacks the steps divide the progress into equal parts. After a rollback the next
        step is half as large; when it is kept, the end of the part is tried again from there. More
        than ``retries`` rollbacks within one part end the run.

        Args:
            steps: Number of equal parts.
            retries: Rollbacks that one part may have.
        """
        if self.progress >= 1 - _TINY:
            return None
        part = int(self.progress * steps + _TINY)
        end = (part + 1) / steps
        undone = [
            back for back in self.rollbacks if part / steps + _TINY < back.progress <= end + _TINY
        ]
        if len(undone) > retries:
            return None
        if undone and undone[-1].after_step == len(self.steps):
            return (self.progress + undone[-1].progress) / 2
        return end

    @property
    def stopped(self) -> str | None:
        """Why the run is over before its progress is 1; None if it is 1."""
        if self.progress >= 1 - _TINY:
            return None
        last = self.rollbacks[-1]
        guards = " and ".join(f"{guard} ({value:.3f})" for guard, value in last.broken.items())
        kept = (
            f"has {self.steps[-1].nonzero_parameters:,} non-zero parameters"
            if self.steps
            else "is the dense one"
        )
        return (
            f"The guard {guards} breaks beyond {self.progress:.1%} of the way, and no smaller step "
            f"keeps it: the smallest model that keeps every guard {kept}."
        )


def save(job: Job, state: RunState) -> None:
    """Write the checkpoint of a run.

    Raises:
        EdgeECGError: The disk is full; the previous checkpoint is untouched.
    """
    document = {
        "widths": job.architecture.widths(state.model),
        "steps": [step.model_dump(mode="json") for step in state.steps],
        "rollbacks": [back.model_dump(mode="json") for back in state.rollbacks],
    }
    save_checkpoint(job.run.checkpoint, prefixed("model", state.model.state_dict()), document)


def resumed(job: Job) -> RunState | None:
    """Return the state that the checkpoint of a run holds; None before the first step.

    Raises:
        EdgeECGError: The checkpoint is damaged.
    """
    if not job.run.checkpoint.is_file():
        return None
    tensors, state = load_checkpoint(job.run.checkpoint)
    model = build(job.architecture, {key: tuple(value) for key, value in state["widths"].items()})
    model.load_state_dict(unprefixed("model", tensors))
    source = str(job.run.checkpoint)

    def read(key: str) -> list[dict[str, Any]]:
        return state.get(key, [])

    return RunState(
        model,
        [CompressionStep.from_document(step, source) for step in read("steps")],
        [Rollback.from_document(back, source) for back in read("rollbacks")],
    )
