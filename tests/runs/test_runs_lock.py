"""One process at a time works on a run folder."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest

from edgeecg.errors import EdgeECGError
from edgeecg.runs import RunFolder
from edgeecg.runs.lock import locked


def test_the_second_is_told_who_holds_the_lock(tmp_path: Path) -> None:
    run = RunFolder(tmp_path / "run")
    with (
        locked(run),
        pytest.raises(EdgeECGError, match=rf"being worked on.*Process {os.getpid()} holds"),
        locked(run),
    ):
        pass
    # Nothing was written into the folder.
    assert not run.path.exists()


def test_of_many_at_a_time_one_holds_the_lock(tmp_path: Path) -> None:
    run = RunFolder(tmp_path / "run")
    inside: list[int] = []
    most: list[int] = []
    faults: list[BaseException] = []

    def work(number: int) -> None:
        for _ in range(200):
            try:
                with locked(run):
                    inside.append(number)
                    most.append(len(inside))
                    inside.remove(number)
            except EdgeECGError:
                continue
            except BaseException as error:
                faults.append(error)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not faults
    assert most
    assert max(most) == 1


@pytest.mark.parametrize("link", ["runs", "runs/mine", "runs/mine/.lock"])
def test_a_link_to_nothing_is_refused_and_not_waited_for(link: str, tmp_path: Path) -> None:
    (tmp_path / link).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / link).symlink_to("unmounted/folder")
    with (
        pytest.raises(EdgeECGError, match="is a symbolic link to 'unmounted/folder'"),
        locked(RunFolder(tmp_path / "runs" / "mine")),
    ):
        pass
