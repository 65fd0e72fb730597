"""What every runtime must do; runs for every file in edgeecg/runtimes."""

from __future__ import annotations

import json
import tempfile
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any, cast

import flatbuffers
import numpy as np
import onnx
import pytest
from ai_edge_litert import schema_py_generated

from edgeecg import plugins, runtimes
from edgeecg.errors import ArtifactError, MissingDependencyError, UsageError
from edgeecg.runtimes import Runtime, _onnx_profile, litert
from edgeecg.schema import MANIFEST_KEY


@pytest.fixture(params=runtimes.names())
def runtime(request: pytest.FixtureRequest) -> Runtime:
    return runtimes.get(request.param)


def written(folder: Path, runtime: Runtime, content: bytes | None) -> Path:
    assert content is not None
    path = folder / f"graph.{runtime.FORMAT}"
    path.write_bytes(content)
    return path


def with_manifest(runtime: Runtime, content: bytes, text: str) -> bytes:
    """Embed a manifest as the exporters do, through each format's own library."""
    if runtime.FORMAT == "onnx":
        model = onnx.load_from_string(content)
        model.metadata_props.add(key=MANIFEST_KEY, value=text)
        return model.SerializeToString()
    schema = cast(Any, schema_py_generated)
    tree = schema.ModelT.InitFromPackedBuf(bytearray(content), 0)
    buffer, entry = schema.BufferT(), schema.MetadataT()
    buffer.data = np.frombuffer(text.encode(), np.uint8)
    tree.buffers.append(buffer)
    entry.name, entry.buffer = MANIFEST_KEY, len(tree.buffers) - 1
    tree.metadata = [entry]
    builder = flatbuffers.Builder(1024)
    builder.Finish(tree.Pack(builder), b"TFL3")
    return bytes(builder.Output())


def test_the_empty_graph_returns_its_input(runtime: Runtime, tmp_path: Path) -> None:
    session = runtime.load(written(tmp_path, runtime, runtime.empty_graph()))
    assert session.input_shape == (1,)
    assert session.dtype == "float32"
    assert session.run(np.array([2.5], np.float32)).tolist() == [2.5]


def test_the_peak_graph_is_a_real_product_of_known_macs(runtime: Runtime, tmp_path: Path) -> None:
    built = runtime.peak_graph("float32")
    assert built is not None
    content, macs = built
    session = runtime.load(written(tmp_path, runtime, content))
    rows, columns = session.input_shape
    assert macs == rows * columns * 256
    x = np.random.default_rng(1).standard_normal((rows, columns)).astype(np.float32)
    y = session.run(x)
    assert y.shape == (rows, 256)
    # Linear: f(2x) = 2 f(x), and rows do not mix.
    np.testing.assert_allclose(session.run(2 * x), 2 * y, rtol=1e-4, atol=1e-4)
    x[1:] = 0.0
    np.testing.assert_allclose(session.run(x)[0], y[0], rtol=1e-4, atol=1e-4)


def test_invoke_runs_on_the_input_already_set_and_threads_change_nothing(
    runtime: Runtime, tmp_path: Path
) -> None:
    built = runtime.peak_graph("float32")
    assert built is not None
    path = written(tmp_path, runtime, built[0])
    outputs = [runtime.load(path, threads=threads).run for threads in (1, 2)]
    x = np.ones((256, 256), np.float32)
    np.testing.assert_allclose(outputs[0](x), outputs[1](x), rtol=1e-5)
    session = runtime.load(path, spin=False)
    session.invoke()
    session.invoke()


def test_the_embedded_manifest_comes_back_and_a_foreign_file_has_none(
    runtime: Runtime, tmp_path: Path
) -> None:
    content = runtime.empty_graph()
    assert content is not None
    assert runtime.load(written(tmp_path, runtime, content)).manifest_json() is None
    path = written(tmp_path, runtime, with_manifest(runtime, content, '{"µ": 1}'))
    assert runtime.load(path).manifest_json() == '{"µ": 1}'


@pytest.mark.parametrize("content", [b"", b"garbage" * 40, b"\x1c\x00\x00\x00TFL3" + b"\xff" * 64])
def test_foreign_bytes_are_an_artifact_error(
    runtime: Runtime, tmp_path: Path, content: bytes
) -> None:
    with pytest.raises(ArtifactError) as caught:
        runtime.load(written(tmp_path, runtime, content))
    assert "cannot be run" in caught.value.what


def test_a_profile_holds_every_operation_or_says_why_not(
    runtime: Runtime, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    built = runtime.peak_graph("float32")
    assert built is not None
    path = written(tmp_path, runtime, built[0])
    monkeypatch.chdir(tmp_path)
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(scratch))
    x = np.ones((256, 256), np.float32)
    profile = runtime.profile(path, x, threads=1, runs=4)
    assert profile.reason is None
    assert profile.method is not None
    (operation,) = profile.operations
    assert operation.op.startswith(("MatMul", "Fully Connected", "FULLY_CONNECTED"))
    # 256 cubed multiplications take a while on any machine, and are all that the file does.
    assert operation.seconds > 1e-5
    if profile.whole_s is not None:
        assert operation.seconds == pytest.approx(profile.whole_s, rel=0.3)
    # What the profiler writes is gone.
    assert {each.name for each in tmp_path.iterdir()} == {path.name, "scratch"}
    assert not list(scratch.iterdir())


@pytest.mark.parametrize("content", [b"", b"garbage" * 40])
def test_a_profile_of_foreign_bytes_is_an_artifact_error(tmp_path: Path, content: bytes) -> None:
    module = runtimes.get("onnxruntime")
    with pytest.raises(ArtifactError, match="cannot be run"):
        module.profile(written(tmp_path, module, content), np.ones(1, np.float32), 1, 1)


def test_a_profile_is_read_in_order_with_fused_nodes_and_a_disturbed_run(
    tmp_path: Path,
) -> None:
    def event(name: str, op: str, index: int, dur: int, cat: str = "Node") -> dict[str, Any]:
        return {"cat": cat, "name": name, "dur": dur, "args": {"op_name": op, "node_index": index}}

    events: list[dict[str, Any]] = [{"cat": "Session", "name": "model_run", "dur": 99}]
    for turn in range(8):
        events += [
            event("stem_kernel_time", "FusedConv", 7, 40_000 if turn == 3 else 10 + turn % 2),
            event("fused head_kernel_time", "FusedGemm", 3, 5),
            # Two nodes that the runtime has inserted have the same name.
            event("Skip_kernel_time", "Skip", 8, 2),
            event("Skip_kernel_time", "Skip", 9, 4),
        ]
    path = tmp_path / "profile.json"
    path.write_text(json.dumps(events))
    found = _onnx_profile.operations(path)
    assert _onnx_profile.whole_s(path) == pytest.approx(99e-6)
    assert [(each.name, each.op) for each in found] == [
        ("stem", "FusedConv"),
        ("head", "FusedGemm"),
        ("Skip", "Skip"),
        ("Skip", "Skip"),
    ]
    # 10, 10, 10, 10, 11, 11, 11, 40000: the middle half is 10, 10, 11, 11.
    assert [each.seconds * 1e6 for each in found] == pytest.approx([10.5, 5, 2, 4])


def test_the_version_names_the_runtime(runtime: Runtime) -> None:
    name, number = runtime.version().split()
    assert name in ("litert", "tflite-runtime", "onnxruntime")
    assert number[0].isdigit()


def test_int8_files_take_and_give_real_numbers(tmp_path: Path) -> None:
    module = runtimes.get("litert")
    built = module.peak_graph("int8")
    assert built is not None
    session = module.load(written(tmp_path, module, built[0]))
    assert session.dtype == "int8"
    x = np.zeros((256, 256), np.float32)
    x[0] = 1.0
    y = session.run(x)
    assert np.all(y[1:] == 0.0)
    # Steps of the output's scale, 0.25.
    assert np.all(y[0] % 0.25 == 0.0)
    assert np.ptp(y[0]) > 1.0


def test_messages_of_native_code_do_not_reach_standard_error(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    built = litert.peak_graph("float32")
    assert built is not None
    litert.load(written(tmp_path, runtimes.get("litert"), built[0]))
    assert capfd.readouterr().err == ""


def test_a_missing_runtime_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(litert, "_PACKAGES", (("no_such.interpreter", "no-such", "none"),))
    with pytest.raises(MissingDependencyError, match=r"edgeecg\[device\]"):
        litert.version()


def test_a_runtime_of_another_package_that_cannot_be_imported_is_skipped(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def find(group: str) -> list[EntryPoint]:
        return [EntryPoint("a_broken_one", "no_such_package.runtime", group)]

    monkeypatch.setattr(plugins, "entry_points_of", find)
    assert "a_broken_one" in runtimes.names()
    assert runtimes.for_file(Path("model.onnx")).FORMAT == "onnx"


def test_another_suffix_is_refused_with_the_known_ones() -> None:
    with pytest.raises(UsageError, match=r"\.onnx, \.tflite"):
        runtimes.for_file(Path("model.h5"))
