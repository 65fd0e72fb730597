"""The results of ``edgeecg bench --device emulated:CORE``, and what they were counted with."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal, Self

from pydantic import Field, model_validator

from edgeecg.schema.artifacts import Parity
from edgeecg.schema.costs import Proxy
from edgeecg.schema.device_info import DeviceInfo
from edgeecg.schema.measurement import ArtifactRef
from edgeecg.schema.value import Count, Sha256, Value

InstructionCount = Annotated[int, Field(gt=0)]


class OperationInstructions(Value):
    """Instructions of one operation, as the runtime runs it; a fused operation is one.

    Attributes:
        name: The runtime's name for it.
        op: The kind of operation, as the runtime calls it.
        instructions: Instructions of one run with the runtime's profiler on.
    """

    name: str
    op: str
    instructions: Count


class Instructions(Value):
    """Instructions of one inference: the invoke call alone, with one thread.

    Attributes:
        per_inference: Median of the samples.
        core: The emulated core, e.g. ``"cortex-a72"``.
        emulator: The emulator and its version.
        samples: Instructions of every counted inference, in order. They differ by what the kernel
            does in between, mostly its timer.
        operations: Instructions of every operation in the order of execution; empty if unknown.
        operations_method: How those were found, e.g. ``"LiteRT profiler"``, whose clock counts
            microseconds and so thousands of instructions; None if unknown.
        operations_reason: Why those are unknown, or None.
    """

    per_inference: InstructionCount
    core: str
    emulator: str
    samples: tuple[InstructionCount, ...] = ()
    operations: tuple[OperationInstructions, ...] = ()
    operations_method: str | None = None
    operations_reason: str | None = None


class InstructionResult(Value):
    """One file whose instructions were counted on one emulated core.

    An emulator has no time and no energy, so there is neither.

    Attributes:
        tier: Always ``"emulated"``.
        artifact: The file.
        device: The emulated machine; its state is unknown.
        runtime: Runtime name and version, e.g. ``"litert 2.3.0"``.
        input_shape: Shape of the first input.
        instructions: Instructions of one inference.
        proxy: Costs counted from the file, relative to the baseline.
        parity: Agreement with the outputs of PyTorch, on the emulated core.
    """

    tier: Literal["emulated"] = "emulated"
    artifact: ArtifactRef
    device: DeviceInfo
    runtime: str
    input_shape: tuple[int, ...]
    instructions: Instructions
    proxy: Proxy
    parity: Parity

    @model_validator(mode="after")
    def _check(self) -> Self:
        if not self.device.emulated:
            raise ValueError("instructions are counted on emulated devices only")
        return self


class InstructionReport(Value):
    """What ``edgeecg bench --device emulated:CORE`` writes.

    Attributes:
        results: One result per file.
        image: What the emulated machine was made of.
        created_utc: Time of writing, ISO 8601.
        command: The command line.
        edgeecg_version: Version of this package.
        baseline: The file that all proxies are relative to, when the user named one.
    """

    version: ClassVar[str] = "edgeecg.bench-instructions/1"

    results: tuple[InstructionResult, ...]
    image: EmulatorImage
    created_utc: str
    command: str
    edgeecg_version: str
    baseline: str | None = None


class EmulatorImage(Value):
    """What an emulated machine is made of.

    Attributes:
        recipe: Hash of the list of its contents; another list gives another image.
        architecture: Debian's name of its architecture.
        python: Version of its Python, e.g. ``"3.11"``.
        kernel: Package and version of its kernel.
        packages: Versions of its Debian packages.
        wheels: Versions of its Python packages.
        kernel_sha256: Hash of the kernel.
        root_sha256: Hash of the archive of its file system.
        created_utc: Time of writing, ISO 8601.
    """

    version: ClassVar[str] = "edgeecg.emulator-image/1"

    recipe: str
    architecture: str
    python: str
    kernel: str
    packages: dict[str, str]
    wheels: dict[str, str]
    kernel_sha256: Sha256
    root_sha256: Sha256
    created_utc: str


InstructionReport.model_rebuild()
