"""Extensions of other packages: found by their entry points, and named when they cannot be used."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Callable
from importlib.metadata import EntryPoints
from pathlib import Path

import pytest

from edgeecg import meters, models, plugins, resources, runtimes
from edgeecg.benchmark import calibration
from edgeecg.benchmark.config import CalibrationConfig
from edgeecg.cli import run
from edgeecg.data import sources
from edgeecg.data.sources import _synthetic_beats
from edgeecg.errors import PluginError, UnknownNameError

Install = Callable[[dict[str, str], dict[str, dict[str, str]]], None]


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Install:
    """Put a package and its entry points where Python finds installed ones."""

    def put(files: dict[str, str], groups: dict[str, dict[str, str]]) -> None:
        for name, text in files.items():
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(textwrap.dedent(text))
        info = tmp_path / "extra_ecg-1.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text("Metadata-Version: 2.1\nName: extra-ecg\nVersion: 1.0\n")
        lines = [
            line
            for group, points in groups.items()
            for line in (f"[{group}]", *(f"{name} = {value}" for name, value in points.items()))
        ]
        (info / "entry_points.txt").write_text("\n".join(lines) + "\n")
        monkeypatch.syspath_prepend(tmp_path)

    return put


METER = """
    class Clamp:
        name = "clamp"
        zones = ("supply",)
        sample_rate_hz = 10.0
        replayed = True

        def joules(self):
            return 0.0

        def close(self):
            pass


    def open():
        return Clamp()
"""


def test_a_meter_of_another_package_is_listed_opened_and_reported(
    install: Install, capsys: pytest.CaptureFixture[str]
) -> None:
    install({"extra_a/clamp.py": METER}, {"edgeecg.meters": {"clamp": "extra_a.clamp"}})
    assert "clamp" in meters.names()
    assert meters.external_names() == ["clamp"]
    assert meters.get("clamp").open().zones == ("supply",)
    assert run(["meters", "--json", "-"]) == 0
    rows = {row["name"]: row for row in json.loads(capsys.readouterr().out)}
    assert rows["clamp"] == {"name": "clamp", "available": True, "reason": None}
    assert rows["rapl"]["available"] is (rows["rapl"]["reason"] is None)


def test_installed_packages_are_searched_once_for_a_group_and_again_for_another_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    searched: list[str] = []

    def entry_points(*, group: str) -> EntryPoints:
        searched.append(group)
        return EntryPoints()

    monkeypatch.setattr(plugins, "entry_points", entry_points)
    for folder in (tmp_path / "a", tmp_path / "b"):
        monkeypatch.syspath_prepend(folder)
        for _ in range(3):
            meters.names()
    assert searched == ["edgeecg.meters"] * 2


def test_a_package_that_cannot_be_imported_is_named_and_the_rest_works(
    install: Install, capsys: pytest.CaptureFixture[str]
) -> None:
    broken = "import a_package_that_is_not_there\n"
    groups = {
        "edgeecg.models": {"fine_net": "extra_b.broken"},
        "edgeecg.meters": {"clamp": "extra_b.broken", "rapl": "extra_b.broken"},
        "edgeecg.devices": {"my-board": "extra_b.broken"},
        "edgeecg.data.sources": {"my-records": "extra_b.broken"},
    }
    install({"extra_b/broken.py": broken}, groups)
    with pytest.raises(PluginError, match="'fine_net' of the package 'extra-ecg'"):
        models.architecture("fine_net")
    assert run(["models"]) == 0
    said = capsys.readouterr().out
    assert "resnet1d_attn" in said
    assert "Not usable: 'fine_net' of the package 'extra-ecg'" in said
    assert "a_package_that_is_not_there" in said
    assert "'my-records' of the package 'extra-ecg'" in said
    assert run(["devices"]) == 0
    said = capsys.readouterr().out
    assert "x86-64" in said
    assert "Not usable: 'my-board'" in said
    reasons = {each.name: each.reason for each in plugins.broken("edgeecg.meters")}
    assert "ModuleNotFoundError" in reasons["clamp"]
    assert reasons["rapl"] == "edgeecg has its own 'rapl', which is used."
    assert sources.default("beats") in ("mitdb", "synthetic")


def test_models_runtimes_sources_targets_and_devices_of_another_package(install: Install) -> None:
    model = """
        from edgeecg.models.cnn1d import *
        from edgeecg.models.cnn1d import RECIPE as _RECIPE, build, widths

        RECIPE = _RECIPE.model_copy(update={"model": "toy"})
    """
    runtime = """
        from edgeecg.runtimes.litert import empty_graph, load, peak_graph, profile, version

        FORMAT, SPIN_SWITCH = 'toy', False
    """
    source = """
        from edgeecg.data.sources.synthetic import DOWNLOAD, LICENCE, NOTES, REMARKS, folder, load

        TITLE, TASKS, DEFAULT_FOR = 'Toy records', ('beats',), ()
    """
    target = 'format = "tflite"\ndtype = "float32"\n'
    device = 'title = "A board"\nmeters = []\nno_meter = "It has no meter."\n'
    described = (resources.root() / "export/tflite.toml").read_text()
    install(
        {
            "extra_c/__init__.py": "",
            "extra_c/toy.py": model,
            "extra_c/toy_runtime.py": runtime,
            "extra_c/toy_source.py": source,
            "extra_c/files/__init__.py": "",
            "extra_c/files/watch.toml": described or target,
            "extra_c/files/board.toml": device,
        },
        {
            "edgeecg.models": {"toy": "extra_c.toy"},
            "edgeecg.runtimes": {"toy": "extra_c.toy_runtime"},
            "edgeecg.data.sources": {"toy": "extra_c.toy_source"},
            "edgeecg.targets": {"watch": "extra_c.files", "absent": "extra_c.files"},
            "edgeecg.devices": {"board": "extra_c.files"},
        },
    )
    assert sum(p.numel() for p in models.build("toy").parameters()) == 188_035
    assert runtimes.get("toy").FORMAT == "toy"
    assert sources.find("toy").TITLE == "Toy records"
    assert resources.load_target("watch").name == "watch"
    assert resources.load_device("board").title == "A board"
    assert "board" in {profile.name for profile in resources.usable_devices()}
    names, (unusable,) = resources.usable_targets()
    assert "watch" in names
    assert "absent" not in names
    assert "absent.toml of the package" in str(unusable)
    with pytest.raises(Exception, match=r"absent\.toml of the package 'extra_c\.files'"):
        resources.load_target("absent")
    with pytest.raises(UnknownNameError, match="watch"):
        resources.load_target("watsh")


def test_an_extension_that_ends_the_program_is_named(
    install: Install, capsys: pytest.CaptureFixture[str]
) -> None:
    install({"ends.py": "raise SystemExit(3)\n"}, {"edgeecg.meters": {"ends": "ends"}})
    assert run(["meters"]) == 0
    assert "'ends' of the package 'extra-ecg'" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("group", "command", "lacks"),
    [
        ("edgeecg.meters", "meters", "lacks open, see edgeecg.meters.MeterModule"),
        ("edgeecg.runtimes", "devices", "lacks FORMAT, SPIN_SWITCH, empty_graph, load"),
        ("edgeecg.models", "models", "lacks BLOCKS, CLASSES, DATASET"),
        ("edgeecg.data.sources", "models", "lacks DEFAULT_FOR, DOWNLOAD"),
        ("edgeecg.exporters", "models", "lacks PACKAGES, embed, export"),
    ],
)
def test_an_extension_that_lacks_something_is_named_and_the_rest_works(
    group: str, command: str, lacks: str, install: Install, capsys: pytest.CaptureFixture[str]
) -> None:
    install({"hollow.py": "X = 1\n"}, {group: {"hollow": "hollow"}})
    assert run([command]) == 0
    said = " ".join(capsys.readouterr().out.split())
    assert lacks in said
    assert "'hollow' of the package 'extra-ecg'" in said


def test_a_model_that_cannot_be_built_is_named_and_the_rest_is_listed(
    install: Install, capsys: pytest.CaptureFixture[str]
) -> None:
    model = """
        from edgeecg.models.cnn1d import *
        from edgeecg.models.cnn1d import RECIPE, widths

        def build(widths):
            raise RuntimeError("out of luck")
    """
    install({"odd_model.py": model}, {"edgeecg.models": {"odd": "odd_model"}})
    assert run(["models"]) == 0
    said = " ".join(capsys.readouterr().out.split())
    assert "resnet1d_attn" in said
    assert "The model 'odd' of another package cannot be built." in said
    assert "RuntimeError: out of luck" in said


def test_an_unusable_source_of_another_package_is_refused_by_name(
    install: Install, capsys: pytest.CaptureFixture[str]
) -> None:
    install({"hollow.py": "X = 1\n"}, {"edgeecg.data.sources": {"hollow": "hollow"}})
    assert run(["data", "info", "hollow"]) == 1
    assert "'hollow' of the package 'extra-ecg' cannot be used" in capsys.readouterr().err
    assert sources.default("beats") in ("mitdb", "synthetic")


def test_a_meter_whose_opening_fails_is_listed_with_the_reason(install: Install) -> None:
    install({"odd.py": "def open():\n    return 1 / 0\n"}, {"edgeecg.meters": {"odd": "odd"}})
    reasons = {each.name: each.reason or "" for each in meters.availability()}
    assert "raised ZeroDivisionError: division by zero" in reasons["odd"]


def test_a_broken_model_or_runtime_stops_no_command_that_does_not_need_it(
    install: Install, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    groups = {
        "edgeecg.models": {"fine_net": "extra_d.broken"},
        "edgeecg.runtimes": {"fine_run": "extra_d.broken"},
    }
    install({"extra_d/broken.py": "import a_package_that_is_not_there\n"}, groups)
    records = tmp_path / "records"
    records.mkdir()
    _synthetic_beats.generate(records, seed=5, names=("a",), duration_s=60)
    assert run(["data", "info", str(records)]) == 0
    assert "Models: bilstm, cnn1d" in " ".join(capsys.readouterr().out.split())
    # The runtime is found before the device is looked for.
    with pytest.raises(UnknownNameError, match="device named 'nowhere'"):
        calibration.measure(CalibrationConfig(runtime="litert", device="nowhere"))
    with pytest.raises(UnknownNameError, match="litert"):
        calibration.measure(CalibrationConfig(runtime="tensors"))
    with pytest.raises(PluginError, match="'fine_run'"):
        calibration.measure(CalibrationConfig(runtime="fine_run"))
