"""Damages model files at random, in the ways in which files get damaged."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from edgeecg.costs.input_shapes import Shapes
from edgeecg.costs.inspection import inspect_file
from edgeecg.errors import EdgeECGError

_Damage = Callable[[bytearray, np.random.Generator], None]
_MOST_DAMAGES = 4


def _bytes(content: bytearray, rng: np.random.Generator) -> None:
    """Change up to 15 bytes."""
    for place in rng.integers(0, len(content), rng.integers(1, 16)):
        content[place] = rng.integers(0, 256)


def _bit(content: bytearray, rng: np.random.Generator) -> None:
    """Flip one bit."""
    content[rng.integers(0, len(content))] ^= 1 << int(rng.integers(0, 8))


def _number(content: bytearray, rng: np.random.Generator) -> None:
    """Write an extreme number, or one that points somewhere else, in the place of another."""
    width = int(rng.choice([1, 2, 4, 8]))
    if len(content) < width:
        return
    length = len(content)
    special = [0, 1, length, length - 1, length + 1, -1, -2, -length]
    special += [2 ** (8 * width - 1) - 1, 2 ** (8 * width - 1), int(rng.integers(0, length))]
    number = special[rng.integers(0, len(special))] % 2 ** (8 * width)
    place = int(rng.integers(0, (length - width) // width + 1)) * width
    content[place : place + width] = number.to_bytes(width, "little")


def _cut(content: bytearray, rng: np.random.Generator) -> None:
    """Leave out the end."""
    del content[rng.integers(0, len(content)) :]


def _left_out(content: bytearray, rng: np.random.Generator) -> None:
    """Leave out a part."""
    start = int(rng.integers(0, len(content)))
    del content[start : start + int(rng.integers(1, 65))]


def _twice(content: bytearray, rng: np.random.Generator) -> None:
    """Copy a part to another place."""
    start, place = (int(each) for each in rng.integers(0, len(content), 2))
    content[place:place] = content[start : start + int(rng.integers(1, 65))]


def _inserted(content: bytearray, rng: np.random.Generator) -> None:
    """Insert random bytes."""
    place = int(rng.integers(0, len(content)))
    content[place:place] = rng.bytes(int(rng.integers(1, 17)))


DAMAGES: tuple[_Damage, ...] = (_bytes, _bit, _number, _cut, _left_out, _twice, _inserted)
# Numbers are what a reader follows.
_SHARES = (0.2, 0.15, 0.45, 0.05, 0.05, 0.05, 0.05)


def mutated(whole: bytes, rng: np.random.Generator) -> bytes:
    """Return a file with one to four damages."""
    content = bytearray(whole)
    for _ in range(int(rng.integers(1, _MOST_DAMAGES + 1))):
        if content:
            DAMAGES[rng.choice(len(DAMAGES), p=_SHARES)](content, rng)
    return bytes(content)


@dataclass
class Outcome:
    """What became of mutated files.

    Attributes:
        inspected: How many were read to the end, by the name of the file that was mutated.
        refused: How many were refused with an error of ours.
        slowest_s: The longest time that one file took.
    """

    inspected: Counter[str] = field(default_factory=Counter[str])
    refused: Counter[str] = field(default_factory=Counter[str])
    slowest_s: float = 0.0


def inspected(
    files: Mapping[str, bytes], count: int, folder: Path, shapes: Shapes, seed: int = 0
) -> Outcome:
    """Inspect mutated files, each in turn.

    Args:
        files: Sound files by name, whose suffix is that of their format.
        count: How many mutated files.
        folder: Where they are written.
        shapes: Of the inputs that have free axes.
        seed: Of the mutations.

    Raises:
        AssertionError: Reading one raised something else than an error of ours. The message says
            how to make that file again, and it is left in the folder.
    """
    rng = np.random.default_rng(seed)
    outcome, names = Outcome(), list(files)
    for number in range(count):
        name = names[number % len(names)]
        path = folder / f"mutated{Path(name).suffix}"
        path.write_bytes(mutated(files[name], rng))
        begun = time.perf_counter()
        try:
            inspect_file(path, shapes).to_json()
        except EdgeECGError:
            outcome.refused[name] += 1
        except Exception as error:
            raise AssertionError(f"number {number}, of {name}: {path}: {error!r}") from error
        else:
            outcome.inspected[name] += 1
        outcome.slowest_s = max(outcome.slowest_s, time.perf_counter() - begun)
    return outcome


def sample(files: Mapping[str, bytes], count: int, seed: int = 0) -> Sequence[tuple[str, bytes]]:
    """Return mutated files, each with the name of the file that it was made of."""
    rng, names = np.random.default_rng(seed), list(files)
    return [
        (names[i % len(names)], mutated(files[names[i % len(names)]], rng)) for i in range(count)
    ]
