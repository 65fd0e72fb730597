"""The values that pass between rooms: frozen, validated when made, JSON with a version.

Units stand in the names (``_s``, ``_j``, ``_w``, ``_hz``, ``_bytes``, ``_mv``). What was not
measured is ``None`` beside a reason, never 0. Unknown keys are refused by name.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from edgeecg.errors import SchemaError

Fraction = Annotated[float, Field(ge=0.0, le=1.0)]
Count = Annotated[int, Field(ge=0)]
Positive = Annotated[float, Field(gt=0.0)]
Seconds = Annotated[float, Field(ge=0.0)]
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
DType = Literal["float32", "int8"]
Format = Literal["tflite", "onnx"]
Role = Literal["baseline", "compressed"]
Source = Literal["mitdb", "synthetic"]
ClassMapName = Literal["aami", "ec57"]

MANIFEST_KEY = "edgeecg.artifact"
"""Under this name a file carries its manifest: TFLite metadata, ONNX ``metadata_props``."""


class Value(BaseModel):
    """The base of every value: immutable, strict about keys, and at home in JSON.

    Attributes:
        version: ``"edgeecg.NAME/N"`` for a value that is a document of its own, which its JSON
            then carries under the key ``schema``; empty for a part of one.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)
    version: ClassVar[str] = ""

    def to_document(self) -> dict[str, Any]:
        """Return plain dicts, lists and numbers, headed by ``schema`` where there is a version."""
        body = self.model_dump(mode="json")
        return {"schema": self.version, **body} if self.version else body

    def to_json(self) -> str:
        """Return the document as indented JSON text with a final newline."""
        return json.dumps(self.to_document(), indent=1, ensure_ascii=False) + "\n"

    @classmethod
    def from_document(cls, document: object, source: str) -> Self:
        """Validate a decoded JSON or TOML document.

        Args:
            document: What the JSON or TOML parser returned.
            source: Where it came from, for the error message.

        Raises:
            SchemaError: It is not a mapping, has another version, an unknown or missing key, or a
                value out of its range; every fault is named.
        """
        if not isinstance(document, Mapping):
            raise SchemaError(
                f"{source} does not hold a {cls.__name__}.",
                f"A table of keys was expected, a {type(document).__name__} came.",
                "Check that this is the file you meant.",
            )
        body: dict[str, Any] = {str(key): value for key, value in document.items()}
        if cls.version:
            found = body.pop("schema", None)
            if found != cls.version:
                raise SchemaError(
                    f"{source} does not hold a {cls.__name__}.",
                    f"Its schema should be '{cls.version}' and is {found!r}.",
                    "Check that this is the file you meant, written by this version of edgeecg.",
                )
        try:
            return cls.model_validate(body)
        except ValidationError as error:
            faults = "; ".join(
                f"{'.'.join(str(part) for part in fault['loc']) or 'document'}: {fault['msg']}"
                for fault in error.errors()
            )
            raise SchemaError(
                f"{source} does not hold a valid {cls.__name__}.",
                f"{faults}.",
                "Mend the keys named, or write the file again.",
            ) from error

    @classmethod
    def from_json(cls, text: str | bytes, source: str) -> Self:
        """Parse and validate JSON text; see :meth:`from_document`.

        Raises:
            SchemaError: The text is not JSON, or not this value.
        """
        try:
            document: object = json.loads(text)
        except ValueError as error:
            raise SchemaError(
                f"{source} cannot be read.",
                f"It is not valid JSON: {error}.",
                "The file is damaged or is something else; write it again.",
            ) from error
        return cls.from_document(document, source)


# --------------------------------------------------------------------------------------- windows


class Preprocessing(Value):
    """How a raw lead becomes a model input; a device repeats it sample by sample.

    A causal high-pass at the record's own rate, causal polyphase resampling to ``fs_hz``, then a
    window of ``window`` samples whose sample ``r_index`` is the R peak, normalised by statistics of
    that window alone.

    Attributes:
        fs_hz: Sampling rate of the window in hertz.
        window: Samples in a window.
        r_index: Index of the R peak in the window, 0-based.
        highpass_hz: Corner of the causal second-order Butterworth high-pass, in hertz.
        normalisation: ``"window-zscore"``: minus the window's mean, over its deviation.
        leads: Names of the leads, in the order of the input's rows.
    """

    fs_hz: Positive = 128.0
    window: Annotated[int, Field(ge=16)] = 256
    r_index: Count = 160
    highpass_hz: Positive = 0.5
    normalisation: Literal["window-zscore"] = "window-zscore"
    leads: tuple[str, ...] = ("MLII",)

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.r_index >= self.window:
            raise ValueError(f"r_index {self.r_index} lies outside a window of {self.window}")
        if self.highpass_hz >= self.fs_hz / 2:
            raise ValueError(f"highpass_hz {self.highpass_hz} is not below fs_hz / 2")
        return self


class DataSummary(Value):
    """Which records, with which labels, were behind a model or a score.

    Attributes:
        source: ``"mitdb"`` for real records, ``"synthetic"`` for generated ones.
        class_map: Which mapping from beat symbols to classes was used.
        classes: Class names in the order of the model's outputs.
        train_records: Records that the weights were fitted to.
        val_records: Records that every decision (stopping, pruning) was taken on.
        test_records: Records that were looked at once, for the final score.
        beats: Beats per class and split, e.g. ``{"train": {"N": 1, ...}, ...}``.
        skipped: Beats left out, by reason.
        content_sha256: Hash of the record files and of the preprocessing.
        licence: Licence and citation of the records.
        notes: What a reader of any figure on these records has to know, a sentence each.
    """

    source: Source
    class_map: ClassMapName
    classes: tuple[str, ...]
    train_records: tuple[str, ...]
    val_records: tuple[str, ...]
    test_records: tuple[str, ...]
    beats: dict[str, dict[str, Count]]
    skipped: dict[str, Count]
    content_sha256: Sha256
    licence: str
    notes: tuple[str, ...] = ()


# ---------------------------------------------------------------------------------------- scores


class ClassScore(Value):
    """One class: Se (recall), +P (precision) and F1, each 0..1, and the beats that bear it."""

    recall: Fraction
    precision: Fraction
    f1: Fraction
    support: Count


class Scores(Value):
    """How well one model or file classifies one split.

    Attributes:
        data: Where the beats come from.
        split: ``"val"`` or ``"test"`` (MIT-BIH: test is DS2).
        n: Number of beats.
        accuracy: Fraction of beats labelled rightly.
        macro_f1: Unweighted mean of the classes' F1.
        per_class: Scores by class name.
        confusion: Row = true class, column = predicted class, in ``classes`` order.
        records: The same matrix for each record, so that any figure can be redone without one.
        accuracy_ci95: Bootstrap 95 % interval over records, or None where not computed.
        macro_f1_ci95: Bootstrap 95 % interval over records, or None where not computed.
    """

    data: Source
    split: Literal["val", "test"]
    n: Count
    accuracy: Fraction
    macro_f1: Fraction
    per_class: dict[str, ClassScore]
    confusion: tuple[tuple[Count, ...], ...]
    records: dict[str, tuple[tuple[Count, ...], ...]] = {}
    accuracy_ci95: tuple[Fraction, Fraction] | None = None
    macro_f1_ci95: tuple[Fraction, Fraction] | None = None


# ----------------------------------------------------------------------------------- energy proxy


class LayerCost(Value):
    """What one layer costs per inference, counted.

    Attributes:
        name: The layer's name in its file or module tree.
        op: The operation, in the words of its format (``CONV_2D``, ``Conv``, ``Conv1d``).
        dtype: Type the multiplications run in.
        macs: Multiply-accumulates that the runtime executes.
        nonzero_fraction: Part of the layer's weights that is not exactly zero.
        weight_bytes: Bytes of weights and biases read.
        activation_bytes: Bytes of activations read and written.
    """

    name: str
    op: str
    dtype: DType
    macs: Count
    nonzero_fraction: Fraction
    weight_bytes: Count
    activation_bytes: Count


class CostTotals(Value):
    """The layers' costs added up, in the form both readings of the proxy need.

    Attributes:
        macs: Executed MACs by dtype.
        nonzero_macs: MACs whose weight is not zero, by dtype.
        weight_bytes: Bytes of weights.
        nonzero_weight_bytes: Bytes of weights that are not zero.
        activation_bytes: Bytes of activations read and written.
    """

    macs: dict[DType, Count]
    nonzero_macs: dict[DType, Count]
    weight_bytes: Count
    nonzero_weight_bytes: Count
    activation_bytes: Count


class ProxyCoefficients(Value):
    """Cost of the elementary operations, in picojoules of a 45 nm process.

    Only ratios to the baseline model are ever shown: real processors spend thousands of times more.

    Attributes:
        mac_pj: One multiply and one add, by dtype.
        weight_byte_pj: Fetching one byte of weights.
        activation_byte_pj: Reading or writing one byte of activations.
        source: Where the figures come from.
    """

    # int8 multiplies accumulate in int32 (0.2 + 0.1); fp32 is 3.7 + 0.9. Memory: 1 MB SRAM for the
    # weights (100 pJ per 64 bit), 32 KB for the activations (20 pJ per 64 bit).
    mac_pj: dict[DType, Positive] = {"float32": 4.6, "int8": 0.3}
    weight_byte_pj: Positive = 12.5
    activation_byte_pj: Positive = 2.5
    source: str = "Horowitz, ISSCC 2014, 45 nm"


class Proxy(Value):
    """The analytic count of one file, relative to its baseline.

    Attributes:
        ideal: Zero weights cost nothing; relative to the baseline. None when no baseline is known.
        executed: What the runtime really multiplies; relative to the baseline, or None.
        macs: Executed MACs, or None when the file could not be counted.
        weight_bytes: Bytes of weights in the file, or None.
        reason: Why something above is None; None when nothing is.
    """

    ideal: Annotated[float, Field(ge=0.0)] | None
    executed: Annotated[float, Field(ge=0.0)] | None
    macs: Count | None
    weight_bytes: Count | None
    reason: str | None = None


# ------------------------------------------------------------------------------- models and runs


class ModelSummary(Value):
    """One line of ``edgeecg models``.

    Attributes:
        name: Architecture, a file name of ``edgeecg/models``.
        dataset: Data it is meant for.
        classes: Class names in the order of the outputs.
        parameters: Parameters of the dense model.
        macs: Multiply-accumulates per inference of the dense model.
    """

    name: str
    dataset: str
    classes: tuple[str, ...]
    parameters: Count
    macs: Count


class ModelCard(Value):
    """What a file of weights is: ``model.json`` beside ``model.safetensors``.

    Attributes:
        name: Architecture, a file name of ``edgeecg/models``.
        role: Dense baseline, or what compression made of it.
        widths: The architecture's widths by name; with ``name`` they rebuild the module.
        parameters: Parameters in the module.
        nonzero_parameters: Parameters that are not exactly zero.
        macs: Multiply-accumulates per inference.
        classes: Class names in the order of the outputs.
        preprocessing: How a lead becomes an input.
        data: What it was trained, validated and tested on.
        seed: Seed of weights, order and draws.
        val: Scores on the validation records.
        test: Scores on the test records.
        weights_sha256: Hash of the weights file this card describes.
        parent_sha256: Hash of the dense baseline's weights; None for a baseline.
        epochs: Epochs trained in all.
        git_revision: Revision of the code, or None outside a checkout.
        edgeecg_version: Version of this package.
        notice: What the model must not be used for.
    """

    version: ClassVar[str] = "edgeecg.model/1"

    name: str
    role: Role
    widths: dict[str, tuple[int, ...]]
    parameters: Count
    nonzero_parameters: Count
    macs: Count
    classes: tuple[str, ...]
    preprocessing: Preprocessing
    data: DataSummary
    seed: int
    val: Scores
    test: Scores
    weights_sha256: Sha256
    parent_sha256: Sha256 | None
    epochs: Count
    git_revision: str | None
    edgeecg_version: str
    notice: str = "Research software. Not a medical device; not for diagnosis."


class CompressionStep(Value):
    """One prune-and-fine-tune step.

    Attributes:
        step: 1-based number of the step.
        target_sparsity: What the schedule asked for at this step, over all prunable weights.
        sparsity: Part of the baseline's parameters that is now gone or zero.
        parameters: Parameters left in the module.
        nonzero_parameters: Parameters left that are not zero.
        macs: MACs per inference left.
        proxy_ideal: Proxy relative to the baseline, zeros free.
        proxy_executed: Proxy relative to the baseline, as executed.
        widths: The architecture's widths after this step.
        layer_sparsity: Part of each prunable layer's weights that is gone or zero.
        train_loss: Mean training loss of each fine-tuning epoch.
        val: Scores on the validation records after fine-tuning.
        seconds: Wall time of the step.
    """

    step: Annotated[int, Field(ge=1)]
    target_sparsity: Fraction
    sparsity: Fraction
    parameters: Count
    nonzero_parameters: Count
    macs: Count
    proxy_ideal: Annotated[float, Field(ge=0.0)]
    proxy_executed: Annotated[float, Field(ge=0.0)]
    widths: dict[str, tuple[int, ...]]
    layer_sparsity: dict[str, Fraction]
    train_loss: tuple[float, ...]
    val: Scores
    seconds: Seconds


class CompressionConfig(Value):
    """Everything that decides what ``edgeecg compress`` does; the same config, the same weights.

    Attributes:
        model: Architecture to train and compress.
        data: Records to use; None for real ones if found, else synthetic ones.
        structure: ``"channels"`` removes whole channels; ``"none"`` zeroes single weights.
        method: ``"energy"`` scores by magnitude and layer energy, ``"l1"`` by magnitude alone.
        reading: ``"target"`` prunes costly layers more, ``"protect"`` is the printed formula.
        alpha: Share of the magnitude in the score, 0..1.
        sparsity: Fraction of the prunable weights to remove in the end.
        steps: Number of prune-and-fine-tune steps.
        beta: Steepness of the schedule s_l(t) = S (1 - exp(-beta_l t)).
        depth_ratio: beta of the shallowest layer as a fraction of the deepest layer's.
        round_to: Channel counts are kept multiples of this.
        distill: Learn from the dense teacher's logits while fine-tuning.
        distill_alpha: Share of the distillation term in the loss, 0..1.
        temperature: Softmax temperature of the distillation term.
        epochs: Most epochs of baseline training.
        patience: Epochs without a better validation macro-F1 before training stops.
        finetune_epochs: Epochs after each step.
        epoch_windows: Windows drawn per epoch, balanced over classes.
        batch_size: Windows per optimisation step.
        learning_rate: Peak learning rate of baseline training.
        finetune_rate: Peak learning rate of fine-tuning.
        weight_decay: AdamW weight decay.
        class_map: Which mapping from beat symbols to classes.
        seed: Seed of everything random.
        preprocessing: How a lead becomes windows.
        threads: Threads of torch; another number may change the last bits of the weights.
    """

    version: ClassVar[str] = "edgeecg.config/1"

    model: str = "resnet1d_attn"
    data: Source | None = None
    structure: Literal["channels", "none"] = "channels"
    method: Literal["energy", "l1"] = "energy"
    reading: Literal["target", "protect"] = "target"
    alpha: Fraction = 0.5
    sparsity: Annotated[float, Field(gt=0.0, lt=1.0)] = 0.75
    steps: Annotated[int, Field(ge=1, le=100)] = 5
    beta: Positive = 3.0
    depth_ratio: Annotated[float, Field(gt=0.0, le=1.0)] = 0.5
    round_to: Annotated[int, Field(ge=1, le=64)] = 4
    distill: bool = True
    distill_alpha: Fraction = 0.5
    temperature: Positive = 4.0
    epochs: Annotated[int, Field(ge=1)] = 8
    patience: Annotated[int, Field(ge=1)] = 4
    finetune_epochs: Annotated[int, Field(ge=1)] = 2
    epoch_windows: Annotated[int, Field(ge=64)] = 8000
    batch_size: Annotated[int, Field(ge=1)] = 128
    learning_rate: Positive = 2e-3
    finetune_rate: Positive = 1e-3
    weight_decay: Annotated[float, Field(ge=0.0)] = 1e-2
    class_map: ClassMapName = "aami"
    preprocessing: Preprocessing = Preprocessing()
    seed: int = 0
    threads: Annotated[int, Field(ge=1)] = 1


class CompressionLog(Value):
    """``compression.json``: the whole story of a run, step by step.

    Attributes:
        config: What was asked for.
        data: What it ran on.
        steps: Every finished step, in order.
        baseline_costs: Counted costs of the dense model, the denominator of every proxy.
        command: The command line that started the run.
    """

    version: ClassVar[str] = "edgeecg.compression/1"

    config: CompressionConfig
    data: DataSummary
    steps: tuple[CompressionStep, ...]
    baseline_costs: CostTotals
    command: str


# -------------------------------------------------------------------------------------- artifacts


class Parity(Value):
    """Agreement of a file's outputs with the reference outputs of the PyTorch model.

    Attributes:
        n: Probe windows compared, or None when there was no probe set.
        max_abs_diff: Largest absolute difference of a logit, or None.
        label_agreement: Part of the windows with the same most likely class, or None.
        reason: Why there are no figures, or None.
    """

    n: Count | None
    max_abs_diff: Annotated[float, Field(ge=0.0)] | None
    label_agreement: Fraction | None
    reason: str | None = None


class Baseline(Value):
    """The dense float32 file that a file's proxy is relative to.

    Attributes:
        weights_sha256: Hash of the baseline's weights.
        costs: Costs counted from the baseline's exported float32 file of the same format.
    """

    weights_sha256: Sha256
    costs: CostTotals


class Artifact(Value):
    """The manifest of an exported file: embedded in it, and beside it as ``FILE.json``.

    Attributes:
        name: Stem of the file, e.g. ``resnet1d_attn-compressed-tflite-int8``.
        role: Dense baseline, or what compression made of it.
        format: File format.
        dtype: Type the weights are stored and multiplied in.
        target: Export target, a file name of ``export/``.
        model: Architecture.
        run: Name of the run folder it came from.
        parameters: Parameters of the module it was exported from.
        classes: Class names in the order of the outputs.
        input_shape: ``(batch, leads, samples)``, float32.
        preprocessing: How a lead becomes an input.
        data: Source of the records behind the model.
        weights_sha256: Hash of the weights it was exported from.
        layers: Costs counted from this file, layer by layer.
        costs: Their sum.
        baseline: What the proxy is relative to, or None when unknown.
        verification: Agreement with PyTorch on the probe set, right after writing.
        test: Scores of this very file on the test records, or None when not computed.
        versions: Versions of the packages that made it.
        git_revision: Revision of the code, or None outside a checkout.
        file: File name; None in the embedded copy.
        sha256: Hash of the file; None in the embedded copy, which cannot hold its own hash.
        size_bytes: Size of the file; None in the embedded copy.
    """

    version: ClassVar[str] = "edgeecg.artifact/1"

    name: str
    role: Role
    format: Format
    dtype: DType
    target: str
    model: str
    run: str
    parameters: Count
    classes: tuple[str, ...]
    input_shape: tuple[int, int, int]
    preprocessing: Preprocessing
    data: Source
    weights_sha256: Sha256
    layers: tuple[LayerCost, ...]
    costs: CostTotals
    baseline: Baseline | None
    verification: Parity
    test: Scores | None
    versions: dict[str, str]
    git_revision: str | None
    file: str | None = None
    sha256: Sha256 | None = None
    size_bytes: Count | None = None


# ------------------------------------------------------------------------------- documents (TOML)


class ExportRecipe(Value):
    """One export target: ``export/NAME.toml``.

    Attributes:
        name: The file's stem; what ``--target`` takes.
        format: File format; names the module of ``edgeecg/export`` that writes it.
        dtype: Type the weights are stored and multiplied in.
        description: One line for ``--help`` and error messages.
        calibration_windows: Training windows to calibrate static quantisation on; 0 for float.
        float_ops: Operations kept in float32 by a quantised target.
        max_abs_diff: Largest difference from PyTorch's logits that the check after export accepts.
        min_label_agreement: Smallest part of equal labels that the check accepts.
    """

    name: str
    format: Format
    dtype: DType
    description: str
    calibration_windows: Count = 0
    float_ops: tuple[str, ...] = ()
    max_abs_diff: Positive
    min_label_agreement: Fraction


class DetectRule(Value):
    """How a board is recognised: every condition given must hold.

    Attributes:
        machine: Accepted values of ``platform.machine()``.
        model_contains: Text that ``/proc/device-tree/model`` (or cpuinfo's ``Model``) contains.
    """

    machine: tuple[str, ...]
    model_contains: str | None = None


class DeviceProfile(Value):
    """One board: ``devices/NAME.toml``.

    Attributes:
        name: The file's stem; what ``--device`` takes.
        title: Name for people.
        detect: How the board is recognised; None for one that never runs Python.
        meters: Energy meters worth trying there, best first; file names of ``edgeecg/meters``.
        no_meter: What to tell the user when none of them works.
        coefficients: Coefficients of the proxy.
        notes: What a measurer should know.
    """

    name: str
    title: str
    detect: DetectRule | None = None
    meters: tuple[str, ...] = ()
    no_meter: str
    coefficients: ProxyCoefficients = ProxyCoefficients()
    notes: str = ""


class Suite(Value):
    """How to measure: ``benchmarks/suites/NAME.toml``.

    Attributes:
        name: The file's stem; what ``--suite`` takes.
        description: One line.
        warmup_runs: Fewest runs before anything counts.
        warmup_seconds: Shortest warm-up.
        min_runs: Fewest timed runs.
        min_seconds: Shortest timed span.
        energy_windows: Number of energy windows.
        energy_window_seconds: Length of one energy window.
        idle_window_seconds: Length of the idle window before, between and after them.
    """

    name: str
    description: str
    warmup_runs: Annotated[int, Field(ge=1)]
    warmup_seconds: Seconds
    min_runs: Annotated[int, Field(ge=10)]
    min_seconds: Seconds
    energy_windows: Annotated[int, Field(ge=1)]
    energy_window_seconds: Positive
    idle_window_seconds: Positive


# ------------------------------------------------------------------------------------ measurement


class ArtifactRef(Value):
    """Which file was measured.

    Attributes:
        file: File name as given.
        sha256: Hash of the file.
        format: File format.
        dtype: Type of the weights, read from the file.
        size_bytes: Size of the file.
        manifest: The manifest embedded in the file, or None for a foreign file.
    """

    file: str
    sha256: Sha256
    format: Format
    dtype: DType
    size_bytes: Count
    manifest: Artifact | None = None


class DeviceState(Value):
    """What could make two measurements differ, read before and after; None where unreadable.

    Attributes:
        governor: CPU frequency governor.
        frequency_hz: Current frequency of the measuring core.
        temperature_c: Temperature of the hottest sensor, degrees Celsius.
        throttled: Whether the firmware reports throttling (Raspberry Pi).
        load: One-minute load average.
    """

    governor: str | None
    frequency_hz: float | None
    temperature_c: float | None
    throttled: bool | None
    load: float | None


class DeviceInfo(Value):
    """The machine a figure was measured on.

    Attributes:
        name: Device profile, a file name of ``devices/``.
        emulated: True under an emulator: its times are never published as the board's.
        machine: ``platform.machine()``.
        cpu: Processor name as the system gives it, or None.
        cores: Logical processors.
        memory_bytes: Physical memory.
        system: Operating system and kernel.
        python: Python version.
        before: State before the measurement.
        after: State after it.
    """

    name: str
    emulated: bool
    machine: str
    cpu: str | None
    cores: Count
    memory_bytes: Count
    system: str
    python: str
    before: DeviceState
    after: DeviceState


class Latency(Value):
    """Time of one inference, batch 1, around the bare invoke.

    Attributes:
        n: Timed runs.
        threads: Threads the runtime was given.
        p50_s: Median.
        p90_s: 90th percentile.
        p99_s: 99th percentile.
        max_s: Slowest run.
        mean_s: Mean.
        first_s: The very first inference, which also pays for set-up.
        warmup_n: Runs before the timed ones.
        pinned_cpu: Processor the process was bound to, or None where the system does not let it.
        rate_hz: Runs per second that were asked for, or None for back to back.
        spin: Whether idle worker threads spin between runs; None where the runtime has no switch.
        cpu_s: Processor time of one period in the whole process, spinning included; None unless
            ``rate_hz`` is given.
        samples_s: Every timed run, in order.
    """

    n: Count
    threads: Annotated[int, Field(ge=1)]
    p50_s: Seconds
    p90_s: Seconds
    p99_s: Seconds
    max_s: Seconds
    mean_s: Seconds
    first_s: Seconds
    warmup_n: Count
    pinned_cpu: int | None
    rate_hz: Positive | None = None
    spin: bool | None = None
    cpu_s: Seconds | None = None
    samples_s: tuple[float, ...]


class Breakdown(Value):
    """Where the median goes: t = empty graph + roofline + the rest.

    Attributes:
        empty_graph_s: Median of a graph that does nothing, in the same runtime; None if unknown.
        peak_macs_per_s: The core's measured peak in the file's dtype and runtime; None if unknown.
        roofline_s: MACs / peak; None if either is unknown.
        rest_s: What is left (may be negative within the noise); None if a part is unknown.
        reason: Why a part is None, or None.
    """

    empty_graph_s: Seconds | None
    peak_macs_per_s: Positive | None
    roofline_s: Seconds | None
    rest_s: float | None
    reason: str | None = None


class Energy(Value):
    """Energy of one inference, or why there is none.

    Attributes:
        tier: ``"measured"``, ``"not resolved"`` (below twice the detection limit), or
            ``"not measured"``.
        meter: Meter that was read, or None.
        reason: Why it is not measured or not resolved; None when measured.
        gross_j: Median joules per inference with idle included, or None.
        net_j: Median joules per inference with idle subtracted, or None.
        ci95_j: Bootstrap 95 % interval of ``net_j``, or None.
        idle_w: Mean idle power, or None.
        detection_limit_j: Smallest net energy per inference that could be seen, or None.
        windows: Number of windows.
        inferences: Inferences in all windows.
        zones: What the meter covered, e.g. ``("package-0",)``.
        sample_rate_hz: Rate at which the meter delivers new values, or None.
        replayed: True when the stream was a recording or a simulation.
    """

    tier: Literal["measured", "not measured", "not resolved"]
    meter: str | None
    reason: str | None
    gross_j: float | None
    net_j: float | None
    ci95_j: tuple[float, float] | None
    idle_w: float | None = None
    detection_limit_j: float | None = None
    windows: Count = 0
    inferences: Count = 0
    zones: tuple[str, ...] = ()
    sample_rate_hz: float | None = None
    replayed: bool = False

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.tier == "not measured" and (self.gross_j is not None or self.net_j is not None):
            raise ValueError("energy that was not measured cannot have joules")
        if self.tier == "measured" and (self.net_j is None or self.meter is None):
            raise ValueError("measured energy needs joules and a meter")
        if self.tier != "measured" and not self.reason:
            raise ValueError(f"energy that is {self.tier} needs a reason")
        return self


class Memory(Value):
    """Memory of a fresh process that loads and runs the file.

    Attributes:
        peak_rss_bytes: Peak resident set, interpreter and runtime included; None if unreadable.
        model_rss_bytes: The part above the same process before the model was loaded; or None.
        reason: Why there is no figure, or None.
    """

    peak_rss_bytes: Count | None
    model_rss_bytes: int | None = None
    reason: str | None = None


class BenchResult(Value):
    """One file measured once on one device with one runtime.

    Attributes:
        artifact: Which file.
        device: Where.
        runtime: Runtime name and version, e.g. ``"litert 2.3.0"``.
        latency: How long.
        duty_cycle: Latency at a slow rate with spinning on and off; empty unless asked for.
        breakdown: Where the time goes.
        energy: How many joules, or why not.
        proxy: What the count had promised.
        memory: How much memory.
        parity: Whether it still answers as PyTorch did.
    """

    artifact: ArtifactRef
    device: DeviceInfo
    runtime: str
    latency: Latency
    duty_cycle: tuple[Latency, ...] = ()
    breakdown: Breakdown
    energy: Energy
    proxy: Proxy
    memory: Memory
    parity: Parity


class BenchReport(Value):
    """What ``edgeecg bench`` writes.

    Attributes:
        results: One result per file.
        suite: The protocol that was followed.
        created_utc: Time of writing, ISO 8601.
        command: The command line.
        edgeecg_version: Version of this package.
    """

    version: ClassVar[str] = "edgeecg.bench/1"

    results: tuple[BenchResult, ...]
    suite: Suite
    created_utc: str
    command: str
    edgeecg_version: str
