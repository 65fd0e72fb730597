"""What is checked before a cluster gets a trial, and the files that go to and fro."""

from __future__ import annotations

import socket
import time
from pathlib import Path

import pytest

from edgeecg._version import __version__
from edgeecg.errors import EdgeECGError, UsageError
from edgeecg.tuning import cluster, nodes
from edgeecg.tuning.nodes import Node

HERE = Node("here (1a2b)", __version__, "s" * 64, "d" * 64)


@pytest.mark.parametrize(
    ("node", "said"),
    [
        (Node("pi (3c4d)", "0.0.1", "s" * 64, "d" * 64), "a version of edgeecg '0.0.1'"),
        (Node("pi (3c4d)", __version__, "t" * 64, "d" * 64), "of the same number, with other"),
        (Node("pi (3c4d)", __version__, "s" * 64, "e" * 64), "did not receive the records"),
        (Node("pi (3c4d)", __version__, "s" * 64, "", "There are no noise records."), "no noise"),
        (Node("pi (3c4d)", "", "", "", "No module named 'edgeecg'"), "No module named"),
    ],
)
def test_a_node_that_would_compute_something_else_is_refused_by_name(node: Node, said: str) -> None:
    nodes.check([HERE], "s" * 64, "d" * 64)
    with pytest.raises(EdgeECGError, match=r"The node pi \(3c4d\) cannot take part") as raised:
        nodes.check([HERE, node], "s" * 64, "d" * 64)
    assert said in raised.value.why


def test_a_cluster_without_processors_is_refused() -> None:
    with pytest.raises(EdgeECGError, match="No node of the Ray cluster can take a trial"):
        nodes.check([], "s" * 64, "d" * 64)


@pytest.mark.parametrize("address", ["somewhere", ":6379", "host:port", "host:6²"])
def test_an_address_without_host_and_port_is_wrong_usage(address: str) -> None:
    with pytest.raises(UsageError, match="is no address of a Ray cluster"):
        cluster.join(address)


def test_an_address_that_nobody_listens_at_is_refused_within_30_s() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    begun = time.monotonic()
    with pytest.raises(EdgeECGError, match=f"No Ray cluster answers at '127.0.0.1:{port}'"):
        cluster.join(f"127.0.0.1:{port}")
    assert time.monotonic() - begun < 30


def test_the_files_of_a_run_arrive_and_a_checkpoint_that_is_gone_goes(tmp_path: Path) -> None:
    there, here = tmp_path / "there", tmp_path / "here"
    there.mkdir()
    (there / "config.json").write_text("{}")
    (there / "checkpoint.safetensors").write_bytes(b"1")
    (there / ".lock").write_text("1")
    cluster.write_files(here, cluster.read_files(there))
    assert sorted(path.name for path in here.iterdir()) == [
        "checkpoint.safetensors",
        "config.json",
    ]
    (there / "checkpoint.safetensors").unlink()
    (there / "model.safetensors").write_bytes(b"2")
    cluster.write_files(here, cluster.read_files(there))
    assert cluster.read_files(here) == {"config.json": b"{}", "model.safetensors": b"2"}


def test_a_file_name_cannot_leave_the_run_folder(tmp_path: Path) -> None:
    cluster.write_files(tmp_path / "run", {"../../evil": b"x"})
    assert (tmp_path / "run/evil").is_file()
    assert not (tmp_path.parent / "evil").exists()


def test_the_hash_of_the_package_covers_its_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(nodes, "_PACKAGE", tmp_path)
    uncached = nodes.source_sha256.__wrapped__
    (tmp_path / "part").mkdir()
    (tmp_path / "part/module.py").write_text("a = 1")
    before = uncached()
    (tmp_path / "part/module.py").write_text("a = 2")
    assert uncached() != before


def test_weights_and_card_are_written_last(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # A search that is killed between two files must not find a run without its int8 log complete.
    written: list[str] = []

    def write(path: Path, _content: bytes) -> None:
        written.append(path.name)

    monkeypatch.setattr(cluster, "write_bytes", write)
    names = ("model.json", "model.safetensors", "quantization.json", "compression.json")
    cluster.write_files(tmp_path, dict.fromkeys(names, b"1"))
    assert written[-2:] == ["model.safetensors", "model.json"]
    assert len(written) == 4


def test_a_search_gives_up_where_no_node_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    def none(_gpus: float) -> list[object]:
        return []

    monkeypatch.setattr(nodes, "able_nodes", none)
    monkeypatch.setattr(cluster, "_WITHOUT_NODES_S", 0.0)
    left = object.__new__(cluster.Cluster)
    left.__dict__.update(_running={}, _gpus=0.0, _last_node_s=time.monotonic() - 1.0)
    with pytest.raises(EdgeECGError, match="No node of the Ray cluster can take a trial"):
        left.wait(0.0)
