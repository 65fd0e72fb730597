"""Pages of the documentation that are generated when the site is built.

``cli.md`` comes from the command line itself, ``results.md`` from ``benchmarks/RESULTS.md``,
``contributing.md`` from ``CONTRIBUTING.md`` and ``notebook.md`` from ``examples/notebook.ipynb``,
with the outputs that are stored in it. MkDocs calls :func:`on_files` and :func:`on_page_markdown`,
see ``hooks`` in ``mkdocs.yml``.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import typer.main
from mkdocs.structure.files import File, Files

from edgeecg.cli import application

ROOT = Path(__file__).resolve().parents[1]

# Pages link to files of the repository, so that they can be read there, too.
_MOVED = {
    "../benchmarks/RESULTS.md": "results.md",
    "../CONTRIBUTING.md": "contributing.md",
    "../README.md": "index.md",
    "examples/notebook.ipynb": "notebook.md",
}
_PAGES = sorted((ROOT / "benchmarks" / "results" / "pages").glob("*.html"))
"""Reports of real runs, which the site has beside its own pages."""

_MOVED.update({f"../benchmarks/results/pages/{path.name}": f"pages/{path.name}" for path in _PAGES})
_LINK = re.compile(r"\]\(([^)#\s]+)(#[^)\s]*)?\)")


def on_files(files: Files, config: Any) -> Files:
    """Add the generated pages and the pictures that they show."""
    pages = {
        "cli.md": command_line(),
        "results.md": _read("benchmarks/RESULTS.md")
        .replace("](results/pages/", "](pages/")
        .replace("](results/", "](images/"),
        "contributing.md": _read("CONTRIBUTING.md").replace("](docs/", "]("),
        "notebook.md": notebook(json.loads(_read("docs/examples/notebook.ipynb"))),
    }
    for name, text in pages.items():
        files.append(File.generated(config, name, content=text))
    figure = ROOT / "benchmarks" / "results" / "loss_curves.png"
    files.append(File.generated(config, "images/loss_curves.png", abs_src_path=str(figure)))
    for path in _PAGES:
        files.append(File.generated(config, f"pages/{path.name}", abs_src_path=str(path)))
    return files


def on_page_markdown(markdown: str, **_: Any) -> str:
    """Let links to files of the repository lead to their pages of the site."""
    return _LINK.sub(lambda m: f"]({_MOVED.get(m[1], m[1])}{m[2] or ''})", markdown)


def notebook(document: dict[str, Any]) -> str:
    """Return a notebook as a page: its text, its code, and the stored outputs.

    Args:
        document: A notebook of format 4, see https://nbformat.readthedocs.io.
    """
    parts: list[str] = []
    for cell in document["cells"]:
        text = "".join(cell["source"])
        if cell["cell_type"] == "markdown":
            parts.append(text)
            continue
        parts.append(f"```python\n{text}\n```")
        parts += [shown for output in cell["outputs"] if (shown := _output(output))]
    return "\n\n".join(parts) + "\n"


def _output(output: dict[str, Any]) -> str:
    """Return one output of a cell: a picture, printed text, or nothing for warnings."""
    data = output.get("data", {})
    if "image/png" in data:
        return f"![Figure](data:image/png;base64,{''.join(data['image/png']).strip()})"
    if output.get("name") == "stderr":
        return ""
    text = "".join(output.get("text", data.get("text/plain", "")))
    return f"```text\n{text.rstrip()}\n```" if text.strip() else ""


def command_line() -> str:
    """Return the page that lists every command with its arguments and options."""
    program = typer.main.get_command(application([]))
    lines = [
        "# Command line",
        "",
        "Generated from the program; `edgeecg VERB --help` prints the same.",
        "",
        *_section("edgeecg", program)[2:],
    ]
    return "\n".join(lines) + "\n"


def _section(name: str, command: Any) -> list[str]:
    """Return the section of a command, and those of its sub-commands."""
    context = command.context_class(command, info_name=name)
    lines = [f"## {name}", "", _plain(command.help), ""]
    usage = " ".join([name, *command.collect_usage_pieces(context)])
    lines += [f"```text\n{usage}\n```", ""]
    records = [parameter.get_help_record(context) for parameter in command.params]
    rows = [f"| `{record[0]}` | {_plain(record[1])} |" for record in records if record]
    lines += ["| argument or option | meaning |", "|---|---|", *rows, ""] if rows else []
    for inner, sub in sorted(getattr(command, "commands", {}).items()):
        lines += _section(f"{name} {inner}", sub)
    return lines


def _plain(text: str | None) -> str:
    """Return a help text as Markdown, in one line."""
    joined = " ".join((text or "").split())
    return joined.replace("|", "\\|").replace("<", "&lt;").replace("*", "\\*").replace("_", "\\_")


def _read(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")
