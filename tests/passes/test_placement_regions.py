"""Several memory regions: the least traffic on the slow ones."""

from __future__ import annotations

import random
from itertools import product

import pytest

from tests.passes.test_placement import check, fits
from tinyc.passes.core.base import PassError
from tinyc.passes.placement import Apart, Block, Region, RegionPlacement, apart_by_lifetimes, place_in_regions


def verify(blocks: list[Block], apart: list[Apart], regions: list[Region], found: RegionPlacement) -> None:
    for region in regions:
        inside = [b for b in blocks if found.region[b.name] == region.name]
        names = {b.name for b in inside}
        placement = found.placements[region.name]
        check(inside, [c for c in apart if c.first in names and c.second in names], placement)
        assert region.bytes is None or placement.bytes <= region.bytes
    assert all(b.region in (None, found.region[b.name]) for b in blocks)


def least(blocks: list[Block], apart: list[Apart], regions: list[Region], traffic: dict[str, int]) -> int | None:
    """The least cost over all assignments, None if there is none."""
    best = None
    for chosen in product(range(len(regions)), repeat=len(blocks)):
        cost = sum(traffic[b.name] * r for b, r in zip(blocks, chosen, strict=True))
        if best is not None and cost >= best:
            continue
        if any(b.region not in (None, regions[r].name) for b, r in zip(blocks, chosen, strict=True)):
            continue
        for n, region in enumerate(regions):
            inside = [b for b, r in zip(blocks, chosen, strict=True) if r == n]
            names = {b.name for b in inside}
            within = [c for c in apart if c.first in names and c.second in names]
            if region.bytes is not None and not fits(inside, within, region.bytes):
                break
        else:
            best = cost
    return best


def test_small_assignments_are_the_cheapest() -> None:
    impossible = 0
    for seed in range(150):
        chance = random.Random(seed)
        blocks, lives, traffic = [], {}, {}
        for n in range(chance.randint(3, 6)):
            region = chance.choice([None, None, None, "fast", "slow"])
            blocks.append(Block(f"b{n}", chance.randint(1, 6), region=region))
            lives[f"b{n}"] = (n, n + chance.randint(0, 2))
            traffic[f"b{n}"] = chance.randint(0, 9)
        apart = list(apart_by_lifetimes(blocks, lives)[0])
        regions = [Region("fast", chance.randint(2, 9)), Region("slow", chance.choice([None, 6, 9]))]
        best = least(blocks, apart, regions, traffic)
        if best is None:
            impossible += 1
            with pytest.raises(PassError, match=r"there is no assignment .* more"):
                place_in_regions(blocks, apart, regions, traffic)
            continue
        found = place_in_regions(blocks, apart, regions, traffic)
        verify(blocks, apart, regions, found)
        assert found.exact
        assert found.cost == best == sum(traffic[b] for b, r in found.region.items() if r == "slow")
    assert 0 < impossible < 100


def test_many_blocks_are_assigned_greedily() -> None:
    chance = random.Random(5)
    blocks = [Block(f"b{n}", chance.randint(100, 900)) for n in range(60)]
    traffic = {b.name: chance.randint(1, 50) * b.bytes for b in blocks}
    apart, bound = apart_by_lifetimes(blocks, {f"b{n}": (n, n + 3) for n in range(60)})
    regions = [Region("fast", bound // 2), Region("middle", bound // 4), Region("slow", None)]
    found = place_in_regions(blocks, apart, regions, traffic, seconds=0.1)
    verify(blocks, list(apart), regions, found)
    assert not found.exact
    assert found.cost < sum(traffic.values())


def test_all_in_the_fastest_if_there_is_room() -> None:
    blocks = [Block(f"b{n}", 10) for n in range(40)]
    found = place_in_regions(blocks, [], [Region("fast", 10), Region("slow", None)], {"b3": 7})
    assert set(found.region.values()) == {"fast"}
    assert found.exact
    assert found.cost == 0


def test_the_error_says_by_how_much() -> None:
    blocks = [Block("a", 70), Block("b", 60)]
    with pytest.raises(PassError, match="fast has 100 bytes and would need 130, 30 more"):
        place_in_regions(blocks, [Apart("a", "b", -60, 70)], [Region("fast", 100)], {})


def test_regions_and_pins_are_checked() -> None:
    with pytest.raises(PassError, match="one or more regions"):
        place_in_regions([], [], [], {})
    with pytest.raises(PassError, match="pinned to the region psram"):
        place_in_regions([Block("a", 1, region="psram")], [], [Region("sram", None)], {})
    with pytest.raises(PassError, match="needs a region"):
        place_in_regions([Block("a", 1, pinned=0)], [], [Region("sram", None)], {})
