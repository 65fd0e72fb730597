"""Building the image of the emulated machine, with programs that act as Debian's."""

from __future__ import annotations

import re
from pathlib import Path

import emulator_programs as programs
import pytest

from edgeecg.devices.emulator import image
from edgeecg.devices.emulator.packages import install_wheels
from edgeecg.errors import EdgeECGError
from edgeecg.progress import ignore

CONSTRAINTS = Path(__file__).parents[2] / "constraints.txt"


def test_it_is_built_once_and_found_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    log = programs.all_programs(tmp_path, monkeypatch)
    assert image.find() is None
    made = image.build(ignore)
    assert made.kernel.read_bytes() == b"content of vmlinuz-6.1"
    root = made.root.read_bytes()
    assert b"usr/bin/python3.11\0" in root
    assert b"packages/numpy/__init__.py\0" in root
    assert b"dev/console\0" in root
    assert made.manifest.kernel == "linux-image-6.1.0-9-cloud-arm64 6.1.9-1"
    assert made.manifest.packages == {"python3": "3.11.2-1", "zlib1g": "1:1.2"}
    assert made.manifest.wheels["numpy"] == "2.4.6"
    calls = log.read_text()
    assert image.build(ignore) == made
    assert image.find() == made
    assert log.read_text() == calls


def test_a_build_that_fails_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    programs.all_programs(tmp_path, monkeypatch)
    monkeypatch.setenv("DPKG_FAILS", "1")
    with pytest.raises(EdgeECGError, match="not a Debian format archive"):
        image.build(ignore)
    assert image.find() is None
    assert not list(image.cache().iterdir())


def test_a_failed_rebuild_keeps_the_image(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = programs.built(tmp_path, monkeypatch)
    monkeypatch.setenv("DPKG_FAILS", "1")
    with pytest.raises(EdgeECGError):
        image.build(ignore, rebuild=True)
    assert image.find() == made
    monkeypatch.delenv("DPKG_FAILS")
    made.kernel.write_bytes(b"older")
    assert image.build(ignore, rebuild=True).kernel.read_bytes() == b"content of vmlinuz-6.1"
    assert [path.name for path in image.cache().iterdir()] == [made.folder.name]


def test_another_recipe_is_another_image(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = programs.built(tmp_path, monkeypatch)
    monkeypatch.setattr(image, "WHEELS", ("numpy==9.9.9",))
    assert image.find() is None
    with pytest.raises(EdgeECGError, match="edgeecg emulator build"):
        image.installed()
    assert image.build(ignore).folder != made.folder


@pytest.mark.parametrize("name", ["manifest.json", "vmlinuz", "root.cpio"])
def test_an_image_with_a_part_missing_is_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    made = programs.built(tmp_path, monkeypatch)
    (made.folder / name).unlink()
    assert image.find() is None


@pytest.mark.parametrize(
    ("missing", "package"),
    [
        ("apt-get", "apt"),
        ("dpkg-deb", "dpkg"),
        ("qemu-system-aarch64", "qemu-system-arm"),
    ],
)
def test_a_missing_program_is_named_with_its_package(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, missing: str, package: str
) -> None:
    programs.all_programs(tmp_path, monkeypatch)
    (tmp_path / "bin" / missing).unlink()
    with pytest.raises(EdgeECGError) as caught:
        image.build(ignore)
    assert missing in caught.value.what
    assert caught.value.todo.endswith(f"apt-get install {package}")


def test_what_apt_get_reports_is_repeated(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    programs.all_programs(tmp_path, monkeypatch)
    fails = 'import sys\nif "update" not in sys.argv: sys.exit("E: Unable to locate package")\n'
    programs.install(tmp_path, monkeypatch, apt_get=fails)
    with pytest.raises(EdgeECGError, match="Unable to locate package"):
        image.build(ignore)


def test_an_old_python_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    programs.all_programs(tmp_path, monkeypatch)
    older = programs.DPKG_DEB.replace("python3.11", "python3.9")
    programs.install(tmp_path, monkeypatch, dpkg_deb=older)
    with pytest.raises(EdgeECGError, match=r"3\.9"):
        image.build(ignore)


def test_a_full_disk_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    programs.all_programs(tmp_path, monkeypatch)
    monkeypatch.setenv("XDG_CACHE_HOME", "/dev/full")
    with pytest.raises(EdgeECGError, match="XDG_CACHE_HOME"):
        image.build(ignore)


def test_what_pip_reports_is_repeated(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    with pytest.raises(EdgeECGError, match="No matching distribution") as caught:
        install_wheels(["no-such-package==1"], tmp_path / "to", "aarch64", (3, 11))
    assert "aarch64" in caught.value.what


def test_the_python_packages_are_those_of_the_constraints() -> None:
    pinned = {
        re.sub("[-_]", "-", line.lower())
        for line in CONSTRAINTS.read_text(encoding="utf-8").splitlines()
    }
    assert {re.sub("[-_]", "-", pin.lower()) for pin in image.WHEELS} <= pinned
