"""Removes from a TFLite file what none of its operations uses."""

from __future__ import annotations

from typing import Any


def drop_unused(model: Any) -> None:
    """Remove tensors, buffers and operation codes that nothing uses, and number the rest anew."""
    graph = model.subgraphs[0]
    used = {int(place) for place in (*graph.inputs, *graph.outputs)}
    for operator in graph.operators:
        places = (*operator.inputs, *operator.outputs, *_intermediates(operator))
        used |= {int(place) for place in places if place >= 0}
    tensors = {old: new for new, old in enumerate(sorted(used))}
    signatures: Any = model.signatureDefs or []
    for operator in graph.operators:
        operator.inputs = [tensors.get(int(place), -1) for place in operator.inputs]
        operator.outputs = [tensors[int(place)] for place in operator.outputs]
        operator.intermediates = [tensors[int(place)] for place in _intermediates(operator)]
    graph.inputs = [tensors[int(place)] for place in graph.inputs]
    graph.outputs = [tensors[int(place)] for place in graph.outputs]
    for signature in signatures:
        for entry in (*signature.inputs, *signature.outputs):
            entry.tensorIndex = tensors[int(entry.tensorIndex)]
    graph.tensors = [graph.tensors[old] for old in tensors]
    _drop_unused_buffers(model)
    _drop_unused_codes(model)


def _intermediates(operator: Any) -> list[int]:
    found: Any = operator.intermediates
    return [] if found is None else [int(place) for place in found]


def _drop_unused_buffers(model: Any) -> None:
    """Keep the empty first buffer, and each other one that is used once."""
    metadata: Any = model.metadata or []
    places = {entry.buffer for entry in metadata}
    places |= {tensor.buffer for graph in model.subgraphs for tensor in graph.tensors}
    numbers = {old: new for new, old in enumerate(sorted({0, *places}))}
    for graph in model.subgraphs:
        for tensor in graph.tensors:
            tensor.buffer = numbers[tensor.buffer]
    for entry in metadata:
        entry.buffer = numbers[entry.buffer]
    model.buffers = [model.buffers[old] for old in numbers]


def _drop_unused_codes(model: Any) -> None:
    """Keep one operation code of each kind and version that is used."""
    codes: dict[tuple[Any, ...], Any] = {}
    places: dict[tuple[Any, ...], int] = {}
    for operator in model.subgraphs[0].operators:
        code = model.operatorCodes[operator.opcodeIndex]
        kind = max(code.builtinCode, code.deprecatedBuiltinCode)
        key = (kind, code.version, code.customCode)
        codes.setdefault(key, code)
        operator.opcodeIndex = places.setdefault(key, len(places))
    model.operatorCodes = list(codes.values())
