"""The nodes of a Ray cluster: what they are, and whether they compute what this machine would."""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import ray
from ray.exceptions import RayTaskError
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from edgeecg._version import __version__
from edgeecg.data import Dataset
from edgeecg.errors import EdgeECGError
from edgeecg.schema import TrainingConfig
from edgeecg.training.loop import training_data

_PROBE_S = 120.0
_PACKAGE = Path(__file__).resolve().parents[1]


@dataclass(frozen=True)
class Node:
    """What a node says of itself.

    Attributes:
        name: Host name and Ray's own name of it.
        version: Version of edgeecg.
        source_sha256: Hash of its Python files.
        data_sha256: Hash of the records' content that it received.
        fault: Why it cannot take trials, or None.
    """

    name: str
    version: str
    source_sha256: str
    data_sha256: str
    fault: str | None = None


def check(nodes: list[Node], source: str, data: str) -> None:
    """Refuse nodes that would compute something else.

    Args:
        nodes: What the nodes say of themselves.
        source: Hash of the Python files here.
        data: Hash of the records here.

    Raises:
        EdgeECGError: No node can take a trial; or one is not as this machine, which is named.
    """
    if not nodes:
        raise EdgeECGError(
            "No node of the Ray cluster can take a trial.",
            "It needs one processor, and the GPUs that --gpus asks for.",
            "Add a node: ray start --address HEAD:PORT",
        )
    for node in nodes:
        if node.fault is not None:
            why = node.fault
        elif (node.version, node.source_sha256) != (__version__, source):
            same = node.version == __version__
            other = "of the same number, with other files" if same else f"'{node.version}'"
            why = f"It has a version of edgeecg {other}, and this machine has '{__version__}'."
        elif node.data_sha256 != data:
            why = "It did not receive the records that are here."
        else:
            continue
        raise EdgeECGError(
            f"The node {node.name} cannot take part.",
            why,
            "Install the same edgeecg there and give it the memory and the records that it needs, "
            "or take it out of the cluster. What has ended is kept.",
        )


@functools.cache
def source_sha256() -> str:
    """Return a hash of the Python files of this package."""
    digest = hashlib.sha256()
    for path in sorted(_PACKAGE.rglob("*.py")):
        digest.update(path.relative_to(_PACKAGE).as_posix().encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()


def described(name: str, dataset: Dataset, training: TrainingConfig) -> Node:
    """Return what this node has; a task of Ray."""
    try:
        # Augmentation may read noise records, which are not a part of the data set.
        training_data(dataset, training)
    except EdgeECGError as error:
        return Node(name, __version__, source_sha256(), "", f"{error.what} {error.why}")
    return Node(name, __version__, source_sha256(), dataset.summary.content_sha256)


def asked(gpus: float, question: Callable[..., Node], *arguments: Any) -> list[Node]:
    """Ask every node that can take trials what it has.

    Args:
        gpus: GPUs that a trial takes.
        question: Called on each node with its name and the arguments.
        arguments: What else it is called with.
    """
    answers: dict[str, Any] = {}
    for node in able_nodes(gpus):
        there = NodeAffinitySchedulingStrategy(node["NodeID"], soft=False)
        sent = remote(question, num_cpus=0, max_retries=0, scheduling_strategy=there)
        answers[named(node)] = sent.remote(named(node), *arguments)
    return [_answered(name, answer) for name, answer in answers.items()]


def remote(what: Any, **options: Any) -> Any:
    """Return a function or class as one of Ray, whose types are not complete."""
    return ray.remote(**options)(what)


def _answered(name: str, answer: Any) -> Node:
    """Return what a node has answered, or why it could not."""
    try:
        return ray.get(answer, timeout=_PROBE_S)
    except Exception as error:  # A node without edgeecg fails in ways of its own.
        cause = error.cause if isinstance(error, RayTaskError) else error
        fault = f"edgeecg cannot be used there: {first_line(cause)}"
        return Node(name, "", "", "", fault)


def able_nodes(gpus: float) -> list[dict[str, Any]]:
    """Return the nodes that live and have what a trial takes."""
    return [
        node
        for node in ray.nodes()
        if node["Alive"]
        and node["Resources"].get("CPU", 0) >= 1
        and node["Resources"].get("GPU", 0) >= gpus
    ]


def slots(gpus: float) -> int:
    """Return how many trials all nodes together can take at a time."""
    found = 0
    for node in able_nodes(gpus):
        by_cpu = int(node["Resources"]["CPU"])
        found += min(by_cpu, int(node["Resources"]["GPU"] / gpus)) if gpus else by_cpu
    return found


def named(node: Mapping[str, Any]) -> str:
    """Return the host name of a node, and Ray's own name of it."""
    return f"{node['NodeManagerHostname']} ({node['NodeID'][:8]})"


def first_line(error: BaseException) -> str:
    """Return the first line of what an error says."""
    text = str(error).strip()
    return text.splitlines()[0] if text else type(error).__name__
