"""The work of a compilation grows as the layers do, counted in calls of functions."""

from __future__ import annotations

import sys
from collections.abc import Callable
from types import FrameType

import onnx
import pytest

import tinyc
from benchmarks.deep import chain, residual, separable
from tinyc.passes.placement.budget import Budget


@pytest.fixture(autouse=True)
def _no_search(monkeypatch: pytest.MonkeyPatch) -> None:
    """The planner's searches take what they are given, whatever the network is."""
    monkeypatch.setattr(Budget, "of", lambda seconds: Budget(0))


def calls(model: onnx.ModelProto) -> int:
    found = 0

    def count(frame: FrameType, event: str, argument: object) -> None:
        nonlocal found
        found += event in ("call", "c_call")

    before = sys.getprofile()
    sys.setprofile(count)
    try:
        tinyc.compile(model, verify=False)
    finally:
        sys.setprofile(before)
    return found


@pytest.mark.parametrize("network", [chain, separable, residual])
def test_twice_the_layers_are_twice_the_work(network: Callable[[int], onnx.ModelProto]) -> None:
    """From layers on that fill the longest segments."""
    assert calls(network(120)) < 2.5 * calls(network(60))
