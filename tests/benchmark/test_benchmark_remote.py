"""``edgeecg bench --on HOST``, on hosts that are this machine."""

from __future__ import annotations

import sys
import types
from collections.abc import Callable
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest
from bench_command import bench, bench_on
from fake_ssh import FakeSsh

from edgeecg import plugins, resources
from edgeecg.benchmark import remote
from edgeecg.benchmark.config import BenchConfig
from edgeecg.errors import UsageError
from edgeecg.runtimes import onnxruntime
from edgeecg.schema import BenchReport

Exported = Callable[[str], Path]


def test_a_file_is_measured_on_the_host_and_the_report_is_kept_here(
    ssh: FakeSsh, exported: Exported, tmp_path: Path
) -> None:
    path = exported("a")
    assert bench_on("pi@board", path, "--meter", "none", "--json", "out.json") == 0
    (result,) = BenchReport.from_json(Path("out.json").read_text(), "out").results
    assert result.host == "pi@board"
    assert result.artifact.file == str(path)
    # Manifest and probe set went with it, and so did the suite.
    assert result.artifact.manifest is not None
    assert result.parity.n == 4
    assert result.parity.label_agreement == 1.0
    (kept,) = (tmp_path / "runs/toy/bench").glob("*.json")
    assert "pi@board" in kept.name
    assert BenchReport.from_json(kept.read_text(), "kept").suite.name == "tiny"
    assert result.latency.n >= 10
    assert not ssh.left()


@pytest.mark.parametrize("name", ["-rf.onnx", 'it\'s "a" $(touch x) file.onnx', "Größe;.onnx"])
def test_paths_may_have_dashes_spaces_and_quotes(ssh: FakeSsh, name: str) -> None:
    built = onnxruntime.peak_graph("float32")
    assert built is not None
    path = Path("- my 'folder'", name)
    path.parent.mkdir()
    path.write_bytes(built[0])
    config = BenchConfig(on="pi", python=sys.executable, suite="tiny.toml", meter="none")
    report = remote.measure([path], config)
    assert report.results[0].artifact.file == str(path)
    assert not list(ssh.root.rglob("x"))


def test_a_device_profile_of_ones_own_goes_with_the_files(ssh: FakeSsh, exported: Exported) -> None:
    profile = (resources.root() / "devices/x86-64.toml").read_text()
    Path("my_board.toml").write_text(profile)
    options = ("--device", "my_board.toml", "--meter", "none", "--json", "out.json")
    assert bench_on("pi", exported("a"), *options) == 0
    (result,) = BenchReport.from_json(Path("out.json").read_text(), "out").results
    assert result.device.name == "my_board"


def test_equal_names_in_two_folders_are_two_files(ssh: FakeSsh, exported: Exported) -> None:
    first = exported("a")
    second = Path("other", "a.onnx")
    second.parent.mkdir()
    second.write_bytes(first.read_bytes())
    assert bench_on("pi", first, second, "--meter", "none", "--json", "out.json") == 0
    results = BenchReport.from_json(Path("out.json").read_text(), "out").results
    assert [result.artifact.file for result in results] == [str(first), str(second)]
    assert [result.parity.n for result in results] == [4, None]


def test_the_baseline_goes_with_the_files(ssh: FakeSsh, exported: Exported) -> None:
    dense, small = exported("a"), exported("b")
    options = ("--baseline", dense, "--meter", "none", "--json", "out.json")
    assert bench_on("pi", small, *options) == 0
    report = BenchReport.from_json(Path("out.json").read_text(), "out")
    assert report.baseline == str(dense)
    assert [result.artifact.file for result in report.results] == [str(dense), str(small)]


def test_errors_on_the_host_name_the_files_as_they_are_called_here(
    ssh: FakeSsh, capsys: pytest.CaptureFixture[str]
) -> None:
    path = Path("models", "broken.tflite")
    path.parent.mkdir()
    path.write_bytes(b"this is no model")
    assert bench_on("pi", path, "--meter", "none") == 1
    told = capsys.readouterr().err
    assert "On pi:" in told
    assert "models/broken.tflite" in told
    assert "files-" not in told
    assert "Traceback" not in told
    assert not ssh.left()


def test_a_path_that_looks_like_one_of_the_host_is_left_as_it_is(
    ssh: FakeSsh, exported: Exported
) -> None:
    path = Path("files/0", "a.onnx")
    path.parent.mkdir(parents=True)
    path.write_bytes(exported("a").read_bytes())
    config = BenchConfig(on="pi", python=sys.executable, suite="tiny.toml", meter="none")
    command = f"edgeecg bench other/a.onnx {path} --on pi"
    report = remote.measure([exported("b"), path], config, command=command)
    assert [result.artifact.file for result in report.results][1:] == [str(path)]
    assert report.command == command


def test_a_meter_that_the_host_lacks_is_explained(
    ssh: FakeSsh, exported: Exported, capsys: pytest.CaptureFixture[str]
) -> None:
    assert bench_on("pi", exported("a"), "--meter", "pi5_pmic") == 1
    told = capsys.readouterr().err
    assert "On pi:" in told
    assert "vcgencmd" in told


def test_a_wrong_name_ends_with_the_status_of_wrong_usage(
    ssh: FakeSsh, exported: Exported, capsys: pytest.CaptureFixture[str]
) -> None:
    assert bench_on("pi", exported("a"), "--meter", "none", "--device", "nope") == 2
    assert "no device named 'nope'" in capsys.readouterr().err


@pytest.mark.parametrize("option", ["--python", "--wheels"])
def test_options_of_hosts_need_a_host(
    exported: Exported, option: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert bench(exported("a"), option, "x") == 2
    assert "--on" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("group", "options"),
    [("edgeecg.meters", ("--meter", "bench_supply")), ("edgeecg.devices", ("--device", "lab"))],
)
def test_what_another_package_adds_is_not_sent_and_that_is_said(
    group: str,
    options: tuple[str, str],
    ssh: FakeSsh,
    exported: Exported,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    point = EntryPoint(options[1], "a_package_of_ours", group)

    def entry_points_of(group: str) -> list[EntryPoint]:
        return [point] if group == point.group else []

    monkeypatch.setattr(plugins, "entry_points_of", entry_points_of)
    extension = types.ModuleType("a_package_of_ours")
    monkeypatch.setattr(extension, "open", lambda: None, raising=False)
    monkeypatch.setitem(sys.modules, "a_package_of_ours", extension)
    given = {options[0].removeprefix("--"): options[1]}
    config = BenchConfig.model_validate({"on": "pi", **given})
    with pytest.raises(UsageError, match="belongs to another package") as refused:
        remote.measure([exported("a")], config)
    assert options[1] in refused.value.what
    assert "--python" in refused.value.todo
    assert not ssh.calls()


def test_a_file_that_does_not_exist_is_an_error(
    ssh: FakeSsh, capsys: pytest.CaptureFixture[str]
) -> None:
    assert bench_on("pi", "none.onnx", "--meter", "none") == 1
    assert "There is no file 'none.onnx'" in capsys.readouterr().err


def test_the_help_names_the_options(capsys: pytest.CaptureFixture[str]) -> None:
    assert bench("--help") == 0
    told = capsys.readouterr().out
    for option in ("--on", "--python", "--wheels"):
        assert option in told
