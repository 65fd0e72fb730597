"""Why a module cannot be converted: the operation, and the path of the module that calls it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import torch
from torch import nn

from edgeecg.exporters._native_output import quiet

# What the converters of TFLite and of ONNX say of an operation that they do not know.
_UNKNOWN = (
    re.compile(r"Lowering not found: (?P<name>[\w.]+)"),
    re.compile(r"No ONNX function found for <OpOverload\(op='(?P<name>[\w.]+)'"),
)

_ROOT = "_export_root"
"""What torch.export calls the module that it traces."""


def reason(error: BaseException, model: nn.Module, sample_shape: tuple[int, int]) -> str | None:
    """Return why a conversion failed, or None where that is not known.

    Args:
        error: What the converter raised.
        model: The module that was converted, or a module of the same structure.
        sample_shape: ``(leads, samples)``.
    """
    for pattern in _UNKNOWN:
        found = pattern.search(str(error))
        if found is not None:
            operation = found["name"].removesuffix(".default")
            caller = _caller(operation, model, sample_shape)
            where = "" if caller is None else f", which {caller} calls"
            return f"The converter does not know the operation {operation}{where}."
    return _place(error)


def _caller(operation: str, model: nn.Module, sample_shape: tuple[int, int]) -> str | None:
    """Return the module that calls an operation, in words."""
    wanted = operation.rpartition(".")[2]
    try:
        with quiet():
            program = torch.export.export(model, (torch.zeros(1, *sample_shape),))
            nodes = [*program.graph.nodes]
            if not any(_calls_operation(node, wanted) for node in nodes):
                nodes = [*program.run_decompositions().graph.nodes]
        for node in nodes:
            if _calls_operation(node, wanted):
                path, kind = list(node.meta["nn_module_stack"].values())[-1]
                return _named(path, str(getattr(kind, "__name__", kind)).rpartition(".")[2])
    except Exception:  # It is called after an error, which is the one to report.
        return None
    return None


def _calls_operation(node: Any, wanted: str) -> bool:
    """Return whether a node calls an operation, whose name a decomposition may have shortened."""
    return str(node.target).removesuffix(".default").endswith(wanted)


def _place(error: BaseException) -> str | None:
    """Return the innermost module whose ``forward`` is in the traceback, and the line in it."""
    calls = list(_calls(error))
    if not calls:
        return None
    names = {id(module): name for name, module in calls[0][0].named_modules()}
    known = [call for call in calls if id(call[0]) in names]
    module, line = known[-1]
    first = re.split(r"(?<=\.)\s|\n", _innermost(error))[0].rstrip(".")
    named = _named(names[id(module)], type(module).__name__)
    return f"In {named}, line {line} of its file: {first[:200]}."


def _calls(error: BaseException) -> Iterator[tuple[nn.Module, int]]:
    """Yield the modules of a user whose methods are in a traceback, and the lines reached."""
    chain: list[BaseException] = [error]
    while (cause := chain[-1].__cause__ or chain[-1].__context__) is not None:
        chain.append(cause)
    for each in chain:
        trace = each.__traceback__
        while trace is not None:
            frame = trace.tb_frame
            called: Any = frame.f_locals.get("self")
            if isinstance(called, nn.Module) and frame.f_code.co_name == "forward":
                yield called, trace.tb_lineno
            trace = trace.tb_next


def _innermost(error: BaseException) -> str:
    cause = error.__cause__ or error.__context__
    return str(error) if cause is None else _innermost(cause)


def _named(path: str, kind: str) -> str:
    place = path.removeprefix(_ROOT).lstrip(".")
    return f"the module '{place}' ({kind})" if place else f"the module itself ({kind})"
