"""One zip file with everything that a device needs to measure the files of a run.

It holds the exported files, and beside each its manifest, its probe windows and its data files. No
code is in it, and none is run from it.
"""

from __future__ import annotations

import contextlib
import tempfile
import zipfile
from collections.abc import Generator, Sequence
from pathlib import Path, PurePosixPath

from edgeecg.benchmark.file_set import files_of
from edgeecg.errors import EdgeECGError, UsageError
from edgeecg.files import check_writable, replacing
from edgeecg.schema import MODEL_SUFFIXES, BenchReport

SUFFIX = ".zip"

# Exported ECG classifiers are a few megabytes; a damaged or hostile archive unpacks to any size.
_LARGEST_BYTES = 2_000_000_000


def check(bundle: Path) -> None:
    """Refuse a bundle that cannot be written, before the work whose result it is to hold.

    Args:
        bundle: The zip file.

    Raises:
        UsageError: Its name does not end in ``.zip``.
        EdgeECGError: It cannot be written.
    """
    if bundle.suffix != SUFFIX:
        raise UsageError(
            f"'{bundle}' cannot be a bundle.",
            "A bundle is a zip file, and 'edgeecg bench' recognises it by its name.",
            f"Give a name that ends in .zip, e.g. {bundle.stem}.zip.",
        )
    check_writable(bundle)


def pack(files: Sequence[Path], bundle: Path) -> None:
    """Write a bundle.

    Args:
        files: Exported files; their names must differ.
        bundle: The zip file.

    Raises:
        UsageError: The bundle's name does not end in ``.zip``, two files have one name, or a file
            has its data in another folder.
        EdgeECGError: A file does not exist, or the bundle cannot be written.
    """
    check(bundle)
    members = list(dict.fromkeys(member for path in files for member in files_of(path)))
    for path in files:
        apart = [each for each in files_of(path) if each.parent.resolve() != path.parent.resolve()]
        if apart:
            raise UsageError(
                f"'{path}' cannot be put into a bundle.",
                f"It reads '{apart[0]}', which lies in another folder, and a bundle has none.",
                "Save the model with its data beside it, or in one file.",
            )
    names = [member.name for member in members]
    if len(set(names)) < len(names):
        raise UsageError(
            "The files cannot be put into one bundle.",
            "Two of them have the same name.",
            "Make a bundle of each.",
        )
    with (
        replacing(bundle) as target,
        zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive,
    ):
        for member in members:
            archive.write(member, member.name)


@contextlib.contextmanager
def unpacked(files: Sequence[Path]) -> Generator[dict[Path, str]]:
    """Unpack each bundle among some files into a temporary folder while the block runs.

    Args:
        files: Exported files and bundles.

    Yields:
        The exported files, and what each is called: its path, or ``BUNDLE/NAME``.

    Raises:
        EdgeECGError: A bundle is damaged, or holds no exported file.
    """
    with contextlib.ExitStack() as stack:
        found: dict[Path, str] = {}
        for path in files:
            if path.suffix != SUFFIX:
                found[path] = str(path)
                continue
            inside = Path(
                stack.enter_context(tempfile.TemporaryDirectory(prefix="edgeecg-bundle-"))
            )
            _unpack(path, inside)
            found |= {
                each: f"{path.name}/{each.name}"
                for each in sorted(inside.iterdir())
                if each.suffix in MODEL_SUFFIXES
            }
        yield found


def named(report: BenchReport, names: dict[Path, str]) -> BenchReport:
    """Return a report that names the files as :func:`unpacked` calls them.

    Args:
        report: A report of unpacked files.
        names: What each file is called.
    """
    called = {str(path): name for path, name in names.items()}
    results = tuple(
        result.model_copy(
            update={
                "artifact": result.artifact.model_copy(
                    update={"file": called.get(result.artifact.file, result.artifact.file)}
                )
            }
        )
        for result in report.results
    )
    failed = tuple(
        each.model_copy(update={"file": called.get(each.file, each.file)})
        for each in report.failed_files
    )
    return report.model_copy(update={"results": results, "failed_files": failed})


def _unpack(path: Path, folder: Path) -> None:
    try:
        with zipfile.ZipFile(path) as archive:
            members = archive.infolist()
            _check(path, members)
            archive.extractall(folder)
    except FileNotFoundError as error:
        raise EdgeECGError(
            f"There is no file '{path}'.",
            "Nothing lies at this path.",
            "Check the name; 'edgeecg export --bundle NAME.zip' writes one.",
        ) from error
    except EdgeECGError:
        raise
    except Exception as error:
        # Damaged bytes raise some dozen types of errors in zipfile, zlib and lzma, and not every
        # Python has lzma.
        raise _refused(path, f"It cannot be unpacked: {error}.") from error


def _check(path: Path, members: Sequence[zipfile.ZipInfo]) -> None:
    for member in members:
        plain = PurePosixPath(member.filename)
        # An empty name has no parts, and cannot be asked whether it is a folder's.
        if len(plain.parts) != 1 or member.is_dir() or "\\" in member.filename:
            raise _refused(path, f"It holds '{member.filename}', which is not a plain file name.")
    if sum(member.file_size for member in members) > _LARGEST_BYTES:
        raise _refused(path, f"It unpacks to more than {_LARGEST_BYTES / 1e9:g} GB.")
    if not any(PurePosixPath(member.filename).suffix in MODEL_SUFFIXES for member in members):
        raise _refused(path, f"It holds no {' or '.join(MODEL_SUFFIXES)} file.")


def _refused(path: Path, why: str) -> EdgeECGError:
    return EdgeECGError(
        f"'{path}' is no bundle of exported files.",
        why,
        "Make it with 'edgeecg export --bundle NAME.zip', and copy it again.",
    )
