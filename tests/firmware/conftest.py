"""The compiled kernels."""

from __future__ import annotations

import pytest
from int8_library import TRAPS, Library, compile_c


@pytest.fixture(scope="session")
def kernels(tmp_path_factory: pytest.TempPathFactory) -> Library:
    """The kernels as a shared library that stops at undefined behaviour."""
    target = tmp_path_factory.mktemp("firmware") / "edgeecg_int8.so"
    return Library(compile_c(target, "-shared", "-fPIC", *TRAPS))
