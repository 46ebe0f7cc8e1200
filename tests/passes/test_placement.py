"""The arena planner: every constraint is met, and small placements are the least possible."""

from __future__ import annotations

import os
import random
import subprocess
import sys
from collections.abc import Sequence
from itertools import pairwise

import pytest

from tests.helpers import ROOT
from tinyc.passes.core.base import PassError
from tinyc.passes.placement import Apart, Block, Placement, apart_by_lifetimes, place


def check(blocks: Sequence[Block], constraints: Sequence[Apart], placement: Placement) -> None:
    offsets = placement.offsets
    assert set(offsets) == {b.name for b in blocks}
    for block in blocks:
        assert offsets[block.name] >= 0
        assert offsets[block.name] % block.alignment == 0
        assert block.pinned in (None, offsets[block.name])
    for c in constraints:
        assert not c.below < offsets[c.second] - offsets[c.first] < c.above
    assert placement.bytes == max((offsets[b.name] + b.bytes for b in blocks), default=0)
    assert placement.lower_bound <= placement.bytes
    assert placement.optimal == (placement.lower_bound == placement.bytes)


def fits(blocks: Sequence[Block], constraints: Sequence[Apart], size: int) -> bool:
    """Whether some offsets meet the constraints and end at or below the size; tries all."""

    def extended(offsets: dict[str, int]) -> bool:
        if len(offsets) == len(blocks):
            return True
        block = blocks[len(offsets)]
        choices = range(0, size - block.bytes + 1, block.alignment)
        for at in choices if block.pinned is None else {block.pinned}.intersection(choices):
            tried = {**offsets, block.name: at}
            if all(
                not c.below < tried[c.second] - tried[c.first] < c.above
                for c in constraints
                if block.name in (c.first, c.second) and c.first in tried and c.second in tried
            ) and extended(tried):
                return True
        return False

    return extended({})


def invented(seed: int) -> tuple[list[Block], list[Apart]]:
    """Three to six blocks with gaps, overlap, alignments and pins."""
    chance = random.Random(seed)
    blocks = []
    for n in range(chance.randint(3, 6)):
        alignment = chance.choice([1, 1, 1, 2, 4]) if seed % 3 == 0 else 1
        pinned = chance.randint(0, 3) * alignment if seed % 2 and chance.random() < 0.15 else None
        blocks.append(Block(f"b{n}", chance.randint(seed % 5 != 0, 6), alignment, pinned))
    constraints = []
    for n, one in enumerate(blocks):
        for other in blocks[:n]:
            first, second = (one, other) if chance.random() < 0.5 else (other, one)
            below, above = -second.bytes, first.bytes
            if chance.random() < 0.4:
                below += chance.randint(0, second.bytes + 3)
            if chance.random() < 0.3:
                above -= chance.randint(0, first.bytes)
            if chance.random() < 0.65 and below < above:
                constraints.append(Apart(first.name, second.name, below, above))
    return blocks, constraints


@pytest.mark.parametrize("batch", range(4))
def test_small_placements_are_the_least_possible(batch: int) -> None:
    solved = 0
    for seed in range(600 * batch, 600 * (batch + 1)):
        blocks, constraints = invented(seed)
        pinned = [b for b in blocks if b.pinned is not None]
        names = {b.name for b in pinned}
        if not fits(pinned, [c for c in constraints if c.first in names and c.second in names], 99):
            with pytest.raises(PassError, match="pinned to offsets that their constraint forbids"):
                place(blocks, constraints)
            continue
        placement = place(blocks, constraints)
        check(blocks, constraints, placement)
        assert placement.optimal
        assert not fits(blocks, constraints, placement.bytes - 1), seed
        solved += 1
    assert solved > 500


def network(seed: int) -> tuple[list[Block], list[Apart], int]:
    """A chain of layers with skips; in every other one, outputs overwrite a part of their inputs."""
    chance = random.Random(seed)
    count = chance.randint(5, 150)
    blocks, lives = [], {}
    for n in range(count):
        size = chance.choice([1, 2, 3, 4, 6, 8]) * chance.choice([48, 96, 100, 147]) * chance.choice([1, 4, 16, 64])
        blocks.append(Block(f"b{n}", size + chance.choice([0, 0, 7])))
        skip = chance.random() > (0.6, 0.8, 0.9)[seed % 3]
        lives[f"b{n}"] = (n, min(count, n + (chance.randint(2, 8) if skip else 1)))
    constraints, bound = apart_by_lifetimes(blocks, lives)
    if seed % 2 == 0:
        return blocks, list(constraints), bound
    size_of = {b.name: b.bytes for b in blocks}
    overlapping = []
    for c in constraints:
        shared = 0
        if lives[c.first][1] == lives[c.second][0] and chance.random() < 0.7:
            shared = chance.randint(0, min(size_of[c.first], size_of[c.second]))
        if c.below + shared < c.above:
            overlapping.append(Apart(c.first, c.second, c.below + shared, c.above))
    return blocks, overlapping, 0


def test_networks_are_planned_with_a_proof() -> None:
    for seed in range(60):
        blocks, constraints, bound = network(seed)
        placement = place(blocks, constraints, lower_bound=bound)
        check(blocks, constraints, placement)
        assert placement.optimal, seed


def test_a_thousand_random_lifetimes_come_near_the_bound() -> None:
    chance = random.Random(1)
    blocks, lives = [], {}
    for n in range(1000):
        first = chance.randrange(1000)
        blocks.append(Block(f"b{n}", chance.randint(1, 4096)))
        lives[f"b{n}"] = (first, first + chance.randint(0, 30))
    constraints, bound = apart_by_lifetimes(blocks, lives)
    placement = place(blocks, constraints, lower_bound=bound)
    check(blocks, constraints, placement)
    assert placement.bytes <= 1.05 * bound


def test_an_output_may_overwrite_its_input() -> None:
    blocks = [Block("in", 100), Block("out", 80)]
    in_place = [Apart("in", "out", 0, 100)]
    assert place(blocks, in_place).bytes == 100
    behind = [Apart("in", "out", -10, 100)]
    placement = place(blocks, behind)
    assert placement.bytes == 110
    assert placement.offsets == {"in": 10, "out": 0}


def test_a_chain_of_overlaps_climbs_or_descends() -> None:
    """Each block ends 10 bytes below the end of the one before; every other order costs more."""
    blocks = [Block(f"b{n}", 50) for n in range(5)]
    constraints = [Apart(a.name, b.name, -10, 50) for a, b in pairwise(blocks)]
    assert place(blocks, constraints).bytes == 90


def test_a_lower_bound_that_is_none_is_refused() -> None:
    with pytest.raises(PassError, match="8 bytes are not necessary: 5 are enough"):
        place([Block("a", 5)], [], lower_bound=8)


def test_nothing_to_place() -> None:
    assert place([], []) == Placement({}, 0, 0, True)
    assert place([Block("empty", 0)], []).bytes == 0


def test_a_capacity_ends_the_search() -> None:
    blocks, constraints, bound = network(4)
    assert place(blocks, constraints, lower_bound=bound, capacity=2 * bound).bytes <= 2 * bound


def test_lifetimes_include_both_ends() -> None:
    blocks = [Block("a", 3), Block("b", 5), Block("c", 4)]
    constraints, bound = apart_by_lifetimes(blocks, {"a": (0, 1), "b": (1, 2), "c": (2, 3)})
    assert {(c.first, c.second) for c in constraints} == {("a", "b"), ("b", "c")}
    assert bound == 9
    assert place(blocks, constraints, lower_bound=bound).bytes == 9


@pytest.mark.parametrize(
    ("blocks", "constraints", "message"),
    [
        ([Block("a", 1), Block("a", 1)], [], "two blocks are called a"),
        ([Block("a", -1)], [], "a has -1 bytes"),
        ([Block("a", 1, 3)], [], "power of two, not 3"),
        ([Block("a", 1, 4, 6)], [], "no multiple of its alignment, 4"),
        ([Block("a", 1)], [Apart("a", "b", 0, 1)], "names b, which is no block"),
        ([Block("a", 1)], [Apart("a", "a", 0, 1)], "two blocks"),
        ([Block("a", 1), Block("b", 1)], [Apart("a", "b", 1, 1)], r"below \(1\) is less than above \(1\)"),
        ([Block("a", 1), Block("b", 1)], [Apart("a", "b", -1, 1), Apart("b", "a", -1, 1)], "one constraint"),
        ([Block("a", 2, 1, 0), Block("b", 2, 1, 1)], [Apart("a", "b", -2, 2)], "a and b are pinned"),
    ],
)
def test_what_makes_no_sense_is_refused(blocks: list[Block], constraints: list[Apart], message: str) -> None:
    with pytest.raises(PassError, match=message):
        place(blocks, constraints)


SCRIPT = """
from tests.passes.test_placement import invented, network
from tinyc.passes.placement import place
for seed in (7, 12, 31):
    blocks, constraints, bound = network(seed)
    print(place(blocks, constraints, lower_bound=bound))
"""


def test_offsets_do_not_depend_on_the_hash_seed() -> None:
    def printed(seed: str) -> str:
        environment = {**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": str(ROOT)}
        command = [sys.executable, "-c", SCRIPT]
        return subprocess.run(command, check=True, capture_output=True, text=True, cwd=ROOT, env=environment).stdout

    assert printed("1") == printed("2")
