"""A bundle holds all that a device needs, and nothing of a hostile one is written anywhere."""

from __future__ import annotations

import contextlib
import json
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from bench_command import bench
from mutated_files import mutated
from onnx import helper
from onnx_models import external, graph_model

from edgeecg.benchmark import bundle
from edgeecg.errors import EdgeECGError, UsageError

Exported = Callable[[str], Path]


@pytest.mark.usefixtures("small_suites")
def test_a_bundle_is_measured_like_its_files(
    exported: Exported, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bundle.pack([exported("a"), exported("b")], tmp_path / "pi.zip")
    with zipfile.ZipFile(tmp_path / "pi.zip") as archive:
        assert sorted(archive.namelist()) == sorted(
            f"{name}{end}" for name in "ab" for end in (".onnx", ".json", ".probe.npz")
        )
    assert bench(tmp_path / "pi.zip", "--meter", "none", "--json", tmp_path / "out.json") == 0
    first, second = json.loads((tmp_path / "out.json").read_text())["results"]
    assert (first["artifact"]["file"], second["artifact"]["file"]) == (
        "pi.zip/a.onnx",
        "pi.zip/b.onnx",
    )
    # The manifest and the probe windows came along.
    assert first["artifact"]["manifest"]["model"] == "toy"
    assert first["parity"]["label_agreement"] == 1.0
    # What is measured on a device is not stored in a run folder that is not there.
    assert "Kept in" not in capsys.readouterr().out


def test_files_of_one_name_and_bundles_of_another_kind_are_refused(
    exported: Exported, tmp_path: Path
) -> None:
    file = exported("a")
    with pytest.raises(UsageError, match=r"ends in \.zip"):
        bundle.pack([file], tmp_path / "pi.tar")
    other = tmp_path / "elsewhere" / file.name
    other.parent.mkdir()
    other.write_bytes(file.read_bytes())
    with pytest.raises(UsageError, match="same name"):
        bundle.pack([file, other], tmp_path / "pi.zip")
    assert not (tmp_path / "pi.zip").exists()


@pytest.mark.parametrize(
    ("members", "words"),
    [
        (["../outside.onnx"], "not a plain file name"),
        (["folder/a.onnx"], "not a plain file name"),
        (["/etc/a.onnx"], "not a plain file name"),
        (["a.json"], "no .tflite or .onnx"),
        ([], "no .tflite or .onnx"),
    ],
)
def test_hostile_and_empty_bundles_are_refused(
    members: list[str], words: str, tmp_path: Path
) -> None:
    path = tmp_path / "pi.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for name in members:
            archive.writestr(name, "x")
    with pytest.raises(EdgeECGError, match=words), bundle.unpacked([path]):
        pass
    assert not (tmp_path / "outside.onnx").exists()


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 and no more", b"no archive at all"])
def test_damaged_bundles_are_refused(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "pi.zip"
    path.write_bytes(content)
    with pytest.raises(EdgeECGError, match="cannot be unpacked"), bundle.unpacked([path]):
        pass


@pytest.mark.parametrize(
    "compression", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA]
)
def test_bundles_whose_bytes_were_changed_are_refused(compression: int, tmp_path: Path) -> None:
    path, rng, whole = tmp_path / "pi.zip", np.random.default_rng(0), 0
    with zipfile.ZipFile(path, "w", compression) as archive:
        archive.writestr("a.onnx", bytes(range(256)) * 4)
    content = path.read_bytes()
    for _ in range(100):
        path.write_bytes(mutated(content, rng))
        with contextlib.suppress(EdgeECGError), bundle.unpacked([path]):
            whole += 1
    assert whole < 50


def test_a_bundle_that_is_not_there_is_named(tmp_path: Path) -> None:
    with (
        pytest.raises(EdgeECGError, match=r"no file '.*pi.zip'"),
        bundle.unpacked([tmp_path / "pi.zip"]),
    ):
        pass


def test_a_model_with_its_data_in_another_folder_is_refused(tmp_path: Path) -> None:
    node = helper.make_node("MatMul", ["x", "w"], ["y"])
    model = graph_model([node], [1, 4], [1, 300], {"w": np.ones((4, 300), np.float32)})
    (tmp_path / "data").mkdir()
    path = external(tmp_path, model)
    bundle.pack([path], tmp_path / "beside.zip")
    for tensor in model.graph.initializer:
        tensor.external_data[0].value = "data/model.onnx.data"
    path.write_bytes(model.SerializeToString())
    (tmp_path / "model.onnx.data").rename(tmp_path / "data/model.onnx.data")
    with pytest.raises(
        UsageError, match=r"reads '.*data/model\.onnx\.data', which lies in another"
    ):
        bundle.pack([path], tmp_path / "apart.zip")
    assert not (tmp_path / "apart.zip").exists()
