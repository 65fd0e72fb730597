"""What ``edgeecg inspect`` prints."""

from __future__ import annotations

import re

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from edgeecg.reporting import units
from edgeecg.schema import InspectedOperation, InspectedTensor, Inspection

_INDICES = 12
_NARROW = 110
"""Below so many columns the names of operations and layers have several lines."""

_NAME_WIDTH = 14
_PARTS = re.compile(r"[^_.;:/]*[_.;:/]*")


def show(found: Inspection, console: Console) -> None:
    """Print inputs and outputs, the operations, the totals and what is slow.

    Args:
        found: The file.
        console: Where to print.
    """
    origin = f"{found.model}, exported to {found.target}" if found.model else "no manifest"
    _say(console, f"{found.file}: {found.format}, {units.size(found.size_bytes)}, {origin}")
    for title, tensors in (("Input ", found.inputs), ("Output", found.outputs)):
        for tensor in tensors:
            _say(console, f"{title} {tensor.name}: {_tensor(tensor)}")
    if found.classes is not None:
        _say(console, f"Classes {', '.join(found.classes)}")
    console.print(_table(found.ops, narrow=console.width < _NARROW))
    _totals(found, console)
    if found.slow:
        _say(console, "Slow:")
    for each in found.slow:
        where = "all runtimes" if each.runtime == "all" else each.runtime
        _say(
            console, f"  {each.kind.replace('_', ' ')} ({where}; {_indices(each.ops)}): {each.why}"
        )


def _table(operations: tuple[InspectedOperation, ...], narrow: bool) -> Table:
    table = Table(box=box.SIMPLE_HEAD, padding=0, pad_edge=False)
    table.add_column("#", justify="right", no_wrap=True)
    table.add_column("operation", overflow="fold", min_width=15)
    table.add_column("name", overflow="fold")
    for name in ("type", "MACs", "weights\nB", "activations\nB", "proxy\nshare"):
        table.add_column(name, justify="right", no_wrap=True)
    for each in operations:
        share = "-" if each.proxy_share is None else f"{100 * each.proxy_share:.1f} %"
        table.add_row(
            str(each.index),
            _name(each.op, narrow),
            _name(each.name, narrow),
            each.dtype or "-",
            _number(each.macs),
            _number(each.weight_bytes),
            _number(each.activation_bytes),
            share,
        )
    return table


def _name(name: str, narrow: bool) -> Text:
    """Return a name; in a narrow terminal in lines that end where one of its parts does."""
    safe = _safe(name)
    if not narrow:
        return safe
    lines = [""]
    for part in _PARTS.findall(safe.plain):
        if lines[-1] and len(lines[-1]) + len(part) > _NAME_WIDTH:
            lines.append("")
        lines[-1] += part
    return Text("\n".join(lines))


def _totals(found: Inspection, console: Console) -> None:
    activations = found.activation_dtype or "no"
    _say(console, f"Types: {found.dtype} weights, {activations} activations in most layers")
    lines = (
        ("MACs", "macs", _number(found.macs)),
        ("Weights", "weight_bytes", units.size(found.weight_bytes)),
        ("Activations read and written", "activation_bytes", units.size(found.activation_bytes)),
        ("Peak arena (estimate)", "arena_bytes", units.size(found.arena_bytes)),
        (
            "Executed proxy relative to the float32 baseline",
            "proxy_executed",
            "-" if found.proxy_executed is None else f"{found.proxy_executed:.3f}",
        ),
    )
    for title, name, value in lines:
        reason = found.reasons.get(name)
        _say(console, f"{title}: {value if reason is None else f'not known. {reason}'}")
    summary = found.quantization
    types = ", ".join(f"{count} {name}" for name, count in summary.by_dtype.items())
    _say(
        console,
        f"Quantisation: {summary.per_channel} tensors per channel, {summary.per_tensor} "
        f"per tensor, {summary.unquantized} without ({types})",
    )


def _tensor(tensor: InspectedTensor) -> str:
    shape = (
        "unknown shape" if tensor.shape is None else "x".join(map(str, tensor.shape)) or "scalar"
    )
    scale = f", scale {tensor.scales[0]:g}" if len(tensor.scales) == 1 else ""
    zero = f", zero point {tensor.zero_points[0]}" if scale and tensor.zero_points else ""
    return f"{tensor.dtype} {shape}{scale}{zero}"


def _indices(indices: tuple[int, ...]) -> str:
    shown = ", ".join(str(index) for index in indices[:_INDICES])
    more = len(indices) - _INDICES
    return f"operation{'s' if len(indices) > 1 else ''} {shown}" + (
        f" and {more} more" if more > 0 else ""
    )


def _number(value: int | None) -> str:
    return "-" if value is None else f"{value:,}"


def _safe(text: str) -> Text:
    # A Text, so that brackets are not markup; printable, so that no name controls the terminal.
    return Text(units.printable(text))


def _say(console: Console, text: str) -> None:
    console.print(_safe(text), soft_wrap=True)
