"""Every target in ``export/``: its files agree with PyTorch and with their manifests."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import torch

from edgeecg import models, resources, runtimes
from edgeecg.data import Dataset
from edgeecg.exporters import exporter, formats
from edgeecg.runs import RunFolder
from edgeecg.schema import Artifact, ExportRecipe, ModelCard, Preprocessing, Role

# Convolutions of 15, 7 and 5 taps at 256, 128 and 64 positions, pooled to 8; two dense layers.
BASELINE_MACS = 256 * 15 * 1 * 4 + 128 * 7 * 4 * 4 + 64 * 5 * 4 * 8 + (8 * 8) * 8 + 8 * 3
COMPRESSED_MACS = 256 * 15 * 1 * 2 + 128 * 7 * 2 * 4 + 64 * 5 * 4 * 4 + (4 * 8) * 8 + 8 * 3


def artifact(run: RunFolder, role: Role, recipe: ExportRecipe) -> Artifact:
    path = run.artifacts / f"cnn1d-{role}-{recipe.name}.json"
    return Artifact.from_json(path.read_bytes(), path.name)


def written(run: RunFolder, recipe: ExportRecipe) -> list[Path]:
    """Return the two model files of one target."""
    names = [f"cnn1d-{role}-{recipe.name}" for role in ("baseline", "compressed")]
    return [run.artifacts / f"{name}.{recipe.format}" for name in names]


def test_target_names_a_format_that_exists(recipe: ExportRecipe) -> None:
    assert recipe.format in formats()
    assert exporter(recipe.format).PACKAGES


def test_folder_holds_three_files_per_model_and_target_and_nothing_else(
    exported: RunFolder,
) -> None:
    expected = {
        f"cnn1d-{role}-{name}{suffix}"
        for role in ("baseline", "compressed")
        for name in resources.target_names()
        if not resources.load_target(name).search
        for suffix in (f".{resources.load_target(name).format}", ".json", ".probe.npz")
    }
    assert {path.name for path in exported.artifacts.iterdir()} == expected


def test_manifest_beside_the_file_describes_these_bytes(
    exported: RunFolder, recipe: ExportRecipe
) -> None:
    for path in written(exported, recipe):
        manifest = Artifact.from_json(path.with_suffix(".json").read_bytes(), path.name)
        assert manifest.file == path.name
        assert manifest.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
        assert manifest.size_bytes == path.stat().st_size
        assert manifest.target == recipe.name
        assert manifest.dtype == recipe.dtype


def test_manifest_in_the_file_is_the_one_beside_it(
    exported: RunFolder, recipe: ExportRecipe
) -> None:
    for path in written(exported, recipe):
        text = runtimes.for_file(path).load(path).manifest_json()
        assert text is not None
        assert "\n" not in text
        beside = Artifact.from_json(path.with_suffix(".json").read_bytes(), path.name)
        bare = {"file": None, "sha256": None, "size_bytes": None, "speed": None}
        assert Artifact.from_json(text, path.name) == beside.model_copy(update=bare)


def test_outputs_for_the_probe_windows_are_pytorchs(
    exported: RunFolder, recipe: ExportRecipe, toy_dataset: Dataset
) -> None:
    card = ModelCard.from_json(exported.model_card.read_bytes(), "card")
    model = models.load(exported.model_weights, card)
    path = exported.artifacts / f"cnn1d-compressed-{recipe.name}.{recipe.format}"
    with np.load(path.with_suffix(".probe.npz"), allow_pickle=False) as probe:
        x, logits = probe["x"], probe["logits"]
    # All of the validation windows: fewer than the 256 that are taken at most.
    assert x.shape == (90, 1, 256)
    assert x.dtype == logits.dtype == np.float32
    with torch.no_grad():
        reference = model(torch.from_numpy(x)).numpy()
    np.testing.assert_allclose(logits, reference, atol=1e-5)
    session = runtimes.for_file(path).load(path)
    assert session.dtype == recipe.io_dtype
    assert session.input_shape == (1, 1, 256)
    found = np.concatenate([session.run(window[np.newaxis]) for window in x])
    difference = float(np.abs(found - reference).max())
    assert difference <= (0.05 if recipe.max_abs_diff is None else recipe.max_abs_diff)
    parity = artifact(exported, "compressed", recipe).verification
    assert parity.n == 90
    assert parity.max_abs_diff is not None
    assert abs(parity.max_abs_diff - difference) < 1e-5
    in_validation = {window.tobytes() for window in toy_dataset.val.x}
    assert all(window.tobytes() in in_validation for window in x)


def test_macs_are_those_of_the_file_in_its_type(exported: RunFolder, recipe: ExportRecipe) -> None:
    expected: dict[Role, int] = {"baseline": BASELINE_MACS, "compressed": COMPRESSED_MACS}
    for role, macs in expected.items():
        layers = artifact(exported, role, recipe).layers
        assert sum(layer.macs for layer in layers) == macs
        # LiteRT converts float16 weights to float32 when it loads the file.
        executed = "float32" if recipe.dtype == "float16" else recipe.dtype
        assert {layer.dtype for layer in layers if layer.macs} == {executed}


def test_proxy_is_relative_to_the_dense_float32_file(
    exported: RunFolder, recipe: ExportRecipe
) -> None:
    baseline = artifact(exported, "baseline", recipe)
    compressed = artifact(exported, "compressed", recipe)
    assert baseline.baseline is not None
    assert baseline.baseline == compressed.baseline
    assert baseline.baseline.weights_sha256 == baseline.weights_sha256
    assert baseline.baseline.costs.macs == {"float32": BASELINE_MACS}
    if recipe.dtype == "float32":
        assert baseline.baseline.costs == baseline.costs


def test_scores_are_those_of_this_file_on_the_test_split(
    exported: RunFolder, recipe: ExportRecipe, toy_dataset: Dataset
) -> None:
    path = exported.artifacts / f"cnn1d-baseline-{recipe.name}.{recipe.format}"
    session = runtimes.for_file(path).load(path)
    labels = np.array([session.run(x[np.newaxis])[0].argmax() for x in toy_dataset.test.x])
    test = artifact(exported, "baseline", recipe).test
    assert test is not None
    assert test.split == "test"
    assert test.n == len(toy_dataset.test.y)
    assert test.accuracy == np.mean(labels == toy_dataset.test.y)


def test_file_contains_nothing_about_the_machine(exported: RunFolder, recipe: ExportRecipe) -> None:
    for path in written(exported, recipe):
        content = path.read_bytes()
        assert b"site-packages" not in content
        assert b"stack_trace" not in content
        assert b"<locals>" not in content


def test_versions_of_the_converters_are_recorded(exported: RunFolder, recipe: ExportRecipe) -> None:
    versions = artifact(exported, "baseline", recipe).versions
    assert set(versions) == set(exporter(recipe.format).PACKAGES)
    assert versions["torch"] == torch.__version__


def test_a_quantised_file_is_timed_beside_its_float32_file(
    exported: RunFolder, recipe: ExportRecipe
) -> None:
    speed = artifact(exported, "compressed", recipe).speed
    if recipe.dtype == "float32":
        assert speed is None
        return
    assert speed is not None
    assert speed.ratio_low <= speed.ratio <= speed.ratio_high
    assert speed.p50_s > 0
    assert speed.float32_p50_s > 0


RUNTIME_ALONE = """
import runpy, sys
for name in ("edgeecg", "torch", "pydantic", "onnx", "litert_torch"):
    sys.modules[name] = None
runpy.run_path("example.py")
"""


def test_the_example_of_the_documentation_needs_only_the_runtime(
    exported: RunFolder, tmp_path: Path
) -> None:
    page = (Path(__file__).parents[2] / "docs" / "export.md").read_text(encoding="utf-8")
    example = page.split("## A file without edgeecg")[1].split("```python\n")[1].split("```")[0]
    assert len([line for line in example.splitlines() if line]) <= 14
    (tmp_path / "example.py").write_text(example, encoding="utf-8")
    shutil.copy(exported.artifacts / "cnn1d-compressed-tflite.tflite", tmp_path / "model.tflite")
    done = subprocess.run(
        [sys.executable, "-c", RUNTIME_ALONE],
        cwd=tmp_path,
        check=True,
        capture_output=True,
        text=True,
    )
    said, rate = done.stdout.split()
    session = runtimes.for_file(tmp_path / "model.tflite").load(tmp_path / "model.tflite")
    answer = session.run(np.zeros((1, 1, 256), np.float32)).argmax()
    assert said == ("N", "S", "V")[int(answer)]
    assert float(rate) == Preprocessing().fs_hz
