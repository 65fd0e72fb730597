"""Reading the structure of a ``.onnx`` file without the package ``onnx``, which devices lack.

The file is one message (ModelProto of ``onnx.proto3``) in the wire format of protocol buffers; its
field numbers never change. This module reads only what is needed before a runtime loads the file:
the inputs, the operations, and type and location of the constants.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from edgeecg.costs._damaged import DamagedError
from edgeecg.costs._protobuf import content, fields, number, numbers, submessage, text
from edgeecg.costs.input_shapes import Input
from edgeecg.errors import ArtifactError

EXTERNAL = 1
_MAX_DEPTH = 32


@dataclass(frozen=True)
class Constant:
    """A tensor that is stored in the file, or in a data file beside it.

    Attributes:
        shape: Sizes of its axes.
        type: TensorProto.DataType: 1 is float32, 2 is uint8, 3 is int8.
        message: The TensorProto itself, from which :mod:`edgeecg.costs.onnx_values` reads values.
    """

    shape: tuple[int, ...]
    type: int
    message: memoryview = field(default=memoryview(b""), compare=False, repr=False)


@dataclass(frozen=True)
class Node:
    """One operation.

    Attributes:
        op: Kind of operation, e.g. ``"Conv"``.
        inputs: Names of its inputs; empty for an absent one.
        outputs: Names of its outputs.
        name: Its name, which may be empty.
        domain: Where the operation is defined; empty for ONNX itself.
    """

    op: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    name: str = ""
    domain: str = ""


@dataclass
class Graph:
    """The main graph of a file.

    Attributes:
        inputs: Inputs that are not constants.
        nodes: Operations in the order of execution.
        constants: Constants by name.
        locations: Names of all data files, including those of subgraphs and attributes.
        outputs: Names of its outputs.
        described: Type and shape of the tensors that the file describes, by name.
    """

    inputs: tuple[Input, ...] = ()
    nodes: list[Node] = field(default_factory=list[Node])
    constants: dict[str, Constant] = field(default_factory=dict[str, Constant])
    locations: set[str] = field(default_factory=set[str])
    outputs: list[str] = field(default_factory=list[str])
    described: dict[str, tuple[int, tuple[int | str, ...]]] = field(
        default_factory=dict[str, tuple[int, tuple[int | str, ...]]]
    )


def read(path: Path) -> Graph:
    """Read the main graph of a ``.onnx`` file.

    Raises:
        ArtifactError: The file is not an ONNX model.
    """
    try:
        model = memoryview(path.read_bytes())
        graphs = [content(value) for each, value in fields(model) if each == 7]
        if len(graphs) != 1:
            raise DamagedError(f"it has {len(graphs)} graphs")
        return _graph(graphs[0], 0)
    except DamagedError as error:
        raise not_onnx(path, error) from error


def metadata(path: Path, name: str) -> str | None:
    """Return the text that a ``.onnx`` file has under a metadata name, or None.

    Raises:
        ArtifactError: The file is not an ONNX model.
    """
    try:
        for each, value in fields(memoryview(path.read_bytes())):
            if each == 14:
                entry = {key: text(part) for key, part in fields(content(value))}
                if entry.get(1) == name:
                    return entry.get(2)
    except DamagedError as error:
        raise not_onnx(path, error) from error
    return None


def not_onnx(path: Path, error: Exception) -> ArtifactError:
    """Return the error for a damaged file.

    Args:
        path: The file.
        error: What was found.
    """
    return ArtifactError(
        f"{path} is not a sound ONNX file.",
        f"While reading its structure: {error}.",
        "It is truncated, corrupt or of another format; export or copy it again.",
    )


def data_files(path: Path, graph: Graph) -> list[Path]:
    """Return the data files with constants of a file, in alphabetical order.

    Args:
        path: The ``.onnx`` file.
        graph: Its graph.

    Raises:
        ArtifactError: A data file does not exist, or is not in the folder of the file.
    """
    found: list[Path] = []
    for location in sorted(graph.locations):
        beside = path.parent / location
        if Path(location).is_absolute() or ".." in Path(location).parts:
            raise ArtifactError(
                f"{path} cannot be run.",
                f"It refers to the data file '{location}', which is outside of its folder.",
                "Save the model with its data file in the same folder.",
            )
        if not beside.is_file():
            raise ArtifactError(
                f"{path} cannot be run.",
                f"Its weights are in the data file '{location}', which does not exist.",
                f"Copy '{location}' into the folder '{path.parent}'.",
            )
        found.append(beside)
    return found


def _graph(message: memoryview, depth: int) -> Graph:
    if depth > _MAX_DEPTH:
        raise DamagedError("its subgraphs are nested too deeply")
    graph = Graph()
    inputs: list[Input] = []
    for each, value in fields(message):
        if each == 1:
            graph.nodes.append(_node(content(value), graph, depth))
        elif each == 5:
            name, constant = _tensor(content(value), graph)
            graph.constants[name] = constant
        elif each == 11:
            inputs.append(_input(content(value)))
        if each in (11, 12, 13):
            described = _input(content(value))
            kind = submessage(submessage(content(value), 2), 1)
            code = next((number(part) for key, part in fields(kind) if key == 1), 0)
            # Without a shape field nothing is known; an empty one is a single number.
            if code and any(key == 2 for key, _ in fields(kind)):
                graph.described[described.name] = (code, described.shape)
            if each == 12:
                graph.outputs.append(described.name)
    # Before version 4 of the format, constants are inputs, too.
    graph.inputs = tuple(each for each in inputs if each.name not in graph.constants)
    return graph


def _node(message: memoryview, graph: Graph, depth: int) -> Node:
    inputs: list[str] = []
    outputs: list[str] = []
    op, name, domain, constant = "", "", "", None
    for each, value in fields(message):
        if each == 1:
            inputs.append(text(value))
        elif each == 2:
            outputs.append(text(value))
        elif each == 3:
            name = text(value)
        elif each == 4:
            op = text(value)
        elif each == 7:
            domain = text(value)
        elif each == 5:
            constant = _attribute(content(value), graph, depth) or constant
    if op == "Constant" and constant is not None and outputs:
        graph.constants[outputs[0]] = constant
    return Node(op, tuple(inputs), tuple(outputs), name, domain)


def _attribute(message: memoryview, graph: Graph, depth: int) -> Constant | None:
    """Return the tensor of an attribute; add its data files and those of its subgraphs."""
    found: Constant | None = None
    for each, value in fields(message):
        if each in (5, 10):
            found = _tensor(content(value), graph)[1]
        elif each in (6, 11):
            graph.locations |= _graph(content(value), depth + 1).locations
    return found


def _tensor(message: memoryview, graph: Graph) -> tuple[str, Constant]:
    shape: list[int] = []
    name, kind, external, location = "", 0, False, None
    for each, value in fields(message):
        if each == 1:
            shape += numbers(value)
        elif each == 2:
            kind = number(value)
        elif each == 8:
            name = text(value)
        elif each == 13:
            entry = {key: text(part) for key, part in fields(content(value))}
            location = entry.get(2) if entry.get(1) == "location" else location
        elif each == 14:
            external = number(value) == EXTERNAL
    if external and location is None:
        raise DamagedError(f"the tensor '{name}' does not name its data file")
    if external and location is not None:
        graph.locations.add(location)
    return name, Constant(tuple(shape), kind, message)


def _input(message: memoryview) -> Input:
    name, shape = "", ()
    for each, value in fields(message):
        if each == 1:
            name = text(value)
        elif each == 2:
            axes = submessage(submessage(content(value), 1), 2)
            shape = tuple(_axis(content(axis)) for part, axis in fields(axes) if part == 1)
    return Input(name, shape)


def _axis(message: memoryview) -> int | str:
    """Return the length of an axis, or its name when the length is free."""
    length: int | str = ""
    for each, value in fields(message):
        if each == 1 and number(value) > 0:
            length = number(value)
        elif each == 2:
            length = text(value)
    return length
