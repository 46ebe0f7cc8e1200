"""The networks that faults are planted in, as files."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest

from tests.c.support import need
from tests.planted.network import write
from tests.planted.plant import Fault, must_be_caught

Write = Callable[[float], Path]


@pytest.fixture(scope="session")
def model_of(tmp_path_factory: pytest.TempPathFactory) -> Write:
    """The network with first weights of a size, as a file."""
    need("gcc")

    @cache
    def made(loud: float) -> Path:
        return write(tmp_path_factory.mktemp("planted"), loud)

    return made


@pytest.fixture
def must_catch(model_of: Write, monkeypatch: pytest.MonkeyPatch) -> Callable[[Fault], None]:
    """Plants a fault and compiles the network: that must stop, and say where the fault is."""
    return lambda fault: must_be_caught(fault, model_of(fault.loud), monkeypatch)
