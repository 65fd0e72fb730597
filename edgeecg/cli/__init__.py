"""The command line: one file per command, named after it.

A module defines one function with the name of its command, whose signature Typer reads, or under
that name a ``typer.Typer`` with sub-commands; and ``EXTRA``, the extra of edgeecg that installs
what the command needs. What is heavy is imported when the command runs, so that ``--help`` answers
at once and a device without torch can run every command it has the packages for.
"""

from __future__ import annotations

import errno
import importlib
import io
import os
import sys
import traceback
from typing import Annotated

import typer
from typer.exceptions import Abort, Exit, TyperException

from edgeecg import plugins
from edgeecg._version import __version__

_INTERRUPTED = 130


def commands() -> list[str]:
    """Return the names of all commands, in alphabetical order."""
    return plugins.names(__name__)


def _named(arguments: list[str]) -> str | None:
    """Return the command that a command line names, or None."""
    word = next((word for word in arguments if not word.startswith("-")), None)
    return word if word in commands() else None


def _print_version(wanted: bool) -> None:
    if wanted:
        print(f"edgeecg {__version__}")
        raise typer.Exit


def _program(
    debug: Annotated[
        bool, typer.Option("--debug", help="Show the traceback when something fails.")
    ] = False,
    version: Annotated[
        bool,
        typer.Option(
            "--version", help="Print the version.", callback=_print_version, is_eager=True
        ),
    ] = False,
) -> None:
    """Compress an ECG classifier, export it, measure what a heartbeat costs on the device.

    The usual way: edgeecg compress, edgeecg export --target tflite, edgeecg bench, edgeecg report.
    """


def application(arguments: list[str]) -> typer.Typer:
    """Return the Typer application with the command that is asked for, or with every command.

    Args:
        arguments: The command line; when it names a command, only that one is loaded.
    """
    app = typer.Typer(no_args_is_help=True, add_completion=True, rich_markup_mode=None)
    app.callback()(_program)
    named = _named(arguments)
    for command in [named] if named else commands():
        offered = getattr(importlib.import_module(f"{__name__}.{command}"), command)
        if isinstance(offered, typer.Typer):
            app.add_typer(offered, name=command)
        else:
            app.command(command)(offered)
    return app


def main() -> None:
    """Run the command line and exit: 0 fine, 1 failed, 2 wrong usage, 130 interrupted."""
    for stream in (sys.stdout, sys.stderr):
        # A terminal that has no µ shows a ?, and the command goes on.
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")
    sys.exit(run(sys.argv[1:]))


def run(arguments: list[str]) -> int:
    """Run one command line.

    Args:
        arguments: Everything after the program's name.

    Returns:
        The exit status: 0 fine, 1 failed, 2 wrong usage, 130 interrupted.
    """
    from edgeecg.errors import EdgeECGError, MissingDependencyError

    try:
        status = application(arguments)(args=arguments, prog_name="edgeecg", standalone_mode=False)
    except Exit as stop:
        # Typer turns Ctrl-C into exit status 130 before anyone else hears of it.
        return _interrupted() if stop.exit_code == _INTERRUPTED else stop.exit_code
    except TyperException as error:
        context = getattr(error, "ctx", None)
        command = "edgeecg" if context is None else context.command_path
        sys.stderr.write(f"Error: {error.format_message()}\nSee: {command} --help\n")
        return error.exit_code
    except (KeyboardInterrupt, Abort):
        return _interrupted()
    except BrokenPipeError:
        # The reader went away (`edgeecg models | head -1`); nothing is left to say.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except EdgeECGError as error:
        return _explain(error, arguments)
    except OSError as error:
        if error.errno == errno.ENOSPC:
            # What is still to be written must not fail again at the end.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            return _explain(_full_disk(), arguments)
        return _explain(_refused_by_the_system(error), arguments)
    except MemoryError as error:
        return _explain(_too_little_memory(error), arguments)
    except ModuleNotFoundError as error:
        package = (error.name or "").partition(".")[0]
        if package in ("", "edgeecg"):
            raise
        command = _named(arguments) or ""
        extra: str = importlib.import_module(f"{__name__}.{command}").EXTRA
        return _explain(MissingDependencyError(package, extra, f"'edgeecg {command}'"), arguments)
    if status == _INTERRUPTED:
        return _interrupted()
    return status if isinstance(status, int) else 0


def _full_disk() -> Exception:
    from edgeecg.errors import EdgeECGError

    return EdgeECGError(
        "The output could not be written.",
        "No space is left on the disk that it goes to.",
        "Free some space, and run it again.",
    )


def _refused_by_the_system(error: OSError) -> Exception:
    from edgeecg.errors import EdgeECGError

    what = "A file or connection" if error.filename is None else f"'{error.filename}'"
    return EdgeECGError(
        f"{what} cannot be used.",
        f"The operating system reports: {error.strerror or error}.",
        "Check the path, and who may read and write there. 'edgeecg --debug COMMAND' shows where "
        "it happened.",
    )


def _too_little_memory(error: MemoryError) -> Exception:
    from edgeecg.errors import EdgeECGError

    return EdgeECGError(
        "There is too little memory.",
        f"{error}." if str(error) else "The operating system gave no more.",
        "Stop other programs, or ask for less: fewer or shorter records, smaller shapes.",
    )


def _interrupted() -> int:
    sys.stderr.write(
        "\nInterrupted. What was finished is kept, and nothing is half-written. "
        "Run it again; 'edgeecg train', 'edgeecg compress' and 'edgeecg search' go on with "
        "--resume.\n"
    )
    return _INTERRUPTED


def _explain(error: Exception, arguments: list[str]) -> int:
    from edgeecg.cli._console import show_error
    from edgeecg.errors import EdgeECGError

    if "--debug" in arguments:
        traceback.print_exc()
    assert isinstance(error, EdgeECGError)
    show_error(error)
    return error.exit_code
