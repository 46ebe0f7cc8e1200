"""The hard instances of MiniMalloc: each fits its capacity. About three seconds each at most."""

from __future__ import annotations

import pytest

from benchmarks.planner import read
from tests.helpers import DATA
from tests.passes.test_placement import check
from tinyc.passes.placement import Block, Placement, apart_by_lifetimes, place


def plan(name: str, seconds: float) -> Placement:
    path = DATA / "data" / "minimalloc" / f"{name}.1048576.csv"
    if not path.exists():
        pytest.skip(f"{path} is missing (TINYC_TEST_DATA names the folder that has data/)")
    instance = read(path)
    blocks = [Block(str(n), size, time=last - first + 1) for n, (first, last, size) in enumerate(instance.lives)]
    constraints, bound = apart_by_lifetimes(blocks, {str(n): life[:2] for n, life in enumerate(instance.lives)})
    placement = place(blocks, constraints, lower_bound=bound, capacity=instance.capacity, seconds=seconds)
    check(blocks, constraints, placement)
    return placement


@pytest.mark.parametrize("name", "ABCDEFGHIJK")
def test_the_capacity_is_reached(name: str) -> None:
    assert plan(name, seconds=20).bytes <= 1_048_576


def test_twice_the_same() -> None:
    assert plan("A", seconds=30) == plan("A", seconds=30)
